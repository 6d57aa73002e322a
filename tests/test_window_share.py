"""Window shares: how far a window moved while sessions ran, told beside other sums and never added to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.gauge import MOST_USED, GaugeReading, GaugeSource
from tabstop.window_share import WindowShare, in_words, moved_by, of_session

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
READ = GaugeReading("anthropic", "org", "5h", 1_000, NOW, GaugeSource.HEADER, NOW + timedelta(hours=2), 300)
FIVE = WindowShare(READ, 1_250)
WEEK = WindowShare(replace(READ, window="weekly"), 40)
UNNAMED = WindowShare(replace(READ, account=""), 1_100)
CODEX = WindowShare(replace(READ, vendor="openai"), 300)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([], ""),
        ([(1, WindowShare(READ))], ""),
        ([(1, FIVE)], "At most 12 % of Anthropic's 5-hour window"),
        ([(1, FIVE), (1, FIVE)], "At most 25 % of Anthropic's 5-hour window"),
        ([(None, UNNAMED), (None, UNNAMED)], "At most 11 % of Anthropic's 5-hour window and 11 % of another one"),
        ([(1, UNNAMED), (1, UNNAMED)], "At most 22 % of Anthropic's 5-hour window"),
        ([(None, FIVE), (None, FIVE)], "At most 25 % of Anthropic's 5-hour window"),
        ([(1, FIVE), (2, FIVE)], "At most 12 % of Anthropic's 5-hour window and 12 % of another one"),
        (
            [(1, FIVE), (1, WEEK), (None, CODEX)],
            "At most 12 % of Anthropic's 5-hour window, less than 1 % of Anthropic's weekly window and 3 % of OpenAI's 5-hour window",
        ),
    ],
)  # fmt: skip
def test_shares_in_words(shares: list[tuple[int | None, WindowShare]], words: str) -> None:
    """Only what lies in one window is added: of two people, two vendors or two windows it stands side by side."""
    assert in_words(shares) == words


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, MOST_USED)), max_size=12))
def test_what_moved_is_never_less_than_before(told: list[tuple[int, int]]) -> None:
    """A reading told again or late changes nothing, and no share is larger than a window can be."""
    share = WindowShare(replace(READ, observed_at=NOW - timedelta(minutes=1)))
    for minute, used in told:
        reading = replace(READ, used=used, observed_at=NOW + timedelta(minutes=minute))
        before, share = share, moved_by(share, reading)
        assert before.moved <= share.moved <= MOST_USED
        assert moved_by(share, reading) == share
    assert moved_by(None, READ) == WindowShare(READ)


def test_a_session_that_two_sources_told_of() -> None:
    """The headers name the account and the status line does not: one movement is not told as two. Of several accounts none is guessed."""
    other = WindowShare(replace(READ, account="other"), 30)
    assert of_session([UNNAMED, FIVE, CODEX]) == of_session([FIVE, UNNAMED, CODEX]) == (FIVE, CODEX)
    assert of_session([replace(UNNAMED, moved=2_000), FIVE])[0].moved == 2_000
    assert of_session([UNNAMED, FIVE, other]) == (UNNAMED, FIVE, other)
    assert of_session([UNNAMED]) == (UNNAMED,)


def test_sources_that_round_differently() -> None:
    """A whole percent beside the exact share is no movement, however often the two take turns; the next window counts from nothing."""
    share = moved_by(None, READ)
    for minute in range(1, 20):
        used = 1_000 if minute % 2 else 1_050
        share = moved_by(share, replace(READ, used=used, observed_at=NOW + timedelta(minutes=minute)))
    assert share.moved == 50
    later = replace(READ, used=300, observed_at=NOW + timedelta(hours=3), resets_at=NOW + timedelta(hours=7))
    assert moved_by(share, later).moved == 350
    fallen = moved_by(share, replace(READ, used=949, observed_at=NOW + timedelta(minutes=30)))
    assert (fallen.moved, fallen.last.used) == (50, 949), "more than rounding: what rises from there has moved"
