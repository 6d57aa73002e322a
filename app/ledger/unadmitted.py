"""Take in a session that ran without being asked for: the server was away, or nobody asked. Its usage still counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from app.ledger.admit import Start, earlier_answer, session_of, where_of
from app.ledger.books import AuditRow, Books, Job, SessionRow, StartAttempt, Tab
from app.ledger.touched import touched_budgets
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
    books: Books,
    start: Start,
    since: datetime,
    now: datetime,
    answer_of: Callable[[SessionRow], StartAnswer],
    tab: Tab | None = None,
) -> StartAttempt:
    """Open a session after the fact, once per idempotency key: no decision, no hold, an audit row.

    since: when it began; usage counts in the windows in which it happened. tab: of its pull request, which may have been
    merged since; the branch's open tab where None. Raises `TokenReusedError`.
    """
    before = earlier_answer(books, start)
    if before:
        return before
    at = chargeable_at(since, now)
    if tab is None and start.branch:
        tab = books.open_tab(start.repository_id, start.branch, now)
    tab_id = tab.id if tab else None
    budgets = books.budgets(touched_budgets(where_of(books, start, tab), start.policy, books.timezone, at), now)
    lease = lease_until(now, start.policy.session.wall_clock_seconds)
    session = replace(session_of(books, start, tab, budgets, at, lease), unadmitted=True, enforcement="none")
    books.add_session(session)
    attempt = StartAttempt(start.key, start.token_id, to_json(answer_of(session)), 201, now, session.id)
    books.add_attempt(attempt)
    body = {"repository": start.repository_id, "tab": tab_id, "agent": start.agent, "since": at.isoformat()}
    books.audit(AuditRow("start.unadmitted", now, session.id, {**body, **start.who}, start.engineer_id))
    if tab_id is not None:
        books.enqueue(Job("refresh_tab", str(tab_id), {"tab": tab_id}))
    return attempt
