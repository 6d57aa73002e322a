"""What sessions told of their governors, and raises of their limits, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.ledger.books import SessionOverdrive
from app.store.memory_tables import EventKey, MemoryPart
from tabstop.wire import SessionEvent


class MemoryGoverned(MemoryPart):
    """The part of `app.ledger.books.Books` about what happens to running sessions."""

    def events_of(self, session_id: str) -> list[SessionEvent]:
        """See `Books`."""
        return [event for key, event in sorted(self._t.events.items(), key=lambda it: it[0]) if key[0] == session_id]

    def add_event(self, session_id: str, event: SessionEvent) -> None:
        """See `Books`."""
        key: EventKey = (session_id, event.occurred_at, event.kind.value, event.signal or "", event.scope)
        if key in self._t.events:
            raise ValueError(f"{session_id} told of this event already")
        self._put(self._t.events, key, event)

    def add_session_overdrive(self, overdrive: SessionOverdrive) -> None:
        """See `Books`."""
        if any(one.key == overdrive.key for one in self.session_overdrives(overdrive.session_id)):
            raise ValueError(f"{overdrive.key!r} was asked for already")
        self._put(self._t.session_overdrives, (overdrive.session_id, overdrive.id), overdrive)

    def session_overdrives(self, session_id: str) -> list[SessionOverdrive]:
        """See `Books`."""
        found = sorted(self._t.session_overdrives.items(), key=lambda it: it[0])
        return [overdrive for (whose, _), overdrive in found if whose == session_id]

    def end_session_overdrive(self, session_id: str, overdrive_id: int, now: datetime) -> None:
        """See `Books`."""
        stored = self._t.session_overdrives[session_id, overdrive_id]
        self._put(self._t.session_overdrives, (session_id, overdrive_id), replace(stored, ended_at=now))
