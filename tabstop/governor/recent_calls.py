"""Recent calls: per thread, which tool calls were made last, how often the same one, and whether anything new came of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tabstop.governor import patience
from tabstop.governor.facts import Answer, Fact, Probed, SubagentEnded, ToolFinished, ToolStarted
from tabstop.governor.patience import EIGHTH, WHOLE, Runs
from tabstop.governor.tool_kinds import does_work, waits

THREADS = 16
"""Threads that are remembered, the latest to call a tool."""

TREES = 8
"""States of the working tree that are remembered: going back and forth between a few is no progress."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One thread's last calls, oldest first, and how much of a repeat each of them is (`tabstop.governor.patience`).

    since: how many of them were made since something new came of one.
    """

    calls: tuple[str, ...] = ()
    weights: tuple[int, ...] = ()
    since: int = 0
    runs: Runs = field(default_factory=Runs)


@dataclass(frozen=True, slots=True)
class RecentCalls:
    """The last calls by thread, the one that called last at the end, and the last states of the working tree."""

    lanes: dict[str, Lane] = field(default_factory=dict)
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
    match fact:
        case ToolStarted():
            lane = _begun(part.lanes.get(fact.thread, _NEW), fact, window)
            return _with(part, fact.thread, lane), False
        case ToolFinished():
            lane, further = _finished(part.lanes.get(fact.thread, _NEW), fact, window)
            return _with(part, fact.thread, lane), further
        case Answer() if (lane := part.lanes.get(fact.thread, _NEW)) is not _NEW:
            lane = Lane(lane.calls, lane.weights, lane.since, Runs(lane.runs.began, fact.at))
            return RecentCalls({**part.lanes, fact.thread: lane}, part.trees), False
        case Probed():
            return _probed(part, fact)
        case SubagentEnded() if fact.child in part.lanes:
            return RecentCalls({one: lane for one, lane in part.lanes.items() if one != fact.child}, part.trees), False
    return part, False


def times(part: RecentCalls, thread: str, key: str) -> int:
    """How often this thread made this call since something new came of one, within the window; waits count little."""
    lane = part.lanes.get(thread, _NEW)
    first = len(lane.calls) - lane.since
    weights = [weight for call, weight in zip(lane.calls[first:], lane.weights[first:], strict=True) if call == key]
    return 1 - -sum(weights[1:]) // WHOLE if weights and key else 0


_NEW = Lane()


def _with(part: RecentCalls, thread: str, lane: Lane) -> RecentCalls:
    lanes = part.lanes.copy()
    lanes.pop(thread, None)
    if len(lanes) >= THREADS:
        del lanes[next(iter(lanes))]
    lanes[thread] = lane
    return RecentCalls(lanes, part.trees)


def _begun(lane: Lane, fact: ToolStarted, window: int) -> Lane:
    key = key_of(fact.name, fact.arguments)
    if not key or waits(fact.name):
        return lane
    runs, before = patience.begun(lane.runs, key, fact)
    return _added(_weighed(lane, key, before), key, window, runs)


def _finished(lane: Lane, fact: ToolFinished, window: int) -> tuple[Lane, bool]:
    key = key_of(fact.name, fact.arguments)
    runs, weight = patience.ended(lane.runs, key, fact)
    if fact.unseen and key and not waits(fact.name):
        lane = _added(lane, key, window, runs)
    lane = _weighed(lane, key, weight)
    further = not fact.failed and does_work(fact.name) and lane.calls.count(key) <= 1
    since = min(lane.since, _from_its_start(lane.calls, key)) if further else lane.since
    return Lane(lane.calls, lane.weights, since, runs), further


def _added(lane: Lane, key: str, window: int, runs: Runs) -> Lane:
    calls, weights = (*lane.calls, key)[-window:], (*lane.weights, EIGHTH)[-window:]
    return Lane(calls, weights, min(lane.since + 1, window), runs)


def _weighed(lane: Lane, key: str, weight: int) -> Lane:
    """The last one of these calls counts so much; 0 where that is not known."""
    if not weight or key not in lane.calls:
        return lane
    place = len(lane.calls) - _from_its_start(lane.calls, key)
    if lane.weights[place] == weight:
        return lane
    weights = (*lane.weights[:place], weight, *lane.weights[place + 1 :])
    return Lane(lane.calls, weights, lane.since, lane.runs)


def _from_its_start(calls: tuple[str, ...], key: str) -> int:
    """How many calls were made since this one began, itself included; 0 when its start is not remembered."""
    return calls[::-1].index(key) + 1 if key in calls else 0


def _probed(part: RecentCalls, fact: Probed) -> tuple[RecentCalls, bool]:
    if fact.tree in part.trees:
        return part, False
    further = bool(part.trees)  # the first look shows no change
    lanes = {thread: replace(lane, since=0) for thread, lane in part.lanes.items()} if further else part.lanes
    return RecentCalls(lanes, (*part.trees, fact.tree)[-TREES:]), further
