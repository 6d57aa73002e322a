"""Budgets: what fits, what refuses and why, how they stand, which steps are crossed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.budget import Amount, Budget, BudgetKey, Scope, asking, crossed, show_amount, standing
from tabstop.verdict import Outcome
from tabstop.window import WindowKind, window_at

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONTH = window_at(WindowKind.MONTH, "UTC", NOW)
amounts = st.builds(Amount, st.integers(0, 1_000), st.integers(0, 1_000))
caps = st.none() | st.integers(0, 1_000)


def a_budget(cap: int | None = 100, tokens: int | None = None, **more: Any) -> Budget:
    return Budget(1, BudgetKey(Scope.ENGINEER, 7, MONTH), cap, tokens, **more)


budgets = st.builds(a_budget, caps, caps, spent=amounts, held=amounts, raised=amounts)


def test_amounts_add_part_by_part() -> None:
    """Dollars and tokens never mix."""
    assert Amount(1, 2) + Amount(3, 5) == Amount(4, 7)
    assert Amount(1, 2) - Amount(3, 5) == Amount(-2, -3) == -Amount(2, 3)
    assert Amount(1, 9).at_most(Amount(5, 5)) == Amount(1, 5)
    assert Amount(-1, 9).at_least_zero() == Amount(0, 9)


@given(budgets, amounts)
def test_what_fits_stays_within_every_ceiling(budget: Budget, asked: Amount) -> None:
    """Promise 3, word for word: spent + held + asked <= cap, raises included."""
    nano = budget.nano_ceiling is None or budget.spent.nano + budget.held.nano + asked.nano <= budget.nano_ceiling
    tokens = (
        budget.token_ceiling is None or budget.spent.tokens + budget.held.tokens + asked.tokens <= budget.token_ceiling
    )
    assert budget.fits(asked) == (nano and tokens)


@given(budgets, amounts)
def test_what_is_not_refused_fits(budget: Budget, asked: Amount) -> None:
    """A start is refused exactly when it does not fit, or when the budget is red already."""
    refusal = asking(budget, asked, retry_at=NOW)
    assert (refusal is None) == (budget.fits(asked) and not budget.is_spent)
    if refusal:
        assert refusal.outcome is Outcome.STOP
        assert (refusal.retry_at is not None) == (refusal.cause == "held")


@pytest.mark.parametrize(
    ("budget", "asked", "cause"),
    [
        (a_budget(spent=Amount(90)), Amount(10), None),
        (a_budget(spent=Amount(90)), Amount(11), "spent"),
        (a_budget(spent=Amount(50), held=Amount(45)), Amount(10), "held"),
        (a_budget(spent=Amount(95), held=Amount(5)), Amount(10), "spent"),
        (a_budget(spent=Amount(100)), Amount(0), "spent"),
        (a_budget(spent=Amount(100), raised=Amount(50)), Amount(50), None),
        (a_budget(0), Amount(0), None),
        (a_budget(0), Amount(1), "spent"),
        (a_budget(None, 100, spent=Amount(9_999, 90)), Amount(9_999, 10), None),
        (a_budget(100, 100, held=Amount(0, 95)), Amount(10, 10), "held"),
        (a_budget(None, None, spent=Amount(10**18, 10**18)), Amount(10**18, 10**18), None),
    ],
)
def test_a_refusal_says_spent_or_held(budget: Budget, asked: Amount, cause: str | None) -> None:
    """Only where others hold what is left does waiting help (promise 7)."""
    refusal = asking(budget, asked, "alice", NOW)
    assert (refusal.cause if refusal else None) == cause


def test_a_refusal_speaks_in_the_unit_that_binds() -> None:
    """With both caps, the one that is fuller once asked is added."""
    refusal = asking(a_budget(100, 100, spent=Amount(10, 95), why="trial"), Amount(20, 10), "alice")
    assert refusal is not None
    assert (refusal.unit, refusal.cap, refusal.spent, refusal.asked) == ("tokens", 100, 95, 10)
    assert (refusal.subject, refusal.why, refusal.window, refusal.until) == ("alice", "trial", MONTH.name, MONTH.end)
    dollars = asking(a_budget(100, 100, spent=Amount(95, 10)), Amount(20, 10))
    assert dollars is not None
    assert (dollars.unit, dollars.cap) == ("usd", 100)


@pytest.mark.parametrize(
    ("spent", "outcome"),
    [(0, "allow"), (74, "allow"), (75, "warn"), (99, "warn"), (100, "stop"), (250, "stop")],
)
def test_a_budget_stands_by_what_is_spent(spent: int, outcome: str) -> None:
    """Green below the first step, amber from it on, red at the cap; holds do not count."""
    found = standing(a_budget(spent=Amount(spent), held=Amount(500)), (75, 90))
    assert found.outcome == outcome
    assert standing(a_budget(spent=Amount(99)), ()).outcome is Outcome.ALLOW


@given(budgets, amounts)
def test_each_step_is_crossed_once(budget: Budget, more: Amount) -> None:
    """Between two states exactly the steps in between are crossed, however the way there is cut up."""
    half = Amount(more.nano // 2, more.tokens // 2)
    states = [
        a_budget(budget.cap_nano, budget.cap_tokens, raised=budget.raised, spent=budget.spent + part)
        for part in (Amount(), half, more)
    ]
    whole = crossed(states[0], states[2], (90, 75, 75))
    assert whole == crossed(states[0], states[1], (75, 90)) + crossed(states[1], states[2], (75, 90))
    assert set(whole) <= {75, 90, 100}


@given(budgets)
def test_room_and_overrun_are_two_sides(budget: Budget) -> None:
    """An overrun is spend beyond the ceiling; without a ceiling there is none."""
    over = budget.overrun
    assert over == over.at_least_zero()
    assert (over.nano > 0) == (budget.nano_ceiling is not None and budget.spent.nano > budget.nano_ceiling)
    assert budget.is_spent == (budget.spent_percent >= 100)


def test_amounts_are_shown_in_their_unit() -> None:
    """Dollars with cents, tokens short."""
    assert show_amount(1_200_000_000, "usd") == "$1.20"
    assert show_amount(12_300, "tokens") == "12.3k tokens"
