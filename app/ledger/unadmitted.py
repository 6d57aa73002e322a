"""Take in a session that ran without being asked for: the server was away, or nobody asked. Its usage still counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from app.ledger.admit import Start, earlier_answer
from app.ledger.books import AuditRow, Books, Job, Place, SessionRow, StartAttempt
from app.ledger.touched import Where, touched_budgets
from tabstop.session import lease_until
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.window import chargeable_at
from tabstop.wire import StartAnswer
from tabstop.wire_json import to_json

TOLD_LATE = Verdict(
    (
        Finding(
            Signal.ACCESS,
            Outcome.WARN,
            "unadmitted",
            sentence="This session ran without being asked for. Its usage is counted, and nothing was held for it.",
        ),
    )
)


def take_in(
    books: Books, start: Start, since: datetime, now: datetime, answer_of: Callable[[SessionRow], StartAnswer]
) -> StartAttempt:
    """Open a session after the fact, once per idempotency key: no decision, no hold, an audit row.

    since: when it began; usage counts in the windows in which it happened. Raises `TokenReusedError`.
    """
    before = earlier_answer(books, start)
    if before:
        return before
    at = chargeable_at(since, now)
    tab = books.open_tab(start.repository_id, start.branch, now) if start.branch else None
    tab_id = tab.id if tab else None
    where = Where(books.organization_id, start.repository_id, tab_id, start.engineer_id, start.person, start.login)
    budgets = books.budgets(touched_budgets(where, start.policy, books.timezone, at), now)
    place = Place(
        tab_id=tab_id,
        repository_id=start.repository_id,
        engineer_id=start.engineer_id,
        counts_notional=start.policy.subscription_counts,
        reason=start.place_reason,
        confidence=start.place_confidence,
        budget_ids=tuple(budget.id for budget in budgets),
    )
    session = SessionRow(
        id=start.session_id,
        repository_id=start.repository_id,
        engineer_id=start.engineer_id,
        tab_id=tab_id,
        place_id=books.place_id(place),
        agent=start.agent,
        admitted_at=at,
        lease_until=lease_until(now, start.policy.session.wall_clock_seconds),
        unadmitted=True,
        enforcement="none",
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
    books.add_session(session)
    attempt = StartAttempt(start.key, start.token_id, to_json(answer_of(session)), 201, now, session.id)
    books.add_attempt(attempt)
    body = {"repository": start.repository_id, "tab": tab_id, "agent": start.agent, "since": at.isoformat()}
    books.audit(AuditRow("start.unadmitted", now, session.id, body, start.engineer_id))
    if tab_id is not None:
        books.enqueue(Job("refresh_tab", str(tab_id), {"tab": tab_id}))
    return attempt
