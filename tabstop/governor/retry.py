"""Retry brake, or thought brake: a failed call waits before it is tried again, longer each time; then a person is needed.

A failed command may be a result, such as a red test, and is tried again for reasons: it waits as long, and needs a person after
twice as many failures in a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tabstop.governor.facts import Fact, Probed, Released, SubagentEnded, ToolFinished, ToolStarted
from tabstop.governor.recent_calls import RecentCalls, key_of, observe
from tabstop.governor.settings import Settings
from tabstop.governor.tool_kinds import COMMANDS, named, runs_commands
from tabstop.verdict import Finding, Outcome, Signal

CALLS = 32
"""Failing calls that are remembered, the latest to fail."""

WINDOW = 20
"""A thread's last calls among which a success has to be new to count as progress."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A call that failed so many times in a row, in one thread. until: when it may be tried again."""

    tool: str
    call: str
    thread: str
    times: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Retries:
    """The calls that fail. held: why the session waits for a person; None while it does not."""

    failing: tuple[Failing, ...] = ()
    held: Finding | None = None
    recent: RecentCalls = field(default_factory=RecentCalls)


def note(part: Retries, fact: Fact, now: datetime, settings: Settings) -> Retries:
    """Count failures of the same call in the same thread, in a row.

    A success of that call in any thread ends the row. So does, for a failed command, new work of its thread, as far as is known since the
    first failure: to run the tests again after an edit is no retry. Calls whose arguments are not known are no retries either.
    """
    if isinstance(fact, Released):
        return Retries()
    if not isinstance(fact, ToolStarted | ToolFinished | Probed | SubagentEnded):
        return part
    further = False
    if part.recent.lanes or isinstance(fact, Probed) or (isinstance(fact, ToolFinished) and fact.failed):
        # Until something fails nothing has to be told from a retry; only what the tree looks like is kept.
        recent, further = observe(part.recent, fact, WINDOW)
        part = part if recent is part.recent else Retries(part.failing, part.held, recent)
    match fact:
        case SubagentEnded():
            return _without(part, lambda one: one.thread == fact.child)
        case Probed() if further:
            return _without(part, lambda one: runs_commands(one.tool))
        case ToolFinished() if fact.failed:
            return _failed(part, fact, now, settings)
        case ToolFinished():
            key = key_of(fact.name, fact.arguments)
            return _without(
                part, lambda one: one.call == key or (further and one.thread == fact.thread and runs_commands(one.tool))
            )
        case _:
            return part


def tried_again(part: Retries, fact: ToolStarted | ToolFinished) -> Failing | None:
    """The failing call that this one would try again, if it is one."""
    key = key_of(fact.name, fact.arguments)
    return next((one for one in part.failing if one.call == key and one.thread == fact.thread), None)


def _failed(part: Retries, fact: ToolFinished, now: datetime, settings: Settings) -> Retries:
    pauses, key = settings.throttle.retry_pauses, key_of(fact.name, fact.arguments)
    if pauses is None or not key:
        return part
    before = tried_again(part, fact)
    times = before.times + 1 if before else 1
    pause = pauses[min(times, len(pauses)) - 1] if pauses else 0
    one = Failing(fact.name, key, fact.thread, times, now + timedelta(seconds=pause))
    others = [other for other in part.failing if other is not before]
    most = (len(pauses) + 1) * (COMMANDS if runs_commands(fact.name) else 1)
    held = part.held or (_held(one, pauses, most, settings) if times >= most else None)
    return replace(part, failing=(*others[1 - CALLS :], one), held=held)


def _held(one: Failing, pauses: tuple[int, ...], most: int, settings: Settings) -> Finding:
    times = f" {one.times} times in a row" if one.times > 1 else ""
    waited = f", tried again after {', then '.join(f'{pause} s' for pause in pauses)}" if pauses else ""
    return Finding(
        Signal.RETRY,
        Outcome.STOP,
        "retry",
        f"{named(one.tool)} failed{times} with the same arguments{waited}. A person has to look.",
        subject=one.tool,
        cap=most - 1,
        spent=one.times,
        remedy=f"Find out why it fails, then run `tabstop release {settings.session}` and resume the agent.",
    )


def _without(part: Retries, over: Callable[[Failing], bool]) -> Retries:
    failing = tuple(one for one in part.failing if not over(one))
    return part if len(failing) == len(part.failing) else Retries(failing, part.held, part.recent)
