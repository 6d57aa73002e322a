"""Recent calls: per thread, which tool calls were made last, how often the same one, and whether anything new came of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tabstop.governor.facts import Fact, Probed, SubagentEnded, ToolFinished, ToolStarted
from tabstop.governor.tool_kinds import does_work, waits

THREADS = 16
"""Threads that are remembered, the latest to call a tool."""

TREES = 8
"""States of the working tree that are remembered: going back and forth between a few is no progress."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One thread's last calls, oldest first. since: how many of them were made since something new came of one."""

    thread: str
    calls: tuple[str, ...] = ()
    since: int = 0


@dataclass(frozen=True, slots=True)
class RecentCalls:
    """The last calls of every thread, the thread that called last at the end, and the last states of the working tree."""

    lanes: tuple[Lane, ...] = ()
    trees: tuple[str, ...] = ()


def key_of(name: str, arguments: str) -> str:
    """What makes two calls the same; empty when the arguments are not known. 64 bits of their HMAC are plenty."""
    return f"{name}:{arguments[:16]}" if arguments else ""


def is_call(fact: Fact) -> bool:
    """Whether this fact is to be counted as a call: its start, or its end where no start was seen."""
    return isinstance(fact, ToolStarted) or (isinstance(fact, ToolFinished) and fact.unseen)


def observe(part: RecentCalls, fact: Fact, window: int) -> tuple[RecentCalls, bool]:
    """Remember a call among the thread's last `window`. True when the fact brings the session further.

    That is: a tool succeeded with a call that was not made before among them, or the working tree came to look as it did not
    before. Waiting and planning are no progress. What is not known is taken for new.
    """
    if isinstance(fact, SubagentEnded):
        return replace(part, lanes=tuple(lane for lane in part.lanes if lane.thread != fact.child)), False
    if isinstance(fact, Probed):
        return _probed(part, fact)
    if not isinstance(fact, ToolStarted | ToolFinished):
        return part, False
    lane, key = _lane(part, fact.thread), key_of(fact.name, fact.arguments)
    calls, since = lane.calls, lane.since
    if is_call(fact) and key and not waits(fact.name):
        calls, since = (*calls, key)[-window:], min(since + 1, window)
    further = isinstance(fact, ToolFinished) and not fact.failed and does_work(fact.name) and calls.count(key) <= 1
    if further:
        since = min(since, _from_its_start(calls, key))
    others = [one for one in part.lanes if one.thread != fact.thread]
    return RecentCalls((*others[1 - THREADS :], Lane(fact.thread, calls, since)), part.trees), further


def times(part: RecentCalls, thread: str, key: str) -> int:
    """How often this thread made this call since something new came of one, within the window."""
    lane = _lane(part, thread)
    return lane.calls[len(lane.calls) - lane.since :].count(key) if key else 0


def _lane(part: RecentCalls, thread: str) -> Lane:
    return next((lane for lane in part.lanes if lane.thread == thread), None) or Lane(thread)


def _from_its_start(calls: tuple[str, ...], key: str) -> int:
    """How many calls were made since this one began, itself included; 0 when its start is not remembered."""
    return calls[::-1].index(key) + 1 if key in calls else 0


def _probed(part: RecentCalls, fact: Probed) -> tuple[RecentCalls, bool]:
    if fact.tree in part.trees:
        return part, False
    further = bool(part.trees)  # the first look shows no change
    lanes = tuple(replace(lane, since=0) for lane in part.lanes) if further else part.lanes
    return RecentCalls(lanes, (*part.trees, fact.tree)[-TREES:]), further
