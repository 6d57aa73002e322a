"""Remembered breakers and what sessions told of them, in memory."""

from __future__ import annotations

from app.store.memory_tables import MemoryPart
from tabstop.breaker_memory import RememberedBreaker
from tabstop.budget import Amount
from tabstop.wire import BreakerTrip


class MemoryBreakers(MemoryPart):
    """The part of `app.ledger.books.Books` about breakers."""

    def learned(self, repository_id: int, agent: str) -> tuple[Amount | None, RememberedBreaker]:
        """See `Books`."""
        key = (repository_id, agent)
        return self._t.needs.get(key), self._t.breakers.get(key, RememberedBreaker())

    def keep_breaker(self, repository_id: int, agent: str, breaker: RememberedBreaker) -> None:
        """See `Books`."""
        self._put(self._t.breakers, (repository_id, agent), breaker)

    def breakers(self, repository_id: int | None = None) -> dict[tuple[int, str], RememberedBreaker]:
        """See `Books`."""
        found = sorted(self._t.breakers.items(), key=lambda one: one[0])
        return {key: breaker for key, breaker in found if repository_id in {None, key[0]}}

    def trips_of(self, session_id: str) -> list[BreakerTrip]:
        """See `Books`."""
        found = [trip for (told_by, _, _), trip in self._t.trips.items() if told_by == session_id]
        return sorted(found, key=lambda trip: (trip.occurred_at, trip.metric))

    def add_trip(self, session_id: str, trip: BreakerTrip) -> None:
        """See `Books`."""
        key = (session_id, trip.metric.value, trip.occurred_at)
        if key in self._t.trips:
            raise ValueError(f"{session_id} told of this trip already")
        self._put(self._t.trips, key, trip)
