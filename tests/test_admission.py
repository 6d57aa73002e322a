"""Admission: one decision over plain facts, and an answer that explains itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.admission import RETRY_AFTER, StartFacts, may_start, unpriced
from tabstop.budget import Amount, Budget, BudgetKey, Scope
from tabstop.governor.settings import UnknownPrice
from tabstop.money import dollars
from tabstop.policy.model import Cap, Downgrade, OnEmpty, Policy, SessionLimits
from tabstop.usage import Billing
from tabstop.verdict import Finding, Outcome, Signal
from tests.test_budget import MONTH, NOW, amounts, caps


def a_budget(scope: Scope, cap: str | None = "50", tokens: int | None = None, **more: Any) -> Budget:
    spent = Amount(dollars(more.pop("spent", "0")), more.pop("spent_tokens", 0))
    held = Amount(dollars(more.pop("held", "0")))
    key = BudgetKey(scope, 1, MONTH)
    return Budget(1, key, None if cap is None else dollars(cap), tokens, spent=spent, held=held, **more)


def facts(*budgets: Budget, policy: Policy | None = None, **more: Any) -> StartFacts:
    return StartFacts(now=NOW, policy=policy or Policy(), budgets=budgets, **more)


wild = st.builds(
    lambda scope, nano, tokens, spent, held: Budget(
        1, BudgetKey(scope, 1, MONTH), nano, tokens, spent=spent, held=held
    ),
    st.sampled_from([Scope.TAB, Scope.ENGINEER, Scope.REPOSITORY, Scope.ORGANIZATION]),
    caps,
    caps,
    amounts,
    amounts,
)


@given(
    st.lists(wild, max_size=4, unique_by=lambda budget: budget.key.scope),
    st.none() | st.integers(0, 2_000),
    st.sampled_from(Billing),
    st.booleans(),
    wild,
)
def test_whoever_is_admitted_fits(
    budgets: list[Budget], hold: int | None, billing: Billing, counts: bool, downgrade: Budget
) -> None:
    """Promise 3 at its root: spent + held + hold is within every cap of every budget the hold is set against."""
    policy = Policy(
        hold=hold,
        subscription_counts=counts,
        session=SessionLimits(tokens=500, cost=700),
        on_empty=OnEmpty.DOWNGRADE,
        downgrade=Downgrade(("cheap",), cost=100),
    )
    found = may_start(facts(*budgets, policy=policy, billing=billing, downgrade=downgrade))
    if found.admitted:
        assert all(budget.fits(found.hold) for budget in found.budgets)
        assert len(found.budgets) == len(budgets)
    else:
        assert found.hold == Amount()
        assert found.verdict.reasons


@pytest.mark.parametrize(
    ("budget", "outcome", "cause", "retry"),
    [
        (a_budget(Scope.TAB), Outcome.ALLOW, "", False),
        (a_budget(Scope.TAB, spent="40"), Outcome.WARN, "", False),
        (a_budget(Scope.TAB, spent="50"), Outcome.STOP, "spent", False),
        (a_budget(Scope.TAB, spent="10", held="39.98"), Outcome.STOP, "held", True),
        (a_budget(Scope.TAB, None), Outcome.ALLOW, "", False),
    ],
)
def test_the_answer_explains_itself(budget: Budget, outcome: Outcome, cause: str, retry: bool) -> None:
    """Which budget, spent or held, until when, and what helps."""
    found = may_start(facts(budget, subjects={Scope.TAB: "claude/x"}))
    finding = found.verdict.findings[0]
    assert (found.verdict.outcome, finding.cause, finding.subject) == (outcome, cause, "claude/x")
    assert found.verdict.retry_at == (NOW + RETRY_AFTER if retry else None)
    assert bool(finding.remedy) == (outcome is Outcome.STOP)


def test_the_limits_are_cut_to_the_room() -> None:
    """A lone session cannot pass a cap it can see."""
    found = may_start(facts(a_budget(Scope.TAB, spent="47"), a_budget(Scope.ENGINEER, None, 1_000_000, spent_tokens=1)))
    assert (found.limits.cost, found.limits.tokens) == (dollars(3), 999_999)
    assert found.limits.tool_calls == 500


@pytest.mark.parametrize(
    ("counts", "cost", "hold"), [(False, dollars(10), 0), (True, dollars("0.20"), dollars("0.05"))]
)
def test_dollars_that_do_not_count_are_not_bounded_by_dollars(counts: bool, cost: int, hold: int) -> None:
    """A subscription's equivalent takes no room, so the room does not bound it either."""
    policy = Policy(subscription_counts=counts)
    found = may_start(facts(a_budget(Scope.TAB, spent="49.80"), policy=policy, billing=Billing.SUBSCRIPTION))
    assert (found.limits.cost, found.hold.nano) == (cost, hold)


@pytest.mark.parametrize(
    ("on_empty", "downgrade", "admitted"),
    [
        (OnEmpty.REFUSE, a_budget(Scope.DOWNGRADE, "10"), False),
        (OnEmpty.ASK, a_budget(Scope.DOWNGRADE, "10"), False),
        (OnEmpty.DOWNGRADE, a_budget(Scope.DOWNGRADE, "10"), True),
        (OnEmpty.DOWNGRADE, a_budget(Scope.DOWNGRADE, "10", spent="10"), False),
        (OnEmpty.DOWNGRADE, None, False),
    ],
)
def test_an_empty_engineers_budget(on_empty: OnEmpty, downgrade: Budget | None, admitted: bool) -> None:
    """Refused, sent to ask, or let in with cheaper models and a small cap of their own."""
    policy = Policy(on_empty=on_empty, downgrade=Downgrade(("claude-haiku-4-5",), dollars("0.5")), approvers=("bob",))
    empty = a_budget(Scope.ENGINEER, "1", spent="1")
    found = may_start(facts(a_budget(Scope.TAB), empty, policy=policy, downgrade=downgrade))
    assert found.admitted == admitted
    if admitted:
        assert found.models == ("claude-haiku-4-5",)
        assert found.limits.cost == dollars("0.5")
        assert {budget.key.scope for budget in found.budgets} == {Scope.TAB, Scope.DOWNGRADE}
        assert found.verdict.outcome is Outcome.WARN
    elif on_empty is OnEmpty.ASK:
        assert "bob" in found.verdict.reasons[0].remedy


def test_a_held_engineers_budget_is_no_reason_to_downgrade() -> None:
    """What others only hold comes back; the start waits for it."""
    policy = Policy(on_empty=OnEmpty.DOWNGRADE, downgrade=Downgrade(("cheap",)))
    held = a_budget(Scope.ENGINEER, "5", held="5")
    found = may_start(facts(held, policy=policy, downgrade=a_budget(Scope.DOWNGRADE)))
    assert (found.admitted, found.verdict.reasons[0].cause) == (False, "held")


def test_a_tab_that_is_red_is_no_reason_to_downgrade() -> None:
    """Cheaper models help an empty engineer, not an empty tab."""
    policy = Policy(on_empty=OnEmpty.DOWNGRADE, downgrade=Downgrade(("cheap",)))
    found = may_start(facts(a_budget(Scope.TAB, "1", spent="1"), policy=policy, downgrade=a_budget(Scope.DOWNGRADE)))
    assert not found.admitted


@pytest.mark.parametrize(
    ("allowed", "purpose", "admitted"), [((), "", True), (("review",), "review", True), (("review",), "", False)]
)
def test_a_purpose_is_one_of_those_allowed(allowed: tuple[str, ...], purpose: str, admitted: bool) -> None:
    """Where the policy names purposes, a start names one of them."""
    found = may_start(facts(policy=Policy(purposes=allowed), purpose=purpose))
    assert found.admitted == admitted


@pytest.mark.parametrize(("mode", "admitted"), [(UnknownPrice.WARN, True), (UnknownPrice.BLOCK, False)])
def test_an_unknown_price_on_the_tab(mode: UnknownPrice, admitted: bool) -> None:
    """It warns or blocks as the policy says. Other tabs' calls do not, save where there is no tab to answer for its own."""
    policy = Policy(unknown_price=mode)
    found = may_start(facts(replace(a_budget(Scope.TAB), unknown_usages=2), policy=policy))
    assert (found.admitted, "2 calls" in found.verdict.reasons[0].sentence) == (admitted, True)
    repository = replace(a_budget(Scope.REPOSITORY), unknown_usages=2)
    assert may_start(facts(a_budget(Scope.TAB), repository, policy=policy)).verdict.reasons == ()
    found = may_start(facts(repository, policy=policy))
    assert (found.admitted, "in this repository" in found.verdict.reasons[0].sentence) == (admitted, True)
    assert "1 call " in unpriced(1, policy).sentence


def test_what_is_known_before_money_counts_too() -> None:
    """An open breaker or a pause refuses, whatever the budgets say."""
    pause = Finding(Signal.PAUSE, Outcome.STOP, "organization", sentence="paused")
    found = may_start(facts(a_budget(Scope.TAB), others=(pause,)))
    assert not found.admitted
    assert found.verdict.findings[0] == pause


def test_a_hold_the_policy_gives() -> None:
    """Fixed, but never above what the session may cost; unlimited sessions take it as it is."""
    budget = a_budget(Scope.TAB)
    assert may_start(facts(budget, policy=Policy(hold=dollars(3)))).hold.nano == dollars(3)
    assert may_start(facts(budget, policy=Policy(hold=dollars(30)))).hold.nano == dollars(10)
    unlimited = Policy(hold=dollars(30), session=SessionLimits(cost=None, tokens=None), tab=Cap())
    assert may_start(facts(budget, policy=unlimited)).hold.nano == dollars(30)
