"""Admit a session: load its budgets, let `tabstop.admission` decide, set the hold aside, leave an audit row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.ledger.books import AuditRow, Books, Job, Place, SessionRow, StartAttempt, Tab
from app.ledger.breakers import take_probe
from app.ledger.gauges import readings_of
from app.ledger.steps import latch_steps, reached_steps
from app.ledger.touched import Where, touched_budgets
from tabstop import breaker_words
from tabstop.admission import Admission, StartFacts, may_start
from tabstop.attribution import Confidence
from tabstop.breaker_memory import RememberedBreaker
from tabstop.budget import Budget, Scope
from tabstop.gauge import GaugeReading, vendor_of
from tabstop.gauge_gate import concerns
from tabstop.policy.model import OnEmpty, Policy
from tabstop.session import Limits, lease_until
from tabstop.usage import Billing
from tabstop.verdict import Finding, Signal
from tabstop.wire import Allowance, StartAnswer
from tabstop.wire_json import to_json


@dataclass(frozen=True, slots=True)
class Start:
    """A start whose asker is known and whose claims are verified.

    key, token_id: the idempotency key and the token it came with. repository_id: `NO_REPOSITORY` where none is named.
    branch: empty where the work has no tab (the default branch). engineer_id: None only for a caller without any identity.
    person: whose budget it draws on, the engineer's or the repository's for guests. engineer_by: how the engineer is known,
    where the run names a bot or another account; names nobody.
    """

    key: str
    token_id: str
    session_id: str
    repository_id: int
    branch: str
    engineer_id: int | None
    person: Scope | None
    policy: Policy
    policy_commit: str
    agent: str
    place_reason: str = ""
    place_confidence: Confidence = Confidence.CLAIMED
    login: str = ""
    model: str = ""
    purpose: str = ""
    billing: Billing = Billing.UNKNOWN
    billing_evidence: str = ""
    head_sha: str = ""
    pull_request: int | None = None
    run_id: str = ""
    run_attempt: str = ""
    job_id: str = ""
    repository_name: str = ""
    others: tuple[Finding, ...] = ()
    engineer_by: str = ""

    @property
    def who(self) -> dict[str, str]:
        """What the audit log says of how its engineer is known; nothing where the run or the token says it."""
        return {"engineer_by": self.engineer_by} if self.engineer_by else {}


class TokenReusedError(Exception):
    """A token that already asked for one session asks for another."""


def admit(
    books: Books,
    start: Start,
    now: datetime,
    answer_of: Callable[[Admission, SessionRow | None], StartAnswer],
) -> StartAttempt:
    """Admit or refuse, once per idempotency key: the same key gives the same answer, whatever has changed since.

    `answer_of` turns the decision into what the asker is told (it signs the session's token). Raises `TokenReusedError`.
    """
    before = earlier_answer(books, start)
    if before:
        return before

    tab = books.open_tab(start.repository_id, start.branch, now) if start.branch else None
    facts = _facts(books, start, tab, now)
    admission = may_start(facts)
    for budget in facts.budgets:  # a cap that came down is met here first
        latch_steps(books, budget, reached_steps(budget, start.policy.steps), now)

    session = _set_aside(books, start, tab, admission, now) if admission.admitted else None
    answer = answer_of(admission, session)
    attempt = StartAttempt(
        start.key, start.token_id, to_json(answer), 201 if session else 403, now, session.id if session else ""
    )
    books.add_attempt(attempt)
    books.audit(_audit_row(start, tab, admission, session, now))
    _tell(books, start, tab, admission, attempt)
    return attempt


def earlier_answer(books: Books, start: Start) -> StartAttempt | None:
    """What was answered to this key before. Raises `TokenReusedError` when its token asked under another key."""
    before = books.attempt(start.key, start.token_id)
    if before and before.key != start.key:
        raise TokenReusedError(start.token_id)
    return before


def ask(books: Books, start: Start, now: datetime) -> Admission:
    """The decision alone. Use it in a view whose writes are not kept: asking may open a tab or a budget."""
    tab = books.open_tab(start.repository_id, start.branch, now) if start.branch else None
    return may_start(_facts(books, start, tab, now))


def allowance(admission: Admission, start: Start, price_card: dict[str, object]) -> Allowance:
    """What the session may use, in the wire's words."""
    limits = admission.limits
    return Allowance(
        limits=Limits(limits.tokens, limits.tool_calls, limits.iterations, limits.wall_clock_seconds, limits.cost),
        hold=admission.hold.nano,
        models=admission.models,
        price_card=price_card,
        policy_commit=start.policy_commit,
        governor=start.policy.rules,
    )


def _facts(books: Books, start: Start, tab: Tab | None, now: datetime) -> StartFacts:
    where = where_of(books, start, tab)
    wanted = touched_budgets(where, start.policy, books.timezone, now)
    offers_downgrade = start.policy.on_empty is OnEmpty.DOWNGRADE and start.person is Scope.ENGINEER
    offers_downgrade = offers_downgrade and start.engineer_id is not None
    if offers_downgrade:
        cheaper = touched_budgets(replace(where, person=Scope.DOWNGRADE), start.policy, books.timezone, now)
        wanted += [(key, cap) for key, cap in cheaper if key.scope is Scope.DOWNGRADE]
    budgets = books.budgets(wanted, now)
    downgrade = budgets.pop() if offers_downgrade else None
    needed, breaker = books.learned(start.repository_id, start.agent)
    vendor = vendor_of(start.agent, start.model)
    return StartFacts(
        now=now,
        policy=start.policy,
        budgets=tuple(budgets),
        billing=start.billing,
        purpose=start.purpose,
        model=start.model,
        downgrade=downgrade,
        needed=needed,
        gauges=_gauges(books, start, vendor),
        vendor=vendor,
        subjects={
            Scope.TAB: start.branch,
            Scope.ENGINEER: start.login,
            Scope.DOWNGRADE: start.login,
            Scope.GUEST: start.repository_name,
            Scope.REPOSITORY: start.repository_name,
        },
        others=(*start.others, *_breaker(breaker, start, now)),
    )


def _gauges(books: Books, start: Start, vendor: str) -> tuple[GaugeReading, ...]:
    """Looked up only where they can matter: most starts are billed per token, and pay no statement for this."""
    if start.engineer_id is None or not concerns(start.billing, vendor, start.policy.windows):
        return ()
    return readings_of(books, start.engineer_id)


def _breaker(breaker: RememberedBreaker, start: Start, now: datetime) -> tuple[Finding, ...]:
    """What the start meets of a breaker that tripped in an earlier session of its repository and agent."""
    if not start.policy.breaker.remember:
        return ()
    return breaker_words.at_start(
        breaker,
        agent=start.agent,
        repository=start.repository_name,
        approvers=start.policy.approvers,
        now=now,
    )


def where_of(books: Books, start: Start, tab: Tab | None) -> Where:
    """Where a start's work happens, before its windows are known."""
    tab_id = tab.id if tab else None
    repository_id = start.repository_id or None
    return Where(books.organization_id, repository_id, tab_id, start.engineer_id, start.person, start.login)


def session_of(
    books: Books, start: Start, tab: Tab | None, budgets: Sequence[Budget], admitted_at: datetime, lease: datetime
) -> SessionRow:
    """A start's session in the place that these budgets make; not stored, and with nothing held."""
    place = Place(
        tab_id=tab.id if tab else None,
        repository_id=start.repository_id or None,
        engineer_id=start.engineer_id,
        counts_notional=start.policy.subscription_counts,
        reason=start.place_reason,
        confidence=start.place_confidence.value,
        budget_ids=tuple(budget.id for budget in budgets),
    )
    return SessionRow(
        id=start.session_id,
        repository_id=start.repository_id,
        engineer_id=start.engineer_id,
        tab_id=place.tab_id,
        place_id=books.place_id(place),
        agent=start.agent,
        admitted_at=admitted_at,
        lease_until=lease,
        model=start.model,
        purpose=start.purpose,
        billing=start.billing,
        billing_evidence=start.billing_evidence,
        run_id=start.run_id,
        run_attempt=start.run_attempt,
        job_id=start.job_id,
        head_sha=start.head_sha,
        pull_request=start.pull_request,
        policy_commit=start.policy_commit,
    )


def _set_aside(books: Books, start: Start, tab: Tab | None, admission: Admission, now: datetime) -> SessionRow:
    limits = admission.limits
    lease = lease_until(now, limits.wall_clock_seconds)
    session = replace(
        session_of(books, start, tab, admission.budgets, now, lease),
        held=admission.hold,
        wanted=admission.hold,
        limits=to_json(limits),
    )
    books.hold(admission.budgets, admission.hold)
    books.add_session(session)
    if any(finding.signal is Signal.BREAKER for finding in admission.verdict.findings):
        take_probe(books, session, now)
    return session


def _audit_row(
    start: Start, tab: Tab | None, admission: Admission, session: SessionRow | None, now: datetime
) -> AuditRow:
    return AuditRow(
        kind="start.admitted" if session else "start.refused",
        at=now,
        subject=session.id if session else start.key,
        engineer_id=start.engineer_id,
        body={
            "repository": start.repository_id,
            "tab": tab.id if tab else None,
            "agent": start.agent,
            "purpose": start.purpose,
            "run": start.run_id,
            **start.who,
            "policy_commit": start.policy_commit,
            "hold": {"nano": admission.hold.nano, "tokens": admission.hold.tokens},
            "models": list(admission.models),
            "unlimited": _unlimited(admission) if session else [],
            "findings": [_without_people(finding) for finding in admission.verdict.findings],
        },
    )


def _unlimited(admission: Admission) -> list[str]:
    """The limits this session has none of: the policy writes each out, and no budget's room takes its place."""
    limits: dict[str, int | None] = to_json(admission.limits)
    return [name for name, limit in limits.items() if limit is None]


def _without_people(finding: Finding) -> dict[str, object]:
    """A finding for the audit log, whose rows stay: subjects may be logins, remedies name approvers; both are erasable."""
    body: dict[str, object] = to_json(replace(finding, remedy=""))
    if finding.scope in {Scope.ENGINEER, Scope.DOWNGRADE} or finding.signal is Signal.GAUGE:
        body["subject"] = ""
    return body


def _tell(books: Books, start: Start, tab: Tab | None, admission: Admission, attempt: StartAttempt) -> None:
    if tab:
        books.enqueue(Job("refresh_tab", str(tab.id), {"tab": tab.id}))
    if not admission.admitted:
        books.enqueue(
            Job(
                "notice",
                f"refused:{start.key}",
                {
                    "notice": "refused",
                    "repository": start.repository_id,
                    "tab": tab.id if tab else None,
                    "engineer": start.engineer_id,
                    "agent": start.agent,
                    "pull_request": start.pull_request,
                    "run": start.run_id,
                    "findings": attempt.answer["verdict"]["findings"],
                },
            )
        )
