"""What sessions told of their governors, and raises of their limits, in every kind of store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from app.ledger.books import SessionOverdrive
from app.registry import Store
from app.store.sql_outbox import KEEP_EVENTS
from tabstop.governor.orders import EventKind
from tabstop.session import Limits
from tabstop.verdict import Signal
from tabstop.wire import SessionEvent
from tests.ledger.builders import NOW, a_start, an_organization, at, begun

STOP = SessionEvent(EventKind.STOP, NOW, Signal.LIMIT, "cost", "", "usd", 2**40, 5, 7)
RELEASE = SessionEvent(EventKind.RELEASE, at(1))
RAISE = SessionOverdrive(7, "s1", "key-1", Limits(cost=2**40, tokens=3), NOW, at(60), "carol", "nearly done")


def test_events_come_back_as_stored(store: Store) -> None:
    """Oldest first, of one session and organization."""
    other = an_organization(store, "other").id
    with store.open(an_organization(store).id) as books:
        for event in (RELEASE, STOP):
            books.add_event("s1", event)
        books.add_event("s2", STOP)
        assert books.events_of("s1") == [STOP, RELEASE]
    with store.look(other) as books:
        assert books.events_of("s1") == []


def test_an_event_is_kept_once(store: Store) -> None:
    """Time, kind, signal and scope are the event; another scope at the same time is another one."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        books.add_event("s1", STOP)
        books.add_event("s1", replace(STOP, scope="tokens"))
    with pytest.raises(Exception, match=r"UNIQUE|unique|already"), store.open(organization) as books:
        books.add_event("s1", replace(STOP, value=1))


def test_old_events_go(store: Store) -> None:
    """After 90 days; the audit log keeps what mattered."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        books.add_event("s1", STOP)
        books.add_event("s1", RELEASE)
    store.remove_old(NOW + KEEP_EVENTS + timedelta(seconds=30), 7, 35)
    with store.look(organization) as books:
        assert books.events_of("s1") == [RELEASE]


def test_raises_of_a_session_come_back_as_stored(store: Store) -> None:
    """Oldest first; one that was taken back says when."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        later = replace(RAISE, id=8, key="key-2")
        books.add_session_overdrive(later)
        books.add_session_overdrive(RAISE)
        books.add_session_overdrive(replace(RAISE, session_id="s2"))
        books.end_session_overdrive("s1", 8, at(5))
        assert books.session_overdrives("s1") == [RAISE, replace(later, ended_at=at(5))]
        assert books.session_overdrives("s3") == []


def test_a_key_raises_once(store: Store) -> None:
    """The same request again is undone."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        books.add_session_overdrive(RAISE)
    with pytest.raises(Exception, match=r"UNIQUE|unique|already"), store.open(organization) as books:
        books.add_session_overdrive(replace(RAISE, id=8))


def test_a_session_keeps_its_pause_and_how_long_it_stood(store: Store) -> None:
    """They are part of its row."""
    with store.open(an_organization(store).id) as books:
        session = begun(books, a_start())
        books.change_session(replace(session, paused_at=at(1), stood_seconds=90))
        stored = books.session(session.id)
        assert stored is not None
        assert (stored.paused_at, stored.stood_seconds) == (at(1), 90)
