"""Figures: a measured number beside its floor, and measuring both in turns so that a noisy machine hits them alike."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. floor: what the same machine does without our code, in the same unit; None without one."""

    name: str
    value: float
    unit: str
    floor: float | None = None

    @property
    def ratio(self) -> float | None:
        """Value ÷ floor: for rates the larger the better, for times the smaller."""
        return None if not self.floor else self.value / self.floor

    def line(self) -> str:
        """As JSON, four digits each."""
        told = {
            "name": self.name,
            "value": _short(self.value),
            "unit": self.unit,
            "floor": _short(self.floor),
            "ratio": _short(self.ratio),
        }
        return json.dumps(told)


@dataclass(frozen=True, slots=True)
class Part:
    """Figures that are measured together. `measure` gets the names that are wanted of them."""

    names: tuple[str, ...]
    measure: Callable[[Sequence[str]], Iterator[Figure]]


class NotHereError(Exception):
    """A part cannot be measured on this machine; the text says why."""


def in_turns(name: str, ours: Callable[[], float], floor: Callable[[], float], repeats: int = 5) -> tuple[float, float]:
    """Medians of both, measured alternately; the first pair warms up and does not count."""
    found: list[tuple[float, float]] = []
    for number in range(repeats + 1):
        pair = (ours(), floor()) if number % 2 else (floor(), ours())[::-1]
        if number:
            found.append(pair)
    return medians(name, found)


def medians(name: str, pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Medians of what was measured of us and of the floor. The spread goes to stderr."""
    values, floors = [sorted(side) for side in zip(*pairs, strict=True)]
    say(f"{name}: {len(pairs)} repeats, {_span(values)} against {_span(floors)}")
    return statistics.median(values), statistics.median(floors)


def say(text: str) -> None:
    """Tell the person who waits; stdout is for figures only."""
    print(text, file=sys.stderr, flush=True)


def _span(values: Sequence[float]) -> str:
    return f"{_short(values[0])}-{_short(values[-1])}"


def _short(value: float | None) -> float | int | None:
    if value is None:
        return None
    short = float(f"{value:.4g}")
    return int(short) if short == int(short) else short
