"""Gather: the facts of one pull request and its tab, read in one view of the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from app.jobs.tab_facts import (
    POLICY_PATH,
    SHOWN_SESSIONS,
    Links,
    PolicyEdit,
    ShownSession,
    Standing,
    TabFacts,
)
from app.ledger.books import Cause, SessionRow, Tab
from app.registry import InForce, PullRequest, Repository, Transaction
from tabstop.breaker_memory import RememberedBreaker
from tabstop.budget import Amount, Budget, BudgetKey, Scope, standing
from tabstop.conclusion import conclusion_of
from tabstop.gauge_estimate import allowances, as_readings, used_by
from tabstop.governor.settings import Windows
from tabstop.policy.model import Cap, Policy
from tabstop.standing import how_stands
from tabstop.visibility import Reader, Surface, for_reader
from tabstop.window import window_at
from tabstop.window_share import WindowShare, of_session, with_estimates


@dataclass(frozen=True, slots=True)
class Outside:
    """What the database does not know: the time, GitHub's address, and what the pull request makes of the policy."""

    now: datetime
    github_url: str
    edit: PolicyEdit | None = None


def gather(db: Transaction, repository: Repository, pull_request: PullRequest, tab: Tab, outside: Outside) -> TabFacts:
    """The facts of one pull request by itself; `refresh_tab` adds who shares its commit."""
    in_force = db.policy_in_force(repository.id)
    policy = in_force.policy
    budget = tab_budget(db, tab, policy, outside.now)
    sessions, count = db.sessions_of_tab(tab.id, SHOWN_SESSIONS), db.count_sessions_of_tab(tab.id)
    everything = sessions if count <= SHOWN_SESSIONS else db.sessions_of_tab(tab.id, count)
    problems = len(outside.edit.problems) if outside.edit else None
    verdict = how_stands([budget], policy, subject=tab.branch, edit_problems=problems)
    conclusion = conclusion_of(verdict, policy.check)
    return TabFacts(
        organization=db.organization(),
        repository=repository,
        pull_request=pull_request,
        tab=tab,
        policy=in_force,
        verdict=verdict,
        conclusion=conclusion,
        own_conclusion=conclusion,
        budgets=(budget,),
        now=outside.now,
        standings=tuple(_standings(db, repository, pull_request, sessions, policy, outside.now)),
        sessions=tuple(_shown(db, sessions)),
        session_count=count,
        unpriced=budget.unknown_usages,
        overrun_causes=_causes(db, budget),
        notional=budget.notional,
        unattributed=sum(session.engineer_id is None for session in everything),
        window_shares=tuple(_window_shares(db, tab, everything, policy.windows, outside.now)),
        policy_edit=outside.edit,
        links=links(db, repository, pull_request, in_force, outside.github_url),
        breakers=_breakers(db, repository, policy),
    )


def _window_shares(
    db: Transaction, tab: Tab, sessions: Iterable[SessionRow], windows: Windows, now: datetime
) -> Iterator[tuple[int | None, WindowShare]]:
    """What its sessions told of; where the policy says what a plan allows, an estimate of what they did not."""
    engineers = {session.id: session.engineer_id for session in sessions}
    told = {
        whose: [share for _, share in few] for whose, few in groupby(db.window_shares(list(engineers)), itemgetter(0))
    }
    allowed = allowances(windows)
    tokens = db.plan_tokens_on(tab.id, list(engineers)) if allowed else {}
    for session_id, engineer_id in engineers.items():
        guesses = [
            WindowShare(reading, reading.used)
            for vendor, allowance in allowed.items()
            if (session_id, vendor) in tokens
            for reading in as_readings(used_by(tokens[session_id, vendor], allowance), vendor, now)
        ]
        for share in with_estimates(of_session(told.get(session_id, ())), guesses):
            yield engineer_id, share


def _breakers(db: Transaction, repository: Repository, policy: Policy) -> tuple[tuple[str, RememberedBreaker], ...]:
    if not policy.breaker.remember:
        return ()
    return tuple((agent, found) for (_, agent), found in db.breakers(repository.id).items() if found.trip is not None)


def _causes(db: Transaction, budget: Budget) -> tuple[tuple[Cause, Amount], ...]:
    """What took spend past the cap, largest first; what was taken back since is left out."""
    if budget.overrun == Amount():
        return ()
    causes = [
        (cause, amount) for cause, amount in db.causes_of(budget.id).items() if amount.nano > 0 or amount.tokens > 0
    ]
    return tuple(sorted(causes, key=lambda one: (-one[1].nano, -one[1].tokens)))


def tab_budget(db: Transaction, tab: Tab, policy: Policy, now: datetime) -> Budget:
    """The tab's own budget in the window of now, with the cap in force now; an empty one before its first session."""
    window = window_at(policy.tab.window, db.timezone, now)
    found = next((b for b in db.budgets_of_tab(tab.id, now) if b.key.window == window), None)
    return _capped(found or Budget(0, BudgetKey(Scope.TAB, tab.id, window)), policy.tab)


def links(
    db: Transaction, repository: Repository, pull_request: PullRequest, in_force: InForce, github_url: str
) -> Links:
    """Pages on GitHub: the pull request, and the repository's policy or the form that creates one."""
    home = f"{github_url.rstrip('/')}/{repository.full_name}"
    file = db.policy_file(repository.id)
    there = file is not None and file.state != "absent"
    policy = (
        f"{home}/blob/{repository.default_branch}/{POLICY_PATH}"
        if there
        else f"{home}/new/{repository.default_branch}?filename={POLICY_PATH}"
    )
    if not there and in_force.commit:
        owner = repository.full_name.partition("/")[0]
        policy = f"{github_url.rstrip('/')}/{owner}/.github/blob/HEAD/{POLICY_PATH}"
    return Links(pull_request=f"{home}/pull/{pull_request.number}", policy=policy)


def _standings(
    db: Transaction,
    repository: Repository,
    pull_request: PullRequest,
    sessions: Iterable[SessionRow],
    policy: Policy,
    now: datetime,
) -> Iterator[Standing]:
    """Budgets beside the tab's own that somebody has touched, worst first, as this surface may show them."""
    reader = Reader(Surface.PULL_REQUEST, public=not repository.private)
    people = {s.engineer_id for s in sessions} | {pull_request.author_id}
    asked: list[tuple[Scope, int, str, Cap]] = []
    for engineer_id in sorted(i for i in people if i is not None):
        engineer = db.engineer(engineer_id)
        login = engineer.login if engineer else ""
        asked.append((Scope.ENGINEER, engineer_id, login, policy.engineer_cap(login)))
    asked.append((Scope.GUEST, repository.id, repository.full_name, policy.guest))
    asked.append((Scope.REPOSITORY, repository.id, repository.full_name, policy.repository))
    asked.append((Scope.ORGANIZATION, db.organization_id, "", policy.organization))
    found = []
    for scope, subject_id, subject, cap in asked:
        budget = db.budget_in_window(scope, subject_id, now)
        if budget is not None and not cap.unlimited:
            finding = for_reader(standing(_capped(budget, cap), policy.steps, subject), reader)
            with_figures = finding if finding.unit else None
            found.append(Standing(scope, finding.outcome, finding.subject, finding.until, with_figures))
    yield from sorted(found, key=lambda s: -s.outcome.rank)


def _shown(db: Transaction, sessions: Iterable[SessionRow]) -> Iterator[ShownSession]:
    logins: dict[int | None, str] = {None: ""}
    for session in sessions:
        if session.engineer_id not in logins:
            engineer = db.engineer(session.engineer_id) if session.engineer_id is not None else None
            logins[session.engineer_id] = engineer.login if engineer else ""
        yield ShownSession(session, logins[session.engineer_id])


def _capped(budget: Budget, cap: Cap) -> Budget:
    """The budget under the cap in force now; the stored one was in force when something last touched it."""
    return replace(budget, cap_nano=cap.nano, cap_tokens=cap.tokens, why=cap.why)
