"""Estimates: what usage says of a plan's windows where the vendor says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.gauge import MOST_USED, GaugeReading, GaugeSource
from tabstop.gauge_estimate import Spent, as_readings, counted, estimate
from tabstop.governor.settings import PlanAllowance
from tabstop.usage import Tokens

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
PLAN = PlanAllowance(five_hours=1_000, week=10_000)


def before(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


@pytest.mark.parametrize(
    ("calls", "block", "ends_in", "week"),
    [
        ((), 0, None, 0),
        (((1, 300), (2, 100)), 400, 3.0, 400),  # five hours from the first call
        (((6, 300), (0.5, 100)), 100, 4.5, 400),  # the first five hours are over
        (((6, 300), (2, 100)), 0, None, 400),  # both in five hours that are over
        (((9, 1), (5.5, 10), (4.5, 100), (0.5, 1_000)), 1_000, 4.5, 1_111),  # 9 to 4 was one window; the next began half an hour ago
        (((5, 300),), 0, None, 300),  # it ends as five hours are over
        (((167, 7), (169, 9)), 0, None, 7),  # a week is the last seven days
        (((-1, 50),), 0, None, 0),  # not yet
    ],
)  # fmt: skip
def test_windows_by_usage(calls: tuple[tuple[float, int], ...], block: int, ends_in: float | None, week: int) -> None:
    """Five hours begin with a call and end five hours later, whatever comes between; the next begin with the next call."""
    five, seven = estimate([Spent(before(hours), tokens) for hours, tokens in reversed(calls)], PLAN, NOW)
    assert (five.tokens, five.ends_at) == (block, None if ends_in is None else before(-ends_in))
    assert (seven.tokens, seven.ends_at) == (week, None)
    assert (five.used, seven.used) == (block * 10, week)


def test_without_an_allowance_there_is_no_share() -> None:
    """Only tokens: what a plan allows is not guessed."""
    uses = estimate([Spent(before(1), 300)], PlanAllowance(week=3_000), NOW)
    assert [(use.tokens, use.used) for use in uses] == [(300, None), (300, 1_000)]
    week = GaugeReading("openai", "", "weekly", 1_000, NOW, GaugeSource.ESTIMATED, None, 10_080)
    assert as_readings(uses, "openai", NOW) == (week,)


def test_cache_reads_are_not_counted() -> None:
    """They are most of an agent's tokens and cost a vendor little."""
    assert counted(Tokens(1, 1_000, 10, 100, 5)) == 116


@given(st.lists(st.builds(Spent, st.floats(-5, 400).map(before), st.integers(0, 10**9)), max_size=20))
def test_the_order_of_calls_is_nothing(calls: list[Spent]) -> None:
    """Logs of several machines come in any order; five hours are part of the week."""
    five, week = estimate(calls, PLAN, NOW)
    assert estimate(list(reversed(calls)), PLAN, NOW) == (five, week)
    assert five.tokens <= week.tokens
    assert all((use.used or 0) <= MOST_USED for use in (five, week))
