"""Builders of `TabFacts`: a usual pull request, and what a test changes about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.jobs.tab_facts import Links, ShownSession, Standing, TabFacts
from app.ledger.books import SessionRow, Tab
from app.registry import InForce, Organization, PullRequest, Repository
from tabstop.budget import Amount, Budget, BudgetKey, Scope, standing
from tabstop.conclusion import conclusion_of
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.money import dollars
from tabstop.policy.model import Policy
from tabstop.session import SessionOutcome
from tabstop.standing import how_stands
from tabstop.usage import Billing
from tabstop.window import WindowKind, window_at
from tabstop.window_share import WindowShare

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
BRANCH = "claude/fix-login"


def amount(cost: str = "0", tokens: int = 0) -> Amount:
    """Dollars as written, and tokens."""
    return Amount(dollars(cost), tokens)


def a_budget(scope: Scope = Scope.TAB, cap: str | None = "50", spent: Amount = Amount(), **more: Any) -> Budget:
    """A budget in the window it usually has."""
    kind = WindowKind.LIFETIME if scope is Scope.TAB else WindowKind.MONTH
    key = BudgetKey(scope, 1, window_at(kind, "UTC", NOW))
    return replace(Budget(1, key, None if cap is None else dollars(cap), spent=spent), **more)


def a_session(
    number: int = 1, cost: str = "4.10", tokens: int = 1_830_000, login: str = "alice", **more: Any
) -> ShownSession:
    """A session that finished 20 minutes after its start, later by an hour for each number."""
    began = NOW - timedelta(hours=12 - number)
    plain = SessionRow(
        id=f"s{number}",
        repository_id=1,
        engineer_id=1,
        tab_id=1,
        place_id=1,
        agent="claude-code",
        admitted_at=began,
        lease_until=began + timedelta(hours=2),
        ended_at=began + timedelta(minutes=20),
        outcome=SessionOutcome.FINISHED,
        model="claude-sonnet-4-5",
        purpose="fix",
        billing=Billing.API,
        spent=amount(cost, tokens),
        tool_calls=42,
        iterations=31,
    )
    return ShownSession(replace(plain, **more), login)


def a_share(window: str, moved: int | None, source: GaugeSource = GaugeSource.HEADER) -> WindowShare:
    """By how much a window of Anthropic's moved, in ten-thousandths; None where nobody knows."""
    return WindowShare(GaugeReading("anthropic", "", window, 9_000, NOW, source), moved)


def a_standing(
    scope: Scope,
    cap: str,
    spent: str,
    *,
    figures: bool = True,
    subject: str = "acme/web",
    why: str = "",
    unplaced: str = "0",
) -> Standing:
    """A budget beside the tab's own; with `figures=False` as facts give it where only its state may be shown."""
    found = standing(a_budget(scope, cap, amount(spent), why=why, unplaced=amount(unplaced)), (75, 90), subject)
    return Standing(scope, found.outcome, subject, found.until, found if figures else None)


REPOSITORY = a_standing(Scope.REPOSITORY, "10000", "812.55")
ALICE = a_standing(Scope.ENGINEER, "1000", "310", figures=False, subject="alice")
ORGANIZATION = a_standing(Scope.ORGANIZATION, "50000", "9000", figures=False, subject="")


def a_tab(
    *,
    sessions: Sequence[ShownSession] = (),
    policy: Policy | None = None,
    budget: Budget | None = None,
    standings: Sequence[Standing] = (REPOSITORY,),
    edit_problems: int | None = None,
    public: bool = False,
    **more: Any,
) -> TabFacts:
    """Facts as `app.jobs.tab_facts` gathers them; the budget's spend is that of the sessions unless one is given."""
    policy = policy or Policy(approvers=("carol", "team:platform"))
    spent = sum((s.session.spent for s in sessions), Amount())
    unknown = sum(s.session.unknown_usages for s in sessions)
    budget = budget or a_budget(spent=spent, unknown_usages=unknown)
    verdict = how_stands([budget], policy, subject=BRANCH, edit_problems=edit_problems)
    conclusion = conclusion_of(verdict, policy.check)
    facts = TabFacts(
        organization=Organization(1, 101, "acme", 11),
        repository=Repository(1, 1001, "acme/web", private=not public),
        pull_request=PullRequest(
            id=1, repository_id=1, number=7, tab_id=1, head_sha="5f3c1d9e" * 5, head_branch=BRANCH, base_branch="main",
            author_id=1, title="Fix the login", state="open", draft=False, updated_at=NOW,
        ),
        tab=Tab(1, 1, BRANCH, 1),
        policy=InForce(policy, commit="0a1b2c3d4e5f60718293"),
        verdict=verdict,
        conclusion=conclusion,
        own_conclusion=conclusion,
        budgets=(budget,),
        now=NOW,
        standings=tuple(standings),
        sessions=tuple(sessions),
        session_count=len(sessions),
        unpriced=unknown,
        notional=sum(s.session.notional for s in sessions),
        unattributed=sum(not s.login for s in sessions),
        links=Links(
            pull_request="https://github.com/acme/web/pull/7",
            policy="https://github.com/acme/web/blob/main/.github/tabstop.yml",
        ),
    )  # fmt: skip
    return replace(facts, **more)
