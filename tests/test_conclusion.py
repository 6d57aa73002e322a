"""How a tab stands, and what the check says of it: promise 5 as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from tabstop.budget import Amount, Budget, BudgetKey, Scope, standing
from tabstop.conclusion import MERGE_GROUP, Conclusion, conclusion_of, decides, worst_of
from tabstop.governor.settings import UnknownPrice
from tabstop.money import dollars
from tabstop.policy.model import CheckMode, Policy
from tabstop.standing import how_stands
from tabstop.verdict import Finding, Outcome, Signal, verdict_of
from tabstop.window import WindowKind, window_at

ENFORCE, ADVISE = CheckMode.ENFORCE, CheckMode.ADVISE
SUCCESS, NEUTRAL, FAILURE = Conclusion
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def a_budget(spent: str, scope: Scope = Scope.TAB, unknown: int = 0) -> Budget:
    key = BudgetKey(scope, 1, window_at(WindowKind.LIFETIME, "UTC", NOW))
    return Budget(1, key, dollars(50), spent=Amount(dollars(spent)), unknown_usages=unknown)


@pytest.mark.parametrize(
    ("spent", "unknown", "unknown_price", "edit_problems", "enforced", "advised"),
    [
        ("0", 0, "warn", None, SUCCESS, SUCCESS),
        ("37.49", 0, "warn", None, SUCCESS, SUCCESS),
        ("37.50", 0, "warn", None, NEUTRAL, NEUTRAL),
        ("49.99", 0, "warn", None, NEUTRAL, NEUTRAL),
        ("50", 0, "warn", None, FAILURE, NEUTRAL),
        ("80", 0, "warn", None, FAILURE, NEUTRAL),
        ("0", 1, "warn", None, NEUTRAL, NEUTRAL),
        ("0", 1, "block", None, FAILURE, NEUTRAL),
        ("0", 0, "warn", 0, SUCCESS, SUCCESS),
        ("0", 0, "warn", 1, FAILURE, NEUTRAL),
        ("37.50", 2, "warn", 3, FAILURE, NEUTRAL),
    ],
)
def test_the_tabs_own_matters_decide(
    spent: str,
    unknown: int,
    unknown_price: str,
    edit_problems: int | None,
    enforced: Conclusion,
    advised: Conclusion,
) -> None:
    """Its budget, its unpriced calls, the policy its pull request edits; with `advise` nothing fails."""
    policy = Policy(unknown_price=UnknownPrice(unknown_price))
    verdict = how_stands([a_budget(spent, unknown=unknown)], policy, edit_problems=edit_problems)
    assert (conclusion_of(verdict, ENFORCE), conclusion_of(verdict, ADVISE)) == (enforced, advised)


@pytest.mark.parametrize("scope", [s for s in Scope if s is not Scope.TAB])
def test_other_budgets_never_hold_merging_hostage(scope: Scope) -> None:
    """A red budget of an engineer, a guest, a repository or the organization refuses starts; a check it leaves green."""
    red = standing(a_budget("50", scope), (75, 90))
    assert red.outcome is Outcome.STOP
    assert conclusion_of(verdict_of(red), ENFORCE) is SUCCESS


@pytest.mark.parametrize("signal", [Signal.ACCESS, Signal.PAUSE, Signal.BREAKER, Signal.LIMIT])
def test_what_refuses_starts_does_not_decide_checks(signal: Signal) -> None:
    """A pause, an open breaker, a session's limit: none of it is about merging."""
    assert not decides(Finding(signal, Outcome.STOP, "anything"))


def test_an_overdrive_turns_red_green_again() -> None:
    """A raise counts as cap."""
    red = a_budget("50")
    raised = replace(red, raised=Amount(dollars(50)))
    assert conclusion_of(how_stands([raised], Policy()), ENFORCE) is SUCCESS


def test_an_unlimited_tab_is_green() -> None:
    """No cap, nothing to reach."""
    unlimited = replace(a_budget("5000"), cap_nano=None)
    assert conclusion_of(how_stands([unlimited], Policy()), ENFORCE) is SUCCESS


def test_a_shared_head_shows_the_worst() -> None:
    """One commit has one check."""
    for found in product(Conclusion, repeat=3):
        assert worst_of(found).rank == max(c.rank for c in found)
    assert worst_of([]) is SUCCESS


def test_merge_groups_succeed() -> None:
    """Merging spends nothing."""
    assert MERGE_GROUP is SUCCESS


def test_findings_say_what_they_are_about() -> None:
    """Names and sentences for every surface, worst first."""
    verdict = how_stands([a_budget("40", unknown=1)], Policy(), subject="claude/fix", edit_problems=2)
    assert [(f.signal, f.outcome, f.subject) for f in verdict.findings] == [
        (Signal.POLICY, Outcome.STOP, ""),
        (Signal.BUDGET, Outcome.WARN, "claude/fix"),
        (Signal.PRICE, Outcome.WARN, ""),
    ]
    assert verdict.findings[0].sentence == "The policy in this pull request has 2 problems; it would not count."
