"""Window shares: how far a window moved while sessions ran, told beside other sums and never added to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.gauge import MOST_USED, GaugeReading, GaugeSource
from tabstop.window_share import WindowShare, first_told, in_words, moved_by, of_session, with_estimates

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
READ = GaugeReading("anthropic", "org", "5h", 1_000, NOW, GaugeSource.HEADER, NOW + timedelta(hours=2), 300)
FIVE = WindowShare(READ, 1_250)
WEEK = WindowShare(replace(READ, window="weekly"), 40)
UNNAMED = WindowShare(replace(READ, account=""), 1_100)
CODEX = WindowShare(replace(READ, vendor="openai"), 300)
GUESS = WindowShare(replace(READ, account="", source=GaugeSource.ESTIMATED), 200)
ADMITTED = NOW - timedelta(minutes=30)


@pytest.mark.parametrize(
    ("shares", "moved"),
    [
        ([(1, FIVE)], "13 % of Anthropic's 5-hour window"),
        ([(1, FIVE), (1, FIVE)], "25 % of Anthropic's 5-hour window"),
        ([(None, UNNAMED), (None, UNNAMED)], "11 % of Anthropic's 5-hour window and 11 % of another one"),
        ([(1, UNNAMED), (1, UNNAMED)], "22 % of Anthropic's 5-hour window"),
        ([(None, FIVE), (None, FIVE)], "25 % of Anthropic's 5-hour window"),
        ([(1, FIVE), (2, FIVE)], "13 % of Anthropic's 5-hour window and 13 % of another one"),
        (
            [(1, FIVE), (1, WEEK), (None, CODEX)],
            "13 % of Anthropic's 5-hour window, 1 % of Anthropic's weekly window and 3 % of OpenAI's 5-hour window",
        ),
    ],
)  # fmt: skip
def test_shares_in_words(shares: list[tuple[int | None, WindowShare]], moved: str) -> None:
    """Only what lies in one window is added: of two people, two vendors or two windows it stands side by side. The most is rounded up."""
    assert in_words(shares) == f"At most {moved} went into this branch: what moved while its sessions ran."


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([], ""),
        ([(1, WindowShare(READ, 0))], ""),
        ([(1, WindowShare(READ))], "Not known: what 1 session used of Anthropic's 5-hour window."),
        (
            [(1, WindowShare(READ)), (2, WindowShare(READ)), (2, WindowShare(WEEK.last))],
            "Not known: what 2 sessions used of Anthropic's 5-hour window and 1 session used of Anthropic's weekly window.",
        ),
        ([(1, GUESS)], "Estimated from usage, since no reading tells: 2 % of Anthropic's 5-hour window."),
        (
            [(1, replace(GUESS, moved=99))],
            "Estimated from usage, since no reading tells: less than 1 % of Anthropic's 5-hour window.",
        ),
        (
            [(1, GUESS), (1, FIVE), (1, GUESS), (1, WindowShare(CODEX.last))],
            (
                "At most 13 % of Anthropic's 5-hour window went into this branch: what moved while its sessions ran. "
                "Estimated from usage, since no reading tells: 4 % of Anthropic's 5-hour window. "
                "Not known: what 1 session used of OpenAI's 5-hour window."
            ),
        ),
    ],
)  # fmt: skip
def test_what_is_not_known_is_no_zero(shares: list[tuple[int | None, WindowShare]], words: str) -> None:
    """What moved, what is estimated and what nobody knows stand apart."""
    assert in_words(shares) == words


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, MOST_USED)), max_size=12))
def test_what_moved_is_never_less_than_before(told: list[tuple[int, int]]) -> None:
    """A reading told again or late changes nothing, and no share is larger than a window can be."""
    share = WindowShare(replace(READ, observed_at=NOW - timedelta(minutes=1)), 0)
    for minute, used in told:
        reading = replace(READ, used=used, observed_at=NOW + timedelta(minutes=minute))
        before, share = share, moved_by(share, reading)
        assert (before.moved or 0) <= (share.moved or 0) <= MOST_USED
        assert moved_by(share, reading) == share


def test_a_session_that_two_sources_told_of() -> None:
    """The headers name the account and the status line does not: one movement is not told as two. Of several accounts none is guessed."""
    other = WindowShare(replace(READ, account="other"), 30)
    assert of_session([UNNAMED, FIVE, CODEX]) == of_session([FIVE, UNNAMED, CODEX]) == (FIVE, CODEX)
    assert of_session([replace(UNNAMED, moved=2_000), FIVE])[0].moved == 2_000
    assert of_session([UNNAMED, FIVE, other]) == (UNNAMED, FIVE, other)
    assert of_session([UNNAMED]) == (UNNAMED,)
    assert of_session([WindowShare(READ), UNNAMED])[0].moved == 1_100


def before(minutes: float, used: int, **more: Any) -> GaugeReading:
    return replace(READ, observed_at=NOW - timedelta(minutes=minutes), used=used, **more)


@pytest.mark.parametrize(
    ("earlier", "moved"),
    [
        ((), None),
        ((before(31, 700),), 300),
        ((before(30, 700), before(200, 100), before(10, 800)), 300),  # the last one before it began
        ((before(20, 700), before(10, 800)), 300),  # the first one after
        ((before(31, 1_050),), 0),  # another source's rounding
        ((before(31, 700, account=""),), 300),
        ((before(31, 700, account="another"),), None),
        ((before(31, 700, window="weekly"),), None),
        ((before(31, 700, resets_at=NOW - timedelta(minutes=20)),), None),  # the window before
        ((before(31, 700, source=GaugeSource.ESTIMATED),), None),
        ((before(-1, 700), before(0, 700)), None),
    ],
)
def test_a_session_with_one_reading(earlier: tuple[GaugeReading, ...], moved: int | None) -> None:
    """Moved the window since the reading before it; where there is none, nobody knows by how much."""
    assert first_told(READ, ADMITTED, earlier) == WindowShare(replace(READ, used=1_050 if moved == 0 else 1_000), moved)


def test_a_window_that_began_in_the_session() -> None:
    """Counts from nothing, whatever was read before."""
    fresh = replace(READ, resets_at=NOW + timedelta(hours=4, minutes=30))
    assert first_told(fresh, ADMITTED, [before(29, 900)]).moved == 1_000
    assert first_told(fresh, ADMITTED + timedelta(seconds=1), []).moved is None


def test_a_reading_without_an_account() -> None:
    """Counts from the only account whose window ends when its own does; of two such it is not known which."""
    unnamed = UNNAMED.last
    assert first_told(unnamed, ADMITTED, [before(31, 700)]).moved == 300
    assert first_told(unnamed, ADMITTED, [before(31, 700), before(31, 100, account="other")]).moved is None


def test_estimates_stand_where_nothing_tells() -> None:
    """And nowhere else."""
    assert with_estimates([], [GUESS]) == (GUESS,)
    assert with_estimates([WindowShare(READ), WEEK], [GUESS]) == (WEEK, GUESS)
    assert with_estimates([FIVE], [GUESS]) == (FIVE,)
    assert with_estimates([CODEX], [GUESS]) == (CODEX, GUESS)


def test_sources_that_round_differently() -> None:
    """A whole percent beside the exact share is no movement, however often the two take turns; the next window counts from nothing."""
    share = WindowShare(READ)
    for minute in range(1, 20):
        used = 1_000 if minute % 2 else 1_050
        share = moved_by(share, replace(READ, used=used, observed_at=NOW + timedelta(minutes=minute)))
    assert share.moved == 50
    later = replace(READ, used=300, observed_at=NOW + timedelta(hours=3), resets_at=NOW + timedelta(hours=7))
    assert moved_by(share, later).moved == 350
    fallen = moved_by(share, replace(READ, used=949, observed_at=NOW + timedelta(minutes=30)))
    assert (fallen.moved, fallen.last.used) == (50, 949), "more than rounding: what rises from there has moved"
