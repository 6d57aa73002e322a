"""Window shares: how far a window moved while sessions ran, told beside other sums and never added to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.gauge import MOST_USED, GaugeReading, GaugeSource
from tabstop.window_share import WindowShare, in_words, moved_by

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
READ = GaugeReading("anthropic", "org", "5h", 1_000, NOW, GaugeSource.HEADER, NOW + timedelta(hours=2), 300)
FIVE = WindowShare(READ, 1_250)
WEEK = WindowShare(replace(READ, window="weekly"), 40)
CODEX = WindowShare(replace(READ, vendor="openai"), 300)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([], ""),
        ([(1, WindowShare(READ))], ""),
        ([(1, FIVE)], "At most 12 % of Anthropic's 5-hour window"),
        ([(1, FIVE), (1, FIVE)], "At most 25 % of Anthropic's 5-hour window"),
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
