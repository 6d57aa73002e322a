"""The breaker that the server remembers for one repository and agent: what opened it, until when, which session probes.

A trip opens it for a cooldown. After that it is half-open: one session at a time is admitted, its probe. A probe that
finishes closes it; another trip, of any session, opens it again for a full cooldown; a probe that ends otherwise or goes
silent only frees its place. A person may clear it at any time. Standard library only; time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class BreakerMetric(StrEnum):
    """What a breaker trips on, with the unit of its value and threshold."""

    TOOL_FAILURES = "tool failures"
    """Percent of a tool's recent calls that failed."""
    REPEATED_CALLS = "repeated calls"
    """How often a tool was called with the same arguments."""
    COST_RATE = "cost rate"
    """Nano-dollars a minute."""
    RUNAWAY = "runaway"
    """What a runaway signal measures, in that signal's unit; the trip's subject names the signal."""


class BreakerState(StrEnum):
    """How a breaker stands at a moment."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Trip:
    """What opened a breaker. subject: a tool's or a signal's name; empty for none. at: when, as far as it is believed."""

    session: str
    metric: BreakerMetric
    subject: str
    value: int
    threshold: int
    at: datetime


@dataclass(frozen=True, slots=True)
class RememberedBreaker:
    """One breaker. Closed without a trip, otherwise open until `open_until` (exclusive) and half-open from then on.

    probe: the session that has the one place while it is half-open; empty while the place is free.
    closed_at: when it was last closed; a trip from before says nothing new.
    """

    trip: Trip | None = None
    open_until: datetime | None = None
    probe: str = ""
    closed_at: datetime | None = None

    def stands_at(self, now: datetime) -> BreakerState:
        """Closed, open or half-open."""
        if self.open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.open_until else BreakerState.HALF_OPEN

    def admits_at(self, now: datetime) -> bool:
        """Whether a session may start: always while closed, never while open, as the only probe while half-open."""
        state = self.stands_at(now)
        return state is BreakerState.CLOSED or (state is BreakerState.HALF_OPEN and not self.probe)

    def tripped(self, trip: Trip, cooldown: timedelta) -> RememberedBreaker:
        """Open for a full cooldown from this trip, with nobody's probe. A trip that is old news changes nothing."""
        until = trip.at + cooldown
        if self.closed_at is not None and trip.at <= self.closed_at:
            return self
        if self.open_until is not None and until <= self.open_until:
            return self
        return replace(self, trip=trip, open_until=until, probe="")

    def probed_by(self, session: str) -> RememberedBreaker:
        """With its place taken."""
        return replace(self, probe=session)

    def probe_ended(self, *, well: bool, now: datetime) -> RememberedBreaker:
        """Closed when the probe finished without a trip; otherwise its place is free for the next."""
        return self.closed(now) if well else replace(self, probe="")

    def closed(self, now: datetime) -> RememberedBreaker:
        """Closed, by a good probe or by hand."""
        return RememberedBreaker(closed_at=now)
