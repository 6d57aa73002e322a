"""Repetition: whether a thread does again what it did, says again what it said, and gets anywhere.

A tool call that was not made before brings it further, and so does a working tree that looks as it did not before; after that
everything may be worth doing again. What is not known is taken for new. Threads are measured apart: subagents side by side may
well begin with the same calls and the same words.

Counted in eighths: whoever waits repeats less than a whole call (`tabstop.governor.patience`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tabstop.governor import patience
from tabstop.governor.facts import Answer, Fact, Probed, SubagentEnded, ToolFinished, ToolStarted
from tabstop.governor.likeness import alike
from tabstop.governor.patience import EIGHTH, WHOLE, Runs
from tabstop.governor.recent_calls import key_of

THREADS = 32
CALLS = 256
"""Different calls a thread is known to have made."""

TREES = 8


@dataclass(frozen=True, slots=True)
class Lane:
    """One thread.

    known: calls it made since the tree changed, as keys. again: eighths each of them was repeated since the last new call.
    latest: the call it repeated last. runs: the calls that run. step: what it did since its last answer, in eighths of an
    iteration without progress; None for no call yet. still: those eighths added up since the last progress. said: likenesses
    of its last answers. like: how many of them say nearly the same as the last; in turns: as the last two, counted twice as
    often as the rarer of them comes.
    """

    known: tuple[str, ...] = ()
    again: dict[str, int] = field(default_factory=dict)
    latest: str = ""
    runs: Runs = field(default_factory=Runs)
    step: int | None = None
    still: int = 0
    said: tuple[int, ...] = ()
    like: int = 0
    turns: bool = False

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
        return Repetition({one: lane for one, lane in part.lanes.items() if one != fact.child}, part.trees)
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
    return Repetition({thread: Lane(runs=it.runs, step=0) for thread, it in part.lanes.items()}, trees)


def _begun(lane: Lane, fact: ToolStarted) -> Lane:
    key = key_of(fact.name, fact.arguments)
    runs, before = patience.begun(lane.runs, key, fact) if key else (lane.runs, 0)
    return _called(_weighed(lane, key, before), key, runs)


def _finished(lane: Lane, fact: ToolFinished) -> Lane:
    key = key_of(fact.name, fact.arguments)
    runs, weight = patience.ended(lane.runs, key, fact)
    if fact.unseen:
        lane = _called(lane, key, runs)
    lane = _weighed(lane, key, weight)
    return Lane(lane.known, lane.again, lane.latest, runs, lane.step, lane.still, lane.said, lane.like, lane.turns)


def _called(lane: Lane, key: str, runs: Runs) -> Lane:
    if not key or key not in lane.known:
        known = (*lane.known, key)[-CALLS:] if key else lane.known
        return Lane(known, {}, "", runs, 0, 0, lane.said, lane.like, lane.turns)
    again = lane.again | {key: lane.again.get(key, 0) + EIGHTH}
    step = 0 if lane.step == 0 else max(lane.step or 0, EIGHTH)
    return Lane(lane.known, again, key, runs, step, lane.still, lane.said, lane.like, lane.turns)


def _weighed(lane: Lane, key: str, weight: int) -> Lane:
    """A call that was taken for a short wait turns out to weigh more."""
    if weight <= EIGHTH or key not in lane.again:
        return lane
    again = lane.again | {key: lane.again[key] + weight - EIGHTH}
    step = max(lane.step, weight) if lane.step else lane.step
    return Lane(lane.known, again, lane.latest, lane.runs, step, lane.still, lane.said, lane.like, lane.turns)


def _answered(lane: Lane, fact: Answer, window: int) -> Lane:
    like = 0 if fact.likeness is None else _like(lane.said, fact.likeness)
    step = lane.step
    if step is None:
        # An answer without a tool: words alone bring it further unless they were said before.
        step = WHOLE if like else 0
    said, turns = lane.said, False
    if fact.likeness is None:
        like, turns = lane.like, lane.turns
    elif 0 < step < WHOLE:
        like = 0  # whoever waits says so each time
    else:
        in_turns = 2 * min(like + 1, _like(said, said[-1])) if said and not alike(said[-1], fact.likeness) else 0
        like, turns = max(like + 1, in_turns), in_turns > like + 1
        said = (*said, fact.likeness)[1 - max(2, window) :]  # the next one makes the window full
    runs = Runs(lane.runs.began, fact.at)
    return Lane(lane.known, lane.again, lane.latest, runs, None, lane.still + step, said, like, turns)


def _like(said: tuple[int, ...], likeness: int) -> int:
    return sum(alike(one, likeness) for one in said)
