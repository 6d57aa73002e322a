"""A lab session as JSON values, for programs. Money is nano-dollars, time is seconds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tabstop.governor.limits import Totals
from tabstop.lab.gauges import gauges, wall
from tabstop.lab.play import Result
from tabstop.lab.record import Iteration, Sighting


def as_json(result: Result) -> dict[str, Any]:
    """Everything that is known of it, each iteration included."""
    hour = result.hour
    return {
        "scenario": result.scenario.name,
        "about": result.scenario.about,
        "model": result.scenario.model,
        "limits": asdict(result.limits),
        "outcome": result.outcome.value if result.outcome else None,
        "seconds": result.seconds,
        "used": _totals(result.totals),
        "gauges": [asdict(one) for one in gauges(result.totals, result.limits)],
        "runaway_from": result.runaway_from or None,
        "first_alert": _sighting(result.alert),
        "first_refusal": _sighting(result.refusal),
        "stop": _sighting(result.stop),
        "limits_alone": _sighting(result.limit),
        "hour": hour
        and {
            "simulated": asdict(hour.simulated),
            "extrapolated": asdict(hour.extrapolated),
            "limit": hour.limit,
            "times": hour.tenths / 10,
        },
        "iterations": [_iteration(result, at) for at in range(len(result.iterations))],
    }


def _iteration(result: Result, at: int) -> dict[str, Any]:
    one: Iteration = result.iterations[at]
    far = wall(result.iterations[: at + 1], result.limits)
    return {
        "number": one.number,
        "seconds": one.seconds,
        "thread": one.thread,
        "model": one.model,
        "tokens": one.tokens,
        "cost": one.cost,
        "tool_calls": one.calls,
        "denied": one.denied,
        "waited": one.waited,
        "total": _totals(one.totals),
        "wall": far and asdict(far),
        "notes": [asdict(note) for note in one.notes],
    }


def _totals(totals: Totals) -> dict[str, int]:
    return {
        "tokens": totals.tokens,
        "tool_calls": totals.tool_calls,
        "iterations": totals.iterations,
        "cost": totals.cost,
        "wall_clock_seconds": totals.wall_clock_seconds,
    }


def _sighting(seen: Sighting | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {
        "by": seen.by,
        "signal": seen.signal.value,
        "iteration": seen.iteration,
        "of_runaway": seen.of_runaway or None,
        "seconds": seen.seconds,
        "cost": seen.totals.cost,
        "sentence": seen.sentence,
        "remedy": seen.remedy,
    }
