"""The scenarios at a glance: what there is to play, and how each of them ended, a line each."""

from __future__ import annotations

from collections.abc import Sequence

from tabstop.governor.limits import NAMES
from tabstop.lab.gauges import LIMITS, length
from tabstop.lab.play import Result
from tabstop.lab.record import Sighting
from tabstop.lab.report import times
from tabstop.lab.scenarios import SCENARIOS
from tabstop.money import show

_ALSO = "subtasks", "how subtasks share what is left, and which of them starve"

HEAD = ("scenario", "first held back by", "iteration", "after", "spent", "limits alone", "an hour without the governor")


def names() -> list[dict[str, str]]:
    """For programs."""
    return [{"scenario": name, "about": about} for name, about in _listed()]


def listed() -> str:
    """For people."""
    width = max(len(name) for name, _ in _listed())
    lines = [f"  {name:<{width}}  {about}" for name, about in _listed()]
    return (
        "\n".join(["Scenarios:", *lines, "", "Play one: tabstop lab stuck-loop. All of them: tabstop lab --all"]) + "\n"
    )


def table(results: Sequence[Result]) -> str:
    """One line for each. Iterations in brackets count from where it began to run away."""
    rows = [HEAD, *(_row(one) for one in results)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def _listed() -> list[tuple[str, str]]:
    return [*((one.name, one.about) for one in SCENARIOS.values()), _ALSO]


def _row(one: Result) -> tuple[str, ...]:
    held = one.held_back
    alone = one.limit
    return (
        one.scenario.name,
        held.by if held else "nothing",
        _iteration(held) if held else "",
        length(held.seconds if held else one.seconds),
        show(held.totals.cost if held else one.totals.cost),
        f"{LIMITS[alone.by]} at {alone.iteration}, {show(alone.totals.cost)}" if alone else "none",
        _hour(one),
    )


def _iteration(seen: Sighting) -> str:
    return f"{seen.iteration} ({seen.of_runaway})" if 0 < seen.of_runaway < seen.iteration else str(seen.iteration)


def _hour(one: Result) -> str:
    if one.hour is None:
        return ""
    over = f", {times(one.hour)} x its {NAMES[one.hour.limit]} limit" if one.hour.limit else ""
    return show(one.hour.simulated.cost) + over
