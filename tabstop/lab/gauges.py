"""Fuel gauges: how much of each limit a session has used, and how far the wall is at its pace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabstop.governor.limits import Totals
from tabstop.lab.record import Iteration
from tabstop.money import show
from tabstop.quantity import percent
from tabstop.quantity import tokens as show_tokens
from tabstop.session import Limits

LIMITS = {
    "tokens": "tokens",
    "tool_calls": "tool calls",
    "iterations": "iterations",
    "cost": "cost",
    "wall_clock_seconds": "time",
}
"""The limits, and what stands for them in a table."""

PACE_OF = 10
"""Iterations over which the pace is measured."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One limit, or two that are shown as one. percent: used; 0 without a limit. used: as people read it."""

    name: str
    percent: int
    used: str


@dataclass(frozen=True, slots=True)
class Wall:
    """The limit that is reached first at the present pace, and in how many seconds."""

    limit: str
    seconds: float


def gauges(totals: Totals, limits: Limits) -> tuple[Gauge, Gauge, Gauge, Gauge]:
    """Tokens, tool calls, iterations and time, cost. Of two limits on one gauge the fuller one moves it."""
    seconds = totals.wall_clock_seconds
    loop = _gauge("", f"{totals.iterations:,}", totals.iterations, limits.iterations, "{:,}".format)
    time = _gauge("", length(seconds), seconds, limits.wall_clock_seconds, length)
    return (
        _gauge("tokens", show_tokens(totals.tokens), totals.tokens, limits.tokens, show_tokens),
        _gauge("tool calls", f"{totals.tool_calls:,}", totals.tool_calls, limits.tool_calls, "{:,}".format),
        Gauge("iterations, time", max(loop.percent, time.percent), f"{loop.used} · {time.used}"),
        _gauge("cost", show(totals.cost), totals.cost, limits.cost, show),
    )


def wall(iterations: Sequence[Iteration], limits: Limits) -> Wall | None:
    """How far the wall is after the last of these. None where nothing moves toward a limit."""
    if not iterations:
        return None
    last = iterations[-1]
    first = iterations[-1 - PACE_OF] if len(iterations) > PACE_OF else None
    begun, before = (first.seconds, first.totals) if first else (0.0, Totals())
    passed = last.seconds - begun
    walls = []
    for name in ("tokens", "tool_calls", "iterations", "cost"):
        limit: int | None = getattr(limits, name)
        used: int = getattr(last.totals, name)
        gained = used - getattr(before, name)
        if limit is not None and gained > 0:
            walls.append(Wall(name, max(0, limit - used) * passed / gained))
    if limits.wall_clock_seconds is not None:
        walls.append(Wall("wall_clock_seconds", max(0.0, limits.wall_clock_seconds - last.seconds)))
    return min(walls, key=lambda one: one.seconds, default=None)


def length(seconds: float) -> str:
    """Print a length of time so that short ones can be told apart: `4.96 s`, `12 s`, `6 min 14 s`, `1 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else rest, "s")]
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount)


def _gauge(name: str, used: str, amount: int, limit: int | None, show_one: Callable[[int], str]) -> Gauge:
    if limit is None:
        return Gauge(name, 0, f"{used}, no limit")
    return Gauge(name, percent(amount, limit), f"{used} of {show_one(limit)}")
