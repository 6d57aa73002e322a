"""Signs of a runaway: what each signal reads off a session at a fact, and how it says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tabstop.governor.backoff import Waiting
from tabstop.governor.facts import Answer, CallFailed, Fact, Tick, ToolFinished, ToolStarted
from tabstop.governor.rates import (
    QUIET_CALLS,
    QUIET_TOKENS,
    Rates,
    call_rate,
    calls_a_second,
    token_rate,
)
from tabstop.governor.recent_calls import is_call
from tabstop.governor.repetition import Lane, Repetition
from tabstop.governor.settings import Detector
from tabstop.governor.tool_kinds import named
from tabstop.quantity import plural, span
from tabstop.quantity import tokens as show_tokens


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything the signals read."""

    rates: Rates = field(default_factory=Rates)
    repetition: Repetition = field(default_factory=Repetition)
    waiting: Waiting = field(default_factory=Waiting)


@dataclass(frozen=True, slots=True)
class Sign:
    """One signal.

    unit: of its value and threshold, for `Finding.unit`. read: its value at this fact; None when the fact tells it nothing.
    holds: the largest value any thread shows, so that one thread's good turn does not hide another's bad one.
    say: the sentence. every: seconds between two observations that count, since hundreds of calls can fall into one second.
    grows: its value counts by itself, so only a larger one is a further observation.
    """

    unit: str
    read: Callable[[Seen, Fact, Detector], int | None]
    holds: Callable[[Seen, int], int]
    say: Callable[[Seen, Fact, int, Detector], str]
    every: int = 0
    grows: bool = False


def _token_spike(seen: Seen, fact: Fact, detector: Detector) -> int | None:
    if not isinstance(fact, Answer) or fact.more:
        return None
    if seen.rates.answers < detector.sample:
        return 0
    rate = token_rate(seen.rates)
    return rate.percent if rate.now >= QUIET_TOKENS else 0


def _tool_spike(seen: Seen, fact: Fact, detector: Detector) -> int | None:
    if not is_call(fact):
        return None
    if seen.rates.calls < detector.sample:
        return 0
    rate = call_rate(seen.rates)
    return rate.percent if rate.now >= QUIET_CALLS else 0


def _tool_rate(seen: Seen, fact: Fact, detector: Detector) -> int | None:
    if not is_call(fact):
        return None
    return calls_a_second(seen.rates) if len(seen.rates.called) >= detector.sample else 0


def _repeats(seen: Seen, fact: Fact, detector: Detector) -> int | None:
    if not is_call(fact):
        return None
    return _lane(seen, fact).repeats if seen.rates.calls >= detector.sample else 0


def _likeness(seen: Seen, fact: Fact, _detector: Detector) -> int | None:
    return _lane(seen, fact).like if isinstance(fact, Answer) and not fact.more and fact.likeness is not None else None


def _no_progress(seen: Seen, fact: Fact, detector: Detector) -> int | None:
    if not isinstance(fact, Answer) or fact.more:
        return None
    return _lane(seen, fact).idle if seen.rates.answers >= detector.sample else 0


def _backoff(seen: Seen, fact: Fact, detector: Detector) -> int | None:
    if isinstance(fact, Answer):
        return 0
    if not isinstance(fact, CallFailed | Tick) or seen.waiting.since is None:
        return None
    told = seen.waiting.until is not None
    return seen.waiting.seconds if told or seen.waiting.failures >= detector.sample else 0


def _lane(seen: Seen, fact: Fact) -> Lane:
    return seen.repetition.lanes.get(getattr(fact, "thread", ""), Lane())


def _own(_seen: Seen, value: int) -> int:
    """A value of the whole session."""
    return value


def _of_lanes(reading: Callable[[Lane], int]) -> Callable[[Seen, int], int]:
    return lambda seen, _value: max(map(reading, seen.repetition.lanes.values()), default=0)


def _say_tokens(seen: Seen, _fact: Fact, value: int, _detector: Detector) -> str:
    rate = token_rate(seen.rates)
    return (
        f"The session uses {show_tokens(rate.now)} tokens a minute, cache reads not counted: {value / 100:.1f} times its "
        f"average before ({show_tokens(rate.before)})."
    )


def _say_calls(seen: Seen, _fact: Fact, value: int, _detector: Detector) -> str:
    rate = call_rate(seen.rates)
    return f"The session makes {rate.now:,} tool calls a minute, {value / 100:.1f} times its average before ({rate.before:,})."


def _say_rate(_seen: Seen, _fact: Fact, value: int, detector: Detector) -> str:
    return f"The session calls tools {value:,} times a second; the policy allows fewer than {detector.threshold:,}."


def _say_repeats(_seen: Seen, fact: Fact, value: int, _detector: Detector) -> str:
    tool = named(fact.name) if isinstance(fact, ToolStarted | ToolFinished) else "A tool"
    return f"{tool} was called {value} times with the same arguments, and nothing new happened in between."


def _say_likeness(seen: Seen, fact: Fact, value: int, detector: Detector) -> str:
    what = "one of two things, each time nearly the same" if _lane(seen, fact).turns else "nearly the same"
    return f"{value} of the last {detector.sample} answers say {what}."


def _say_no_progress(_seen: Seen, _fact: Fact, value: int, _detector: Detector) -> str:
    return f"For {plural(value, 'iteration')} no tool was called in a new way and nothing changed in the working tree."


def _say_backoff(seen: Seen, _fact: Fact, value: int, _detector: Detector) -> str:
    failures = seen.waiting.failures
    row = " in a row" if failures > 1 else ""
    return (
        f"The session waits for its vendor: {plural(failures, 'request')}{row} without an answer, {span(value)} in all."
    )


SIGNS: dict[str, Sign] = {
    "token_spike": Sign("percent", _token_spike, _own, _say_tokens),
    "tool_spike": Sign("percent", _tool_spike, _own, _say_calls, every=10),
    "tool_rate": Sign("calls a second", _tool_rate, _own, _say_rate, every=1),
    "repeats": Sign("calls", _repeats, _of_lanes(lambda lane: lane.repeats), _say_repeats, grows=True),
    "likeness": Sign("answers", _likeness, _of_lanes(lambda lane: lane.like), _say_likeness),
    "no_progress": Sign("iterations", _no_progress, _of_lanes(lambda lane: lane.idle), _say_no_progress, grows=True),
    "backoff": Sign("seconds", _backoff, _own, _say_backoff, every=60),
}
"""By name, as in `tabstop.governor.settings.Runaway`."""

READ_FROM: dict[type, tuple[str, ...]] = {
    Answer: ("token_spike", "likeness", "no_progress"),
    ToolStarted: ("tool_spike", "tool_rate", "repeats"),
    ToolFinished: ("tool_spike", "tool_rate", "repeats"),
    CallFailed: ("backoff",),
    Tick: ("backoff",),
}
"""Which signals a fact can begin; one that shows is looked at with every fact."""
