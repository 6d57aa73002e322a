"""Silence: an agent that shows nothing for long is noticed, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tabstop.governor.facts import Fact, Probed, ServerSaid, Tick
from tabstop.governor.limits import Totals
from tabstop.governor.orders import Event, EventKind
from tabstop.governor.settings import Settings
from tabstop.quantity import span
from tabstop.verdict import Finding, Outcome, Signal


@dataclass(frozen=True, slots=True)
class Alive:
    """at: when the agent last showed something; None while it does not run. told: people know of this silence."""

    at: datetime | None = None
    told: bool = False


def listen(part: Alive, fact: Fact, totals: Totals, settings: Settings) -> tuple[Alive, tuple[Event, ...]]:
    """Notice signs of life, and their absence. A process that does not run is not silent."""
    if totals.running_since is None:
        return (part if part.at is None else Alive()), ()
    if not isinstance(fact, Tick | Probed | ServerSaid):
        return Alive(fact.at if part.at is None else max(part.at, fact.at)), ()
    seconds = settings.heartbeats.silence
    if part.at is None or part.told or fact.at - part.at < timedelta(seconds=seconds):
        return part, ()
    sentence = f"The agent has shown nothing for {span(seconds)}: no answer, no tool, no sign of life."
    return Alive(part.at, told=True), (
        Event(fact.at, EventKind.ALERT, Finding(Signal.SILENCE, Outcome.WARN, "agent", sentence)),
    )
