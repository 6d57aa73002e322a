"""Breakers in every kind of store: kept whole, found by repository and agent, each trip once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.registry import Store
from tabstop.breaker_memory import BreakerMetric, RememberedBreaker, Trip
from tabstop.budget import Amount
from tabstop.wire import BreakerTrip
from tests.ledger.builders import NOW, REPOSITORY, an_organization, at

TRIP = Trip("s1", BreakerMetric.COST_RATE, "", 2**40, 5, NOW)
OPEN = RememberedBreaker(TRIP, at(15), "s2", at(-60))
TOLD = BreakerTrip(BreakerMetric.RUNAWAY, 2**40, 500, NOW, "token_spike")


def test_a_breaker_comes_back_as_stored(store: Store) -> None:
    """Open, closed, and never tripped; beside what such sessions need, in one question."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        assert books.learned(REPOSITORY, "codex") == (None, RememberedBreaker())
        books.keep_breaker(REPOSITORY, "codex", OPEN)
        books.remember_need(REPOSITORY, "codex", Amount(1, 2))
    with store.open(organization) as books:
        assert books.learned(REPOSITORY, "codex") == (Amount(1, 2), OPEN)
        assert books.learned(REPOSITORY, "claude-code") == (None, RememberedBreaker())
        books.keep_breaker(REPOSITORY, "codex", OPEN.closed(at(3)))
        assert books.learned(REPOSITORY, "codex") == (Amount(1, 2), RememberedBreaker(closed_at=at(3)))


def test_breakers_are_listed_by_repository_and_agent(store: Store) -> None:
    """Of one repository or of all, never another organization's."""
    other = an_organization(store, "other").id
    with store.open(an_organization(store).id) as books:
        books.keep_breaker(7, "codex", OPEN)
        books.keep_breaker(REPOSITORY, "codex", replace(OPEN, probe=""))
        books.keep_breaker(7, "claude-code", OPEN)
        assert list(books.breakers()) == [(7, "claude-code"), (7, "codex"), (REPOSITORY, "codex")]
        assert list(books.breakers(7)) == [(7, "claude-code"), (7, "codex")]
        assert books.breakers(REPOSITORY) == {(REPOSITORY, "codex"): replace(OPEN, probe="")}
    with store.look(other) as books:
        assert books.breakers() == {}


def test_a_session_tells_of_a_trip_once(store: Store) -> None:
    """Session, metric and time are the trip; the same again is undone."""
    organization = an_organization(store).id
    later = replace(TOLD, occurred_at=at(1))
    with store.open(organization) as books:
        books.add_trip("s1", later)
        books.add_trip("s1", TOLD)
        books.add_trip("s2", TOLD)
    with store.look(organization) as books:
        assert books.trips_of("s1") == [TOLD, later]
        assert books.trips_of("s3") == []
    with pytest.raises(Exception, match=r"UNIQUE|unique|already"), store.open(organization) as books:
        books.add_trip("s1", replace(TOLD, value=1))
