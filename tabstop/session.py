"""Sessions: what bounds one, how it ends, and when it counts as silent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LEASE_MARGIN = timedelta(minutes=10)
"""How long after its wall-clock limit a session that is not heard of keeps its hold."""

UNLIMITED_LEASE = timedelta(hours=24)
"""The lease of a session without a wall-clock limit; each report renews it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the session; None for unlimited. cost in nano-dollars."""

    tokens: int | None = None
    tool_calls: int | None = None
    iterations: int | None = None
    wall_clock_seconds: int | None = None
    cost: int | None = None


class SessionOutcome(StrEnum):
    """How a session ended."""

    FINISHED = "finished"
    FAILED = "failed"
    """The agent ended with an error of its own."""
    SUSPENDED = "suspended"
    STOPPED_TOKENS = "stopped: tokens"
    STOPPED_TOOL_CALLS = "stopped: tool calls"
    STOPPED_ITERATIONS = "stopped: iterations"
    STOPPED_WALL_CLOCK = "stopped: wall clock"
    STOPPED_COST = "stopped: cost"
    STOPPED_BREAKER = "stopped: breaker"
    STOPPED_HOOK = "stopped: hook"
    """A hook ended it; the client calls that a success, we do not."""
    CANCELLED = "cancelled"
    """The run was cancelled or its machine went away; seen from outside."""
    NOT_STARTED = "not started"
    """Admitted, but no trace of the agent was found."""
    SILENT = "silent"
    """Its lease ran out and nothing was heard."""


def lease_until(heard_at: datetime, wall_clock_seconds: int | None) -> datetime:
    """Until when a session heard of now keeps its hold: its wall-clock limit and ten minutes more."""
    if wall_clock_seconds is None:
        return heard_at + UNLIMITED_LEASE
    return heard_at + timedelta(seconds=wall_clock_seconds) + LEASE_MARGIN
