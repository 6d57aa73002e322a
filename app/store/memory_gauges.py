"""How full the engineers' vendor windows are, in memory."""

from __future__ import annotations

from collections.abc import Iterable

from app.store.memory_tables import MemoryPart
from tabstop.gauge import GaugeReading


class MemoryGauges(MemoryPart):
    """The part of `app.ledger.books.Books` about gauges."""

    def gauges_of(self, engineer_id: int) -> list[GaugeReading]:
        """See `Books`."""
        return [reading for whose, reading in self.all_gauges() if whose == engineer_id]

    def all_gauges(self) -> list[tuple[int, GaugeReading]]:
        """See `Books`."""
        found = sorted(self._t.gauges.items(), key=lambda one: one[0])
        return [(engineer_id, reading) for (engineer_id, _), reading in found]

    def keep_gauge(self, engineer_id: int, reading: GaugeReading) -> None:
        """See `Books`."""
        self._put(self._t.gauges, (engineer_id, reading.gauge), reading)

    def earlier_gauges(self, engineer_id: int) -> list[GaugeReading]:
        """See `Books`."""
        theirs = (reading for (whose, _, _), reading in self._t.earlier_gauges.items() if whose == engineer_id)
        return sorted(sorted(theirs, key=lambda one: one.observed_at, reverse=True), key=lambda one: one.gauge)

    def change_earlier_gauges(
        self, engineer_id: int, *, added: Iterable[GaugeReading], dropped: Iterable[GaugeReading]
    ) -> None:
        """See `Books`."""
        for reading in dropped:
            self._drop(self._t.earlier_gauges, (engineer_id, reading.gauge, reading.observed_at))
        for reading in added:
            self._put(self._t.earlier_gauges, (engineer_id, reading.gauge, reading.observed_at), reading)
