"""Builders: facts with only the detail a test is about, on a clock that begins at `BEGUN`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tabstop.governor.facts import Answer, Fact, SubagentEnded, SubagentSpawned, ToolFinished, ToolStarted
from tabstop.governor.limits import Totals, count, one_more_call
from tabstop.governor.machine import Decision, govern
from tabstop.governor.settings import Settings
from tabstop.governor.state import State
from tabstop.money import Nano, dollars
from tabstop.usage import Tokens

BEGUN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds after the beginning."""
    return BEGUN + timedelta(seconds=seconds)


def answer(
    seconds: float = 0, tokens: int = 1_000, cost: str | None = "0.01", *, thread: str = "", more: bool = False
) -> Answer:
    """An answer of so many tokens, all of them input; cost in dollars, None for no price."""
    nano: Nano | None = None if cost is None else dollars(cost)
    return Answer(at(seconds), "claude-opus-5-5", Tokens(input=tokens), nano, thread, more=more)


def started(seconds: float = 0, name: str = "Bash", arguments: str = "a", *, thread: str = "") -> ToolStarted:
    """A tool about to run; `arguments` stands for their HMAC."""
    return ToolStarted(at(seconds), name, arguments, thread)


def finished(
    seconds: float = 0,
    name: str = "Bash",
    arguments: str = "a",
    *,
    failed: bool = False,
    thread: str = "",
    unseen: bool = False,
) -> ToolFinished:
    """A tool that has run; `unseen` where nobody told of its start."""
    return ToolFinished(at(seconds), name, arguments, failed, thread, unseen=unseen)


def spawned(seconds: float = 0, child: str = "a", kind: str = "", *, thread: str = "") -> SubagentSpawned:
    """A subagent about to start."""
    return SubagentSpawned(at(seconds), child, kind, thread)


def ended(seconds: float = 0, child: str = "a") -> SubagentEnded:
    """A subagent that is done."""
    return SubagentEnded(at(seconds), child)


def let_through(totals: Totals, fact: Fact) -> Totals:
    """The totals with this fact; a tool call that starts may do so."""
    totals = count(totals, fact)
    return one_more_call(totals) if isinstance(fact, ToolStarted) else totals


def play(facts: list[Fact], settings: Settings, state: State | None = None) -> list[Decision]:
    """Every decision, in order."""
    decisions: list[Decision] = []
    current = state or State()
    for fact in facts:
        decision = govern(current, fact, settings)
        decisions.append(decision)
        current = decision.state
    return decisions
