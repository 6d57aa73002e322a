"""How one session stands against its own limits: tokens, tool calls, iterations, wall clock, cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tabstop.budget import Budget
from tabstop.explain import budget_name
from tabstop.governor.settings import Exhaustion, OnLimit
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


PAUSED = Finding(
    Signal.PAUSE,
    Outcome.STOP,
    "session",
    sentence="An operator paused this session.",
    remedy="Ask the people who run Tabstop; `python -m app.cli session resume` ends the pause.",
)
"""Why a paused session stands still, and is not resumed."""

ORDERS = ("proceed", "wind down", "suspend", "halt")
"""What the server may tell a running session, weakest first."""

_AT_LIMIT = {
    OnLimit.HALT: "halt",
    OnLimit.SUMMARY: "halt",
    OnLimit.SUSPEND: "suspend",
    OnLimit.ASK: "wind down",
}
"""The governor makes the last answer before the limit. It may be asking a person at the limit: that goes on."""


def no_room_in(budget: Budget) -> Finding:
    """Why a session that runs is to wind down: a budget above it has no room for its hold. Its figures are not shown there."""
    name = budget_name(Finding(Signal.BUDGET, Outcome.WARN, budget.key.scope))
    left = "is spent" if budget.is_spent else "has hardly any room left"
    sentence = f"{name[0].upper()}{name[1:]} {left}: new sessions are refused, this one goes on."
    return Finding(Signal.BUDGET, Outcome.WARN, budget.key.scope, sentence)


def orders_for(verdict: Verdict, *, exhaustion: Exhaustion) -> tuple[str, ...]:
    """What the session should do by the server's figures.

    Only its own limits and an operator's pause end it; a budget above it (`no_room_in`) lets it finish what is begun. Its
    wall clock is not the server's to measure: it stands still while the agent does not run.
    """
    orders = ["proceed"]
    for finding in verdict.findings:
        if finding.signal is Signal.BUDGET:
            orders.append("wind down")
        elif finding.outcome is not Outcome.STOP:
            continue
        elif finding.signal is Signal.PAUSE:
            orders.append("suspend")
        elif finding.signal is Signal.LIMIT and finding.scope != "wall_clock_seconds":
            orders.append(_AT_LIMIT[exhaustion.on_tokens if finding.scope == "tokens" else exhaustion.on_limit])
        else:
            orders.append("wind down")
    return (max(orders, key=ORDERS.index),)
