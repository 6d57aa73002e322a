"""Throttle: at most so many tool calls a minute, at most so many identical ones, and the retry brake's pauses.

A call that comes too early is told how long to wait, and its place is booked then; so calls that wait as they are told never
exceed the rate in any minute, however many come at once. What would have to wait for more than a minute is denied instead: no
hook may hang for longer. Identical calls wait too, rather than being denied: waiting costs nothing, while every denial is
answered by a model that is paid for, often with the same call.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil

from tabstop.governor import retry
from tabstop.governor.facts import Fact, ToolFinished, ToolStarted
from tabstop.governor.orders import Act, Advice, Event, EventKind
from tabstop.governor.recent_calls import is_call, key_of
from tabstop.governor.retry import Retries
from tabstop.governor.settings import Settings, Throttle
from tabstop.governor.tool_kinds import named
from tabstop.quantity import plural
from tabstop.session import SessionOutcome
from tabstop.verdict import Finding, Outcome, Signal

MINUTE = timedelta(minutes=1)

CALLS, IDENTICAL, RETRY = "calls_per_minute", "identical_per_minute", "retry"
"""The rules, as their findings name them."""

STARTS = 1_200
"""Starts that are remembered: a minute of the highest rate there may be, and as many booked ahead."""


@dataclass(frozen=True, slots=True)
class Start:
    """When a call began, or may begin. call: empty when its arguments are not known."""

    at: datetime
    call: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """The starts of the last minute and those booked ahead, earliest first. at: when the last fact was told.

    slowed_until: until when the last call had to wait; people are told once per stretch of such calls.
    """

    starts: tuple[Start, ...] = ()
    at: datetime | None = None
    slowed_until: datetime | None = None
    retries: Retries = field(default_factory=Retries)


def pace(part: Pace, fact: Fact, settings: Settings) -> tuple[Pace, tuple[Advice, ...], tuple[Event, ...]]:
    """How long this call has to wait; where calls are only seen when they have ended, how long the next one has to."""
    now = fact.at if part.at is None else max(fact.at, part.at)
    retries = retry.note(part.retries, fact, now, settings)
    if retries is not part.retries or now != part.at:
        part = Pace(part.starts, now, part.slowed_until, retries)
    if retries.held is not None:
        return part, (Advice(Act.SUSPEND, retries.held, ends_as=SessionOutcome.SUSPENDED),), ()
    if not isinstance(fact, ToolStarted | ToolFinished) or not is_call(fact):
        return part, (), ()
    starts = part.starts
    if starts and starts[0].at <= now - MINUTE:
        starts = starts[bisect_right(starts, now - MINUTE, key=_at) :]
    if isinstance(fact, ToolFinished):
        starts = _booked(starts, fact, now)
    until, why = _earliest(starts, fact, retries, now, settings.throttle)
    denied = isinstance(fact, ToolStarted) and until - now > MINUTE
    if isinstance(fact, ToolStarted) and not denied:
        starts = _booked(starts, fact, until)
    part = Pace(starts, now, part.slowed_until, retries)
    if until <= now:
        return part, (), ()
    finding = _slowed(why, fact, until, now, settings.throttle, denied=denied)
    act, seconds = (Act.DENY, 0.0) if denied else (Act.THROTTLE, (until - now).total_seconds())
    new = why != RETRY and (part.slowed_until is None or now > part.slowed_until + MINUTE)
    events = (Event(now, EventKind.THROTTLE, finding, fact.thread),) if new else ()
    slowed_until = part.slowed_until if why == RETRY else until
    return replace(part, slowed_until=slowed_until), (Advice(act, finding, fact.thread, seconds),), events


def _booked(starts: tuple[Start, ...], fact: ToolStarted | ToolFinished, at: datetime) -> tuple[Start, ...]:
    one = Start(at, key_of(fact.name, fact.arguments))
    if not starts or starts[-1].at <= at:
        return (*starts, one)[-STARTS:]
    with_it = list(starts)
    insort(with_it, one, key=_at)
    return tuple(with_it[-STARTS:])


def _at(start: Start) -> datetime:
    return start.at


def _earliest(
    starts: tuple[Start, ...], fact: ToolStarted | ToolFinished, retries: Retries, now: datetime, rules: Throttle
) -> tuple[datetime, str]:
    """When this call may begin by all rules at once, and which of them put it off last."""
    key = key_of(fact.name, fact.arguments)
    same = tuple(start for start in starts if start.call == key) if key else ()
    failing = retry.tried_again(retries, fact)
    until, why = max(now, failing.until) if failing else now, RETRY
    while True:
        free = _free(starts, rules.calls_per_minute, until)
        free_of_same = _free(same, rules.identical_per_minute, free)
        if free_of_same == until:
            return until, why
        until, why = free_of_same, CALLS if free_of_same == free else IDENTICAL


def _free(starts: tuple[Start, ...], most: int | None, since: datetime) -> datetime:
    """The first moment from then on at which one more start leaves no minute with more than `most`."""
    if most is not None:
        for first, last in zip(starts, starts[most - 1 :], strict=False):  # each `most` in a row
            if last.at - first.at < MINUTE and last.at - MINUTE < since < first.at + MINUTE:
                since = first.at + MINUTE
    return since


def _slowed(
    why: str, fact: ToolStarted | ToolFinished, until: datetime, now: datetime, rules: Throttle, *, denied: bool
) -> Finding:
    tool, seconds = named(fact.name), ceil((until - now).total_seconds())
    signal = Signal.RETRY if why == RETRY else Signal.RATE
    cap = None if why == RETRY else getattr(rules, why)
    said = {
        CALLS: f"At most {plural(cap or 0, 'tool call')} a minute may be made",
        IDENTICAL: f"{tool} may be called at most {plural(cap or 0, 'time')} a minute with the same arguments",
        RETRY: f"{tool} failed with the same arguments",
    }[why]
    sentence = f"{said}: {f'denied, try again in {seconds} s' if denied else f'wait {seconds} s'}."
    return Finding(signal, Outcome.WARN, why, sentence, subject=fact.name, cap=cap, retry_at=until)
