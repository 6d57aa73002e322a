"""Repetition: whether a thread does again what it did, says again what it said, and gets anywhere.

A tool call that was not made before brings it further, and so does a working tree that looks as it did not before; after that
everything may be worth doing again. What is not known is taken for new. Threads are measured apart: subagents side by side may
well begin with the same calls and the same words.

Weights are eighths: to ask a background task again how far it is, or to wait for ten seconds on purpose, is an eighth of a repeat.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tabstop.governor.facts import Answer, Fact, Probed, SubagentEnded, ToolFinished, ToolStarted
from tabstop.governor.likeness import alike
from tabstop.governor.recent_calls import key_of
from tabstop.governor.tool_kinds import waits

WHOLE = 8
"""Eighths of one repeat."""

PATIENT = timedelta(seconds=10)
"""A call that takes so long waits for something. An agent that has lost its way seldom does."""

THREADS = 32
CALLS = 256
"""Different calls a thread is known to have made."""

RUNNING = 32
TREES = 8


@dataclass(frozen=True, slots=True)
class Lane:
    """One thread.

    known: calls it made since the tree changed, as keys. again: eighths each of them was repeated since the last new call.
    latest: the call it repeated last. running: when the calls that run began. step: what it did since its last answer, in
    eighths of an iteration without progress; None for no call yet. still: those eighths added up since the last progress.
    said: likenesses of its last answers. like: how many of them say nearly the same as the last. heard: when it last answered or
    a tool ended.
    """

    known: tuple[str, ...] = ()
    again: dict[str, int] = field(default_factory=dict)
    latest: str = ""
    running: dict[str, datetime] = field(default_factory=dict)
    step: int | None = None
    still: int = 0
    said: tuple[int, ...] = ()
    like: int = 0
    heard: datetime | None = None

    @property
    def repeats(self) -> int:
        """How often the call it repeated last ran since anything new, the first time included."""
        return 1 - -self.again.get(self.latest, 0) // WHOLE

    @property
    def idle(self) -> int:
        """Iterations without progress."""
        return self.still // WHOLE


@dataclass(frozen=True, slots=True)
class Repetition:
    """Every thread that works, the latest last, and how the working tree looked lately."""

    lanes: dict[str, Lane] = field(default_factory=dict)
    trees: tuple[str, ...] = ()


def take(part: Repetition, fact: Fact, window: int) -> Repetition:
    """With this fact. window: how many answers are compared."""
    if isinstance(fact, Probed):
        return _probed(part, fact)
    if isinstance(fact, SubagentEnded):
        return replace(part, lanes={one: lane for one, lane in part.lanes.items() if one != fact.child})
    if not isinstance(fact, Answer | ToolStarted | ToolFinished):
        return part
    lane = part.lanes.get(fact.thread) or Lane()
    if isinstance(fact, ToolStarted):
        lane = _begun(lane, fact)
    elif isinstance(fact, ToolFinished):
        lane = _finished(lane, fact)
    elif not fact.more:
        lane = _answered(lane, fact, window)
    lanes = part.lanes.copy()
    lanes.pop(fact.thread, None)
    if len(lanes) >= THREADS:
        del lanes[next(iter(lanes))]
    lanes[fact.thread] = lane
    return Repetition(lanes, part.trees)


def _probed(part: Repetition, fact: Probed) -> Repetition:
    """Going back and forth between a few states is no progress; the first look shows no change."""
    if fact.tree in part.trees:
        return part
    trees = (*part.trees, fact.tree)[-TREES:]
    if not part.trees:
        return Repetition(part.lanes, trees)
    return Repetition({thread: Lane(running=it.running, step=0) for thread, it in part.lanes.items()}, trees)


def _begun(lane: Lane, fact: ToolStarted) -> Lane:
    lane = _called(lane, key_of(fact.name, fact.arguments))
    running = lane.running.copy()
    running[_call(fact)] = fact.at
    if len(running) > RUNNING:
        del running[next(iter(running))]
    return replace(lane, running=running)


def _finished(lane: Lane, fact: ToolFinished) -> Lane:
    key = key_of(fact.name, fact.arguments)
    lane = _called(lane, key) if fact.unseen else lane
    running = lane.running.copy()
    # A start that nobody saw lies after what was heard of the thread before.
    began = running.pop(_call(fact), lane.heard if fact.unseen else None)
    lane = replace(lane, running=running, heard=fact.at)
    if began is None or fact.at - began >= PATIENT or key not in lane.again or waits(fact.name):
        return lane
    again = lane.again | {key: lane.again[key] + WHOLE - 1}
    return replace(lane, again=again, step=WHOLE if lane.step else lane.step)


def _called(lane: Lane, key: str) -> Lane:
    if not key or key not in lane.known:
        known = (*lane.known, key)[-CALLS:] if key else lane.known
        return replace(lane, known=known, again={}, latest="", step=0, still=0)
    # How long it takes shows when it ends: until then it is taken for a short wait.
    again = lane.again | {key: lane.again.get(key, 0) + 1}
    return replace(lane, again=again, latest=key, step=0 if lane.step == 0 else max(lane.step or 0, 1))


def _call(fact: ToolStarted | ToolFinished) -> str:
    return fact.call or key_of(fact.name, fact.arguments)


def _answered(lane: Lane, fact: Answer, window: int) -> Lane:
    like = 0 if fact.likeness is None else sum(alike(one, fact.likeness) for one in lane.said)
    step = lane.step
    if step is None:
        # An answer without a tool: words alone bring it further unless they were said before.
        step = WHOLE if like else 0
    lane = replace(lane, step=None, still=lane.still + step, heard=fact.at)
    if fact.likeness is None:
        return lane
    if step == 1:
        return replace(lane, like=0)  # whoever waits says so each time
    said = (*lane.said, fact.likeness)[1 - max(2, window) :]  # the next one makes the window full
    return replace(lane, said=said, like=like + 1)
