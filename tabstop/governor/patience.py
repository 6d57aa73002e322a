"""Patience: how much of a repeat a call is that was made before. Whoever waits on purpose may ask again and again.

Weights are eighths of a repeat. A call that is quick counts whole. One that takes ten seconds, or runs a command that says it
waits, is a quarter of a repeat; one that does both is an eighth, and so is asking a background task how far it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tabstop.governor.facts import ToolFinished, ToolStarted
from tabstop.governor.tool_kinds import waits

WHOLE, QUARTER, EIGHTH = 8, 2, 1

PATIENT = timedelta(seconds=10)
"""A call that takes so long waits for something. An agent that has lost its way seldom does."""

RUNNING = 32
"""Calls of a thread that are known to run at once."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The calls of one thread that run, by key, each with when it began. heard: when it last answered or a tool ended."""

    began: dict[str, datetime] = field(default_factory=dict)
    heard: datetime | None = None


def begun(runs: Runs, key: str, fact: ToolStarted) -> tuple[Runs, int]:
    """With a call that begins. Its weight shows when it ends; until then it is taken for a wait, an `EIGHTH`.

    Second, the weight of the same call before, which was begun and never ended (refused, or its end not told); 0 for none.
    It was over by the time the thread was heard of again.
    """
    before = runs.began.get(key)
    over = fact.at if before is None or runs.heard is None or runs.heard <= before else runs.heard
    began = runs.began.copy()
    began.pop(key, None)
    began[key] = fact.at
    if len(began) > RUNNING:
        del began[next(iter(began))]
    return Runs(began, runs.heard), 0 if before is None else weight(fact, over - before)


def ended(runs: Runs, key: str, fact: ToolFinished) -> tuple[Runs, int]:
    """With a call that has ended, and its weight; 0 where nobody saw when it began.

    A start that nobody told lies after what was heard of the thread before.
    """
    began = runs.began.get(key, runs.heard if fact.unseen else None)
    running = runs.began
    if key in running:
        running = running.copy()
        del running[key]
    return Runs(running, fact.at), 0 if began is None else weight(fact, fact.at - began)


def weight(fact: ToolStarted | ToolFinished, took: timedelta) -> int:
    """How much of a repeat a call is that took so long."""
    if waits(fact.name):
        return EIGHTH
    if took >= PATIENT:
        return EIGHTH if fact.waits else QUARTER
    return QUARTER if fact.waits else WHOLE
