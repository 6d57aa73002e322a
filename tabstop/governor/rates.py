"""Rates: how fast a session uses tokens and calls tools now, beside how fast it did before. What a spike is measured by.

Tokens are those that were not read from the cache: a cache read costs little and grows with the context, however quietly an
agent works. Time is the time its threads are busy, so that eight subagents side by side are no spike, and an idle night does not
make the morning look like one. The largest answer of the last minute is left out: a cold cache or a compaction is large once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from tabstop.governor.facts import Answer, Fact, SubagentEnded, ToolFinished, ToolStarted
from tabstop.governor.recent_calls import is_call

SLICE = 10
"""Seconds of one slice."""

WINDOW = 6
"""Slices that make 'now': a minute."""

LEAST_NOW = 30_000
LEAST_PAST = 120_000
"""Milliseconds of work below which a rate says nothing: now, and before."""

LONGEST_STEP = 60_000
"""Milliseconds between two facts of a thread that count as work at most; the rest is waiting."""

REMEMBERED = 3_600_000
"""Milliseconds of work after which what lies behind counts half."""

QUIET_TOKENS = 200_000
"""A minute of one thread's work: a whole context window of new text. Whoever reads large files stays below it."""

QUIET_CALLS = 60
"""A minute of one thread's work: changing many files, one by one, stays below it."""

THREADS = 64
LONGEST_BURST = 256


@dataclass(frozen=True, slots=True)
class Slice:
    """Ten seconds. largest: tokens of its largest answer. busy: milliseconds its threads worked, added up."""

    number: int
    tokens: int = 0
    largest: int = 0
    calls: int = 0
    busy: int = 0


@dataclass(frozen=True, slots=True)
class Rates:
    """The last minute in slices, everything before it as one sum, and the times (unix milliseconds) of the last calls."""

    now: tuple[Slice, ...] = ()
    past: Slice = field(default_factory=lambda: Slice(0))
    answers: int = 0
    calls: int = 0
    last: dict[str, int] = field(default_factory=dict)
    called: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast now and before, both a minute of work. percent: now of before; 0 while too little is known."""

    now: int
    before: int
    percent: int


def take(part: Rates, fact: Fact, burst: int) -> Rates:
    """The rates with this fact. burst: over how many calls their absolute rate is measured."""
    if isinstance(fact, SubagentEnded) and fact.child in part.last:
        return replace(part, last={thread: at for thread, at in part.last.items() if thread != fact.child})
    if not isinstance(fact, Answer | ToolStarted | ToolFinished):
        return part
    at = _milliseconds(fact.at)
    before = part.last.get(fact.thread)
    busy = 0 if before is None else min(max(0, at - before), LONGEST_STEP)
    last = part.last.copy()
    last.pop(fact.thread, None)
    last[fact.thread] = at
    if len(last) > THREADS:
        del last[next(iter(last))]
    earlier, current, past = _slices(part, at // (SLICE * 1000))
    answers, calls, called = part.answers, part.calls, part.called
    tokens, largest, made = current.tokens, current.largest, current.calls
    if isinstance(fact, Answer):
        # Counts that were corrected downward take nothing back here: a rate is never below zero.
        fresh = max(0, fact.tokens.total - fact.tokens.cache_read)
        tokens, largest, answers = tokens + fresh, max(largest, fresh), answers + (not fact.more)
    elif is_call(fact):
        made, calls = made + 1, calls + 1
        called = (*called, at)[-max(2, min(burst, LONGEST_BURST)) :]
    current = Slice(current.number, tokens, largest, made, current.busy + busy)
    return Rates((*earlier, current), past, answers, calls, last, called)


def token_rate(part: Rates) -> Rate:
    """Tokens a minute of one thread's work."""
    tokens = sum(one.tokens for one in part.now) - max((one.largest for one in part.now), default=0)
    return _rate(part, tokens, part.past.tokens)


def call_rate(part: Rates) -> Rate:
    """Tool calls a minute of one thread's work."""
    return _rate(part, sum(one.calls for one in part.now), part.past.calls)


def calls_a_second(part: Rates) -> int:
    """Tool calls a second over the last calls, rounded down; 0 while there are fewer than two."""
    if len(part.called) < 2:
        return 0
    return (len(part.called) - 1) * 1000 // max(1, part.called[-1] - part.called[0])


def _rate(part: Rates, amount: int, past: int) -> Rate:
    now = amount * 60_000 // max(LEAST_NOW, sum(one.busy for one in part.now))
    if part.past.busy < LEAST_PAST:
        return Rate(now, 0, 0)
    before = past * 60_000 // part.past.busy
    return Rate(now, before, now * 100 // max(1, before))


def _slices(part: Rates, number: int) -> tuple[tuple[Slice, ...], Slice, Slice]:
    """The minute's slices before this moment's, this moment's, and the past. Time that runs backward stands still."""
    if part.now and part.now[-1].number >= number:
        return part.now[:-1], part.now[-1], part.past
    old = [one for one in part.now if one.number <= number - WINDOW]
    past = part.past
    for one in old:
        past = Slice(0, past.tokens + one.tokens, 0, past.calls + one.calls, past.busy + one.busy)
    if past.busy > REMEMBERED:
        past = Slice(0, past.tokens // 2, 0, past.calls // 2, past.busy // 2)
    return part.now[len(old) :], Slice(number), past


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
