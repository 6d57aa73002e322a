"""The story as it is told: steps that came true, kept for the page and said in the terminal."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from rich.console import Console
from rich.text import Text


class Colour(StrEnum):
    """How the pull request's check stood at the end of a step."""

    NONE = ""
    GREEN = "green"
    AMBER = "amber"
    RED = "red"

    @classmethod
    def of(cls, conclusion: str) -> Colour:
        """The colour people see for a check's conclusion."""
        return {"success": cls.GREEN, "neutral": cls.AMBER, "failure": cls.RED}.get(conclusion, cls.NONE)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. title: what happened; said: one or two lines with what came of it; colour: the check after it."""

    title: str
    said: tuple[str, ...]
    colour: Colour
    at: datetime
    anchor: str = ""
    """The part of the page that shows it."""


@dataclass
class Telling:
    """Keeps the steps, and says each in the terminal as it comes."""

    console: Console
    steps: list[Step] = field(default_factory=list)
    ended: bool = False
    failed: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def say(self, step: Step) -> None:
        """One more step came true."""
        with self._lock:
            self.steps.append(step)
            number = len(self.steps)
        self.console.print(_line(number, step))
        for said in step.said:
            self.console.print(Text(f"      {said}", style="dim"), soft_wrap=True)

    def end(self, failed: str = "") -> None:
        """The story is over; `failed` says what did not come true."""
        with self._lock:
            self.ended, self.failed = True, failed

    def so_far(self) -> tuple[list[Step], bool, str]:
        """Steps, whether it is over, and what failed."""
        with self._lock:
            return list(self.steps), self.ended, self.failed


_STYLES = {Colour.GREEN: "green", Colour.AMBER: "yellow", Colour.RED: "red"}


def _line(number: int, step: Step) -> Text:
    line = Text(f"  {number:>2}  ")
    line.append(step.title, style="bold")
    if step.colour:
        line.append("  ● ", style=_STYLES[step.colour])
        line.append(step.colour.value, style=_STYLES[step.colour])
    return line
