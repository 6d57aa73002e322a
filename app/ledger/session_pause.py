"""Pause of one session: an operator has it stand still, resumably, until an operator lets it go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.ledger.books import AuditRow, Books, SessionRow
from app.ledger.resume import show_again


def pause(books: Books, session: SessionRow, *, why: str, now: datetime) -> bool:
    """Have it suspended at its next report, and not resumed. False when it is paused already."""
    if session.paused_at is not None:
        return False
    _set(books, session, now, "session.paused", why, now)
    return True


def go_on(books: Books, session: SessionRow, *, why: str, now: datetime) -> bool:
    """End the pause: a session that runs hears of it at its next report. False when it is not paused."""
    if session.paused_at is None:
        return False
    _set(books, session, None, "session.pause_ended", why, now)
    return True


def _set(books: Books, session: SessionRow, paused_at: datetime | None, kind: str, why: str, now: datetime) -> None:
    books.change_session(replace(session, paused_at=paused_at))
    books.audit(AuditRow(kind, now, session.id, {"why": why}, session.engineer_id))
    show_again(books, session)
