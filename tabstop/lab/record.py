"""What is written down of a simulated session: its iterations with their notes, and what was seen first."""

from __future__ import annotations

from dataclasses import dataclass

from tabstop.governor.limits import Totals
from tabstop.money import Nano
from tabstop.verdict import Signal


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a line. kind: an `EventKind`, or what the attach point did: `shortened`, `switched`, …"""

    kind: str
    scope: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Iteration:
    """One model request, answered or not, and the tools that followed it.

    seconds: since the beginning, when the answer came. model: empty for a request without an answer. tokens, cost: of this one. calls, denied: tool calls that ran, and
    calls and subagents that were refused. waited: seconds for which orders held it up. totals: at its end.
    """

    number: int
    seconds: float
    thread: str
    totals: Totals
    model: str = ""
    tokens: int = 0
    cost: Nano = 0
    calls: int = 0
    denied: int = 0
    waited: float = 0.0
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something that a limit or a signal did for the first time. by: its scope.

    iteration: from the session's first. of_runaway: from the first that ran away; 0 before that, and in a healthy one.
    totals: what the session had used by then.
    """

    by: str
    signal: Signal
    iteration: int
    of_runaway: int
    seconds: float
    totals: Totals
    sentence: str
    remedy: str = ""


@dataclass
class Used:
    """What a session has used."""

    tokens: int = 0
    tool_calls: int = 0
    iterations: int = 0
    cost: Nano = 0
