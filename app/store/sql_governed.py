"""What sessions told of their governors, and raises of their limits, in a database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from app.ledger.books import SessionOverdrive
from app.store.columns import from_micros, to_micros
from app.store.sql_part import SqlPart
from app.store.tables import SESSION_EVENT, SESSION_OVERDRIVE
from tabstop.governor.orders import EventKind
from tabstop.session import Limits
from tabstop.verdict import Signal
from tabstop.wire import SessionEvent
from tabstop.wire_json import from_json, to_json

_E, _O = SESSION_EVENT.c, SESSION_OVERDRIVE.c

_EVENTS = (
    select(SESSION_EVENT)
    .where(_E.organization_id == bindparam("org"), _E.session_id == bindparam("session"))
    .order_by(_E.occurred_at, _E.kind, _E.signal, _E.scope)
)
_ADD_EVENT = insert(SESSION_EVENT).values(organization_id=bindparam("org"))
_RAISES = (
    select(SESSION_OVERDRIVE)
    .where(_O.organization_id == bindparam("org"), _O.session_id == bindparam("session"))
    .order_by(_O.id)
)
_ADD_RAISE = insert(SESSION_OVERDRIVE).values(organization_id=bindparam("org"))
_END_RAISE = (
    update(SESSION_OVERDRIVE)
    .where(
        _O.organization_id == bindparam("org"), _O.session_id == bindparam("session"), _O.id == bindparam("overdrive")
    )
    .values(ended_at=bindparam("at", type_=_O.ended_at.type))
)


class SqlGoverned(SqlPart):
    """The part of `app.ledger.books.Books` about what happens to running sessions."""

    def events_of(self, session_id: str) -> list[SessionEvent]:
        """See `Books`."""
        return [
            SessionEvent(
                EventKind(row.kind),
                from_micros(row.occurred_at),
                Signal(row.signal) if row.signal else None,
                row.scope,
                row.subject,
                row.unit,
                row.value,
                row.threshold,
                row.asked,
            )
            for row in self._rows(_EVENTS, session=session_id)
        ]

    def add_event(self, session_id: str, event: SessionEvent) -> None:
        """See `Books`."""
        self._write(
            _ADD_EVENT,
            {
                "session_id": session_id,
                "occurred_at": to_micros(event.occurred_at),
                "kind": event.kind.value,
                "signal": event.signal.value if event.signal else "",
                "scope": event.scope,
                "subject": event.subject,
                "unit": event.unit,
                "value": event.value,
                "threshold": event.threshold,
                "asked": event.asked,
            },
        )

    def add_session_overdrive(self, overdrive: SessionOverdrive) -> None:
        """See `Books`."""
        self._write(
            _ADD_RAISE,
            {
                "session_id": overdrive.session_id,
                "id": overdrive.id,
                "key": overdrive.key,
                "by_how_much": to_json(overdrive.by_how_much),
                "granted_at": overdrive.granted_at,
                "expires_at": overdrive.expires_at,
                "ended_at": overdrive.ended_at,
                "approver": overdrive.approver,
                "why": overdrive.why,
            },
        )

    def session_overdrives(self, session_id: str) -> list[SessionOverdrive]:
        """See `Books`."""
        return [
            SessionOverdrive(
                row.id,
                row.session_id,
                row.key,
                from_json(Limits, row.by_how_much),
                row.granted_at,
                row.expires_at,
                row.approver,
                row.why,
                row.ended_at,
            )
            for row in self._rows(_RAISES, session=session_id)
        ]

    def end_session_overdrive(self, session_id: str, overdrive_id: int, now: datetime) -> None:
        """See `Books`."""
        self._write(_END_RAISE, {"session": session_id, "overdrive": overdrive_id, "at": now})
