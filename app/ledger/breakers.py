"""Remembered breakers: sessions tell of trips, starts meet them, probes close them, people clear them; each leaves a row."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from app.ledger.books import AuditRow, Books, Job, SessionRow
from app.ledger.rows import NO_REPOSITORY
from tabstop.breaker_memory import BreakerState, RememberedBreaker, Trip
from tabstop.governor.orders import EventKind
from tabstop.governor.settings import Breaker
from tabstop.session import SessionOutcome
from tabstop.window import chargeable_at
from tabstop.wire import BreakerTrip
from tabstop.wire_json import to_json

MOST_TRIPS = 20
"""Of one session. A trip ends its session, so more are a mistake; they are dropped, so that nobody floods log and channel."""


def take_trips(books: Books, session: SessionRow, told: Iterable[BreakerTrip], policy: Breaker, now: datetime) -> None:
    """Open the breaker of the session's repository and agent, once for each trip however often it is told of."""
    new = sorted(set(told), key=lambda trip: (trip.occurred_at, trip.metric))
    if not new:
        return
    known = {(trip.metric, trip.occurred_at) for trip in books.trips_of(session.id)}
    for trip in new:
        key = (trip.metric, trip.occurred_at)
        if key not in known and len(known) < MOST_TRIPS:
            books.add_trip(session.id, trip)
            _open(books, session, trip, policy, now, tell=all(trip.metric is not metric for metric, _ in known))
            known.add(key)


def take_probe(books: Books, session: SessionRow, now: datetime) -> None:
    """An admitted session that has met its breaker takes the probe's place: half-open, or open and released by a person."""
    _, breaker = books.learned(session.repository_id, session.agent)
    state = breaker.stands_at(now)
    if state is not BreakerState.CLOSED:
        books.keep_breaker(session.repository_id, session.agent, breaker.probed_by(session.id))
        body = {"session": session.id, "released": state is BreakerState.OPEN}
        _audit(books, "breaker.probe_admitted", session, now, body)


def released(books: Books, session: SessionRow, breaker: RememberedBreaker) -> bool:
    """Whether it was this session's trip that opened the breaker, and its governor has let it go on since.

    Whoever releases a session answers for that session, not for the repository: others stay refused until it ends well.
    """
    own = breaker.trip is not None and breaker.trip.session == session.id
    return own and not _tripped_since_release(books, session)


def end_probe(books: Books, session: SessionRow, now: datetime) -> None:
    """A session has ended: if it was the probe, its good end closes the breaker, and any other frees the place."""
    _, breaker = books.learned(session.repository_id, session.agent)
    if breaker.probe != session.id:
        return
    well = session.outcome is SessionOutcome.FINISHED and not _tripped_since_release(books, session)
    books.keep_breaker(session.repository_id, session.agent, breaker.probe_ended(well=well, now=now))
    kind = "breaker.closed" if well else "breaker.probe_ended"
    outcome = session.outcome.value if session.outcome else ""
    _audit(books, kind, session, now, {"session": session.id, "outcome": outcome})
    if well and breaker.trip:
        _refresh(books, books.session(breaker.trip.session))


def clear(
    books: Books, repository_id: int, agent: str, *, why: str, now: datetime, engineer_id: int | None = None
) -> RememberedBreaker | None:
    """Close a breaker by hand; answers what it was, or None when it is closed already."""
    _, breaker = books.learned(repository_id, agent)
    if breaker.trip is None:
        return None
    books.keep_breaker(repository_id, agent, breaker.closed(now))
    body = {"repository": repository_id, "agent": agent, "trip": to_json(breaker.trip), "why": why}
    books.audit(AuditRow("breaker.cleared", now, _subject(repository_id, agent), body, engineer_id))
    _refresh(books, books.session(breaker.trip.session))
    return breaker


def _tripped_since_release(books: Books, session: SessionRow) -> bool:
    """Both times are the session's own word, by the same clock. Never released: whether it ever tripped."""
    let_go = [event.occurred_at for event in books.events_of(session.id) if event.kind is EventKind.RELEASE]
    return any(not let_go or trip.occurred_at > max(let_go) for trip in books.trips_of(session.id))


def _open(books: Books, session: SessionRow, told: BreakerTrip, policy: Breaker, now: datetime, *, tell: bool) -> None:
    # The time is a claim: never in the future, and no session trips before it was admitted, whatever its clock says.
    at = min(max(chargeable_at(told.occurred_at, now), session.admitted_at), now)
    trip = Trip(session.id, told.metric, told.subject, told.value, told.threshold, at)
    _, before = books.learned(session.repository_id, session.agent)
    # A breaker is a repository's: engineers' own work elsewhere has nothing in common.
    remembered = policy.remember and session.repository_id != NO_REPOSITORY
    after = before.tripped(trip, timedelta(seconds=policy.cooldown)) if remembered else before
    opened = after != before
    if opened:
        books.keep_breaker(session.repository_id, session.agent, after)
    again = opened and before.stands_at(now) is BreakerState.HALF_OPEN
    until = to_json(after.open_until) if opened else None
    kind = "breaker.reopened" if again else "breaker.tripped"
    _audit(books, kind, session, now, {"trip": to_json(trip), "open_until": until})
    _refresh(books, session)
    if tell:
        notice = {
            "notice": "tripped",
            "id": books.new_id(),
            "repository": session.repository_id,
            "tab": session.tab_id,
            "engineer": session.engineer_id,
            "agent": session.agent,
            "pull_request": session.pull_request,
            "run": session.run_id,
            "trip": to_json(trip),
            "open_until": until,
            "again": again,
        }
        books.enqueue(Job("notice", f"tripped:{session.id}:{told.metric.value}", notice))


def _audit(books: Books, kind: str, session: SessionRow, now: datetime, more: dict[str, Any]) -> None:
    body = {"repository": session.repository_id, "agent": session.agent, **more}
    books.audit(AuditRow(kind, now, _subject(session.repository_id, session.agent), body, session.engineer_id))


def _subject(repository_id: int, agent: str) -> str:
    return f"{repository_id}/{agent}"


def _refresh(books: Books, session: SessionRow | None) -> None:
    """The check of the tab whose session tripped it says so; others say it when they are shown next."""
    if session and session.tab_id is not None:
        books.enqueue(Job("refresh_tab", str(session.tab_id), {"tab": session.tab_id}))
