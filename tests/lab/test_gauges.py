"""The four gauges, the way to the wall, and how the lab prints lengths of time."""

from datetime import UTC, datetime

import pytest

from tabstop.governor.limits import Totals
from tabstop.lab.gauges import Wall, gauges, length, wall
from tabstop.lab.play import Hour
from tabstop.lab.record import Iteration, Used
from tabstop.lab.report import clock, times
from tabstop.money import dollars
from tabstop.session import Limits

BEGUN = datetime(2026, 11, 2, 9, tzinfo=UTC)
LIMITS = Limits(10_000, 100, 50, 3_600, dollars(10))


def iteration(number: int, seconds: float, tokens: int = 0, cost: int = 0) -> Iteration:
    return Iteration(number, seconds, "", Totals(iterations=number, tokens=tokens, cost=cost))


def test_four_gauges() -> None:
    """Percent used of each limit; iterations and time share one, and the fuller moves it."""
    totals = Totals(2_500, 10, 20, dollars("1.50"), ran_milliseconds=1_800_000)
    shown = [(one.name, one.percent, one.used) for one in gauges(totals, LIMITS)]
    assert shown == [
        ("tokens", 25, "2.5k of 10k"),
        ("tool calls", 10, "10 of 100"),
        ("iterations, time", 50, "20 of 50 · 30 min of 1 h"),
        ("cost", 15, "$1.50 of $10.00"),
    ]


def test_a_gauge_without_a_limit_stays_empty() -> None:
    """It says so."""
    shown = [(one.percent, one.used) for one in gauges(Totals(tokens=2_500, cost=5), Limits(iterations=10))]
    assert shown[0] == (0, "2.5k, no limit")
    assert shown[2] == (0, "0 of 10 · 0 s, no limit")


def test_the_wall_is_the_limit_that_comes_first() -> None:
    """At the pace of the last ten iterations; the clock runs by itself."""
    steady = [iteration(n, 10.0 * n, tokens=100 * n, cost=dollars(1) // 20 * n) for n in range(1, 21)]
    assert wall(steady, LIMITS) == Wall("iterations", 300)
    faster = [*steady, *(iteration(20 + n, 200 + n, tokens=2_000 + 500 * n, cost=dollars(1)) for n in range(1, 11))]
    assert wall(faster, LIMITS) == Wall("tokens", 6)
    assert wall([iteration(1, 3_590.0)], Limits(wall_clock_seconds=3_600)) == Wall("wall_clock_seconds", 10)


def test_there_may_be_no_wall() -> None:
    """Nothing has happened, or nothing of what did is limited."""
    assert wall([], LIMITS) is None
    assert wall([iteration(1, 5.0, tokens=3)], Limits(tool_calls=5)) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (4.96, "4.96 s"),
        (5.0, "5 s"),
        (12.3, "12 s"),
        (60, "1 min"),
        (374.3, "6 min 14 s"),
        (3_900, "1 h 5 min"),
        (3_600, "1 h"),
    ],
)
def test_lengths_of_time(seconds: float, said: str) -> None:
    """Short ones can be told apart."""
    assert length(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(4.96, "0:04.9"), (374.3, "6:14.3"), (3_974.0, "1:06:14"), (59.99, "0:59.9")]
)
def test_moments_of_the_clock(seconds: float, said: str) -> None:
    """With tenths below an hour."""
    assert clock(seconds) == said


@pytest.mark.parametrize(("tenths", "said"), [(11, "1.1"), (30, "3"), (257, "25.7"), (7_200, "720"), (12_345, "1,234")])
def test_how_many_times_over(tenths: int, said: str) -> None:
    """Tenths where they tell something."""
    nothing = Used(0, 0, 0, 0)
    assert times(Hour(nothing, nothing, "cost", tenths)) == said
