"""Overdrives of one session: each raises its limits, for a time; audited, told, and taken back when it runs out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from app.ledger.books import AuditRow, Books, Job, SessionOverdrive, SessionRow
from app.ledger.resume import show_again
from tabstop.session import Limits
from tabstop.wire_json import to_json


def grant(books: Books, session: SessionRow, overdrive: SessionOverdrive, engineer_id: int | None = None) -> SessionRow:
    """Raise the session's limits from now on; `engineer_id` is the approver's. The same `key` must not have been granted."""
    raised = replace(session, limits=raised_by(session.limits, overdrive.by_how_much))
    books.add_session_overdrive(overdrive)
    books.change_session(raised)
    more = {name: amount for name, amount in to_json(overdrive.by_how_much).items() if amount}
    body = {
        "session": session.id,
        "by_how_much": more,
        "limits": dict(raised.limits),
        "expires_at": to_json(overdrive.expires_at),
        "why": overdrive.why,
    }
    books.audit(AuditRow("session.overdrive_granted", overdrive.granted_at, str(overdrive.id), body, engineer_id))
    again = {"session": session.id, "overdrive": overdrive.id}
    books.enqueue(Job("lapse_overdrive", str(overdrive.id), again, overdrive.expires_at))
    notice = {
        "notice": "raised",
        "id": overdrive.id,
        **about(session),
        "approver": engineer_id,
        "by_how_much": more,
        "limits": dict(raised.limits),
        "at": to_json(overdrive.granted_at),
        "expires_at": to_json(overdrive.expires_at),
    }
    books.enqueue(Job("notice", f"raised:{overdrive.id}", notice))
    show_again(books, session)
    return raised


def lapse(books: Books, session: SessionRow, overdrive: SessionOverdrive, now: datetime) -> None:
    """Take a raise back that has run out; what was spent of it stays. Again, it changes nothing."""
    if overdrive.ended_at is not None:
        return
    books.end_session_overdrive(session.id, overdrive.id, now)
    books.change_session(replace(session, limits=raised_by(session.limits, overdrive.by_how_much, -1)))
    books.audit(AuditRow("session.overdrive_ended", now, str(overdrive.id), {"session": session.id}))


def raised_by(limits: Mapping[str, int | None], more: Limits, times: int = 1) -> dict[str, int | None]:
    """The limits with this much more of each that binds, or less."""
    change: dict[str, int | None] = to_json(more)
    return {
        name: None if limit is None else max(0, limit + times * (change.get(name) or 0))
        for name, limit in limits.items()
    }


def about(session: SessionRow) -> dict[str, object]:
    """What a notice about a session is found by."""
    return {
        "session": session.id,
        "repository": session.repository_id,
        "tab": session.tab_id,
        "engineer": session.engineer_id,
        "agent": session.agent,
        "pull_request": session.pull_request,
        "run": session.run_id,
    }
