"""How full the engineers' vendor windows are, in memory."""

from __future__ import annotations

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
