"""Session events: what a session's governor noticed and did is kept, what matters is audited, and people are told once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from app.ledger.books import AuditRow, Books, Job, SessionRow
from app.ledger.session_overdrives import about
from tabstop.governor.orders import EventKind
from tabstop.verdict import Signal
from tabstop.window import chargeable_at
from tabstop.wire import SessionEvent
from tabstop.wire_json import to_json

MOST_EVENTS = 200
"""Of one session; more are dropped. A governor tells each alert and each step once, so more are a mistake."""

MOST_NOTICES = 12
"""Of one session: whoever holds its token cannot flood a channel."""

_AUDITED = {
    EventKind.DEGRADE: "session.degraded",
    EventKind.ASK: "session.asked",
    EventKind.SUSPEND: "session.suspended",
    EventKind.STOP: "session.stopped",
    EventKind.RAISE: "session.raised",
    EventKind.RELEASE: "session.released",
}
"""A limit approached, reached or lifted, and every stop. Trips have rows of their own."""

_ALERTS = frozenset({Signal.RUNAWAY, Signal.SILENCE})
_LIFTS = frozenset({EventKind.RAISE, EventKind.RELEASE})
_TOLD_AS_TRIP = frozenset({Signal.BREAKER, Signal.RUNAWAY})

EventIdentity = tuple[datetime, EventKind, Signal | None, str]
Subject = tuple[EventKind, Signal | None, str, int]
"""Kind, signal, scope, and how often the session had been let go on before: a stop after a raise is another stop."""


def take_events(books: Books, session: SessionRow, told: Iterable[SessionEvent], now: datetime) -> None:
    """Keep what is new of these, however often it is told."""
    new = sorted(set(told), key=lambda event: (event.occurred_at, event.kind, event.scope))
    if not new:
        return
    stored = books.events_of(session.id)
    known = {_identity(event) for event in stored}
    lifted = {event.occurred_at for event in (*stored, *new) if event.kind in _LIFTS}
    people_know = {subject for event in stored if (subject := _worth_telling(event, lifted))}
    for event in new:
        if _identity(event) in known or len(known) >= MOST_EVENTS:
            continue
        known.add(_identity(event))
        books.add_event(session.id, event)
        # The time is a claim: never in the future, and nothing happens in a session before it was admitted.
        at = min(max(chargeable_at(event.occurred_at, now), session.admitted_at), now)
        if event.kind in _AUDITED:
            body = {"repository": session.repository_id, "agent": session.agent, "event": to_json(event)}
            books.audit(AuditRow(_AUDITED[event.kind], at, session.id, body, session.engineer_id))
        subject = _worth_telling(event, lifted)
        if subject is not None and subject not in people_know and len(people_know) < MOST_NOTICES:
            people_know.add(subject)
            notice = {"notice": "session", "id": books.new_id(), **about(session), "event": to_json(event)}
            name = f"session:{session.id}:{':'.join(str(part or '') for part in subject)}"
            books.enqueue(Job("notice", name, {**notice, "at": to_json(at)}))


def _identity(event: SessionEvent) -> EventIdentity:
    return event.occurred_at, event.kind, event.signal, event.scope


def _worth_telling(event: SessionEvent, lifted: Iterable[datetime]) -> Subject | None:
    """What people are told of, once; None for what only the log has. A trip is told by its breaker.

    lifted: when the session was let go on. An alert is told once a session all the same.
    """
    times = sum(at <= event.occurred_at for at in lifted)
    match event.kind:
        case EventKind.ALERT:
            tells, times = event.signal in _ALERTS and event.scope != "server", 0
        case EventKind.ASK:
            tells = True
        case EventKind.SUSPEND | EventKind.STOP:
            tells = event.signal not in _TOLD_AS_TRIP
        case _:
            tells = False
    return (event.kind, event.signal, event.scope, times) if tells else None
