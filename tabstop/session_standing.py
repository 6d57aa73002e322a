"""How one session stands against its own limits: tokens, tool calls, iterations, wall clock, cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tabstop.quantity import percent
from tabstop.verdict import Finding, Outcome, Signal, Verdict, verdict_of

APPROACHING = 90
"""Percent of a limit from which a session is told so."""

_UNITS = {
    "tokens": "tokens",
    "tool_calls": "calls",
    "iterations": "iterations",
    "wall_clock_seconds": "seconds",
    "cost": "usd",
}


@dataclass(frozen=True, slots=True)
class SessionUse:
    """What a session has used so far; cost in nano-dollars, wall clock in seconds."""

    tokens: int = 0
    tool_calls: int = 0
    iterations: int = 0
    wall_clock_seconds: int = 0
    cost: int = 0


def session_stands(use: SessionUse, limits: Mapping[str, int | None], *, approaching: int = APPROACHING) -> Verdict:
    """A finding per limit that is near (warn) or reached (stop); limits that are None or absent do not bind."""
    findings = []
    for name, unit in _UNITS.items():
        limit = limits.get(name)
        if limit is None:
            continue
        used: int = getattr(use, name)
        share = percent(used, limit)
        if share >= approaching:
            outcome = Outcome.STOP if used >= limit else Outcome.WARN
            findings.append(Finding(Signal.LIMIT, outcome, name, unit=unit, cap=limit, spent=used))
    return verdict_of(*findings)


def orders_for(verdict: Verdict, *, covered: bool) -> tuple[str, ...]:
    """What the session should do: wind down when a limit is reached or its hold could not be topped up."""
    if verdict.outcome is Outcome.STOP or not covered:
        return ("wind down",)
    return ("proceed",)
