"""Breaker: opens on failing tools, repeated calls or a cost rate; after its cooldown, or a release, it is tried again.

        trip               cooldown over, or released
    closed ─────▶ open ◀──────────────▶ half-open ─────▶ closed
                        trip, at once              it went well

A session has one breaker; what it is about is its latest trip. What counts as what:

- tool failures: a tool never worked and failed `only_failed` times; or so many percent of its last calls. A failed command that
  was followed by new work is a result, such as a red test, and does not count, unless no command ever worked: then twice as
  many failures do, whatever was done between (`tabstop.governor.tool_failures`).
- repeated calls: a thread made the same call so often among its last calls, and nothing new came of any in between
  (`tabstop.governor.recent_calls`); waiting on purpose counts little (`tabstop.governor.patience`).
- cost rate: dollars in the last minute, of some answers at least: one large prompt is not a rate.

Half-open, the next call decides: of that tool; the same call again or another that works; a minute below the cost rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tabstop.breaker_memory import BreakerMetric, BreakerState
from tabstop.governor import cost_rate, recent_calls, tool_failures
from tabstop.governor.cost_rate import MINUTE, Second
from tabstop.governor.facts import Answer, Fact, Probed, Released, ToolFinished, ToolStarted
from tabstop.governor.limits import Totals
from tabstop.governor.orders import Act, Advice, Event, EventKind
from tabstop.governor.recent_calls import RecentCalls
from tabstop.governor.settings import Breaker, Settings
from tabstop.governor.tool_failures import Tool
from tabstop.governor.tool_kinds import named
from tabstop.money import show
from tabstop.quantity import span
from tabstop.session import SessionOutcome
from tabstop.verdict import Finding, Outcome, Signal


@dataclass(frozen=True, slots=True)
class SessionBreaker:
    """How it stands, and what it measures by.

    trip: what opened it last; None while it is closed. since: when it came to stand so. call: the call that was repeated.
    """

    state: BreakerState = BreakerState.CLOSED
    trip: Finding | None = None
    since: datetime | None = None
    call: str = ""
    tools: tuple[Tool, ...] = ()
    recent: RecentCalls = field(default_factory=RecentCalls)
    cost: tuple[Second, ...] = ()


@dataclass(frozen=True, slots=True)
class _Trip:
    metric: BreakerMetric
    value: int
    threshold: int
    sentence: str
    subject: str = ""
    call: str = ""


def watch(
    part: SessionBreaker, fact: Fact, totals: Totals, settings: Settings, *, held: bool = False
) -> tuple[SessionBreaker, tuple[Advice, ...], tuple[Event, ...]]:
    """Measure, open, and close again. While it is open the session stands still, and what is told late is not measured.

    held: whether something else stops the session too, which no cooldown ends; so none is promised.
    """
    now = totals.last_at or fact.at
    part, events = _let_go(part, fact, now)
    if part.state is not BreakerState.OPEN:
        part = _measured(part, fact, now, settings.breaker)
        trip, passed = (None, False) if part.trip is None else _tried(part, part.trip, fact, now)
        trip = trip or _measure(part, fact, settings.breaker)
        if trip is not None:
            part = _opened(part, trip, now, settings)
            events += (Event(now, EventKind.TRIP, _as_told(part.trip, settings, held=held)),)
        elif passed:
            events += (Event(now, EventKind.CLOSE, part.trip),)
            part = replace(part, state=BreakerState.CLOSED, trip=None, since=now, call="")
    if part.state is not BreakerState.OPEN:
        return part, (), events
    told = _as_told(part.trip, settings, held=held)
    return part, (Advice(Act.HALT, told, ends_as=SessionOutcome.STOPPED_BREAKER),), events


def _let_go(part: SessionBreaker, fact: Fact, now: datetime) -> tuple[SessionBreaker, tuple[Event, ...]]:
    trip = part.trip
    tried = replace(part, state=BreakerState.HALF_OPEN, since=now) if part.state is BreakerState.OPEN else part
    if isinstance(fact, Released):
        return _forgotten(tried), ()
    if part.state is not BreakerState.OPEN or trip is None or trip.until is None or now < trip.until:
        return part, ()
    said = replace(trip, outcome=Outcome.WARN, sentence=_half_open(trip), until=None, retry_at=None, remedy="")
    return tried, (Event(now, EventKind.RELEASE, said),)


def _measured(part: SessionBreaker, fact: Fact, now: datetime, settings: Breaker) -> SessionBreaker:
    recent, further = recent_calls.observe(part.recent, fact, settings.window)
    if isinstance(fact, Answer):
        cost = cost_rate.spent(part.cost, fact, now)
        same = cost is part.cost and recent is part.recent
        return part if same else _with(part, recent, part.tools, cost)
    tools = part.tools
    if further and isinstance(fact, ToolFinished):
        tools = tool_failures.went_on(tools, fact.thread, fact.name)
    elif further and isinstance(fact, Probed):
        tools = tool_failures.went_on(tools, None, "")
    if isinstance(fact, ToolFinished):
        tools = tool_failures.finished(tools, fact, settings.window)
    return part if recent is part.recent else _with(part, recent, tools, part.cost)


def _with(
    part: SessionBreaker, recent: RecentCalls, tools: tuple[Tool, ...], cost: tuple[Second, ...]
) -> SessionBreaker:
    return SessionBreaker(part.state, part.trip, part.since, part.call, tools, recent, cost)


def _measure(part: SessionBreaker, fact: Fact, settings: Breaker) -> _Trip | None:
    if isinstance(fact, ToolFinished) and settings.failures_percent is not None:
        found = tool_failures.fault(part.tools, fact, settings.failures_percent, settings)
        if found is not None:
            return _Trip(BreakerMetric.TOOL_FAILURES, found[0], settings.failures_percent, found[1], fact.name)
    if isinstance(fact, ToolStarted | ToolFinished) and recent_calls.is_call(fact) and settings.repeats is not None:
        key = recent_calls.key_of(fact.name, fact.arguments)
        times = recent_calls.times(part.recent, fact.thread, key)
        if times >= min(settings.repeats, settings.window):
            return _repeated(fact.name, key, times, settings.repeats)
    if isinstance(fact, Answer) and settings.cost_per_minute is not None:
        cost, answers = cost_rate.in_a_minute(part.cost)
        if cost > settings.cost_per_minute and answers >= settings.cost_sample:
            return _spent(cost, settings.cost_per_minute)
    return None


def _tried(part: SessionBreaker, trip: Finding, fact: Fact, now: datetime) -> tuple[_Trip | None, bool]:
    """What came of the trial while it is half-open: a trip again; or whether it has gone well."""
    threshold = trip.cap or 0
    if trip.scope == BreakerMetric.COST_RATE:
        if part.since is not None and now - part.since >= MINUTE:
            return None, True
        cost, _ = cost_rate.in_a_minute(part.cost)
        return (_spent(cost, threshold) if cost > threshold else None), False
    if not isinstance(fact, ToolStarted | ToolFinished):
        return None, False
    worked = isinstance(fact, ToolFinished) and not fact.failed
    if trip.scope == BreakerMetric.REPEATED_CALLS:
        if recent_calls.key_of(fact.name, fact.arguments) != part.call:
            return None, worked
        again = recent_calls.is_call(fact)
        return (_repeated(trip.subject, part.call, trip.spent + 1, threshold) if again else None), False
    if fact.name != trip.subject or isinstance(fact, ToolStarted):
        return None, False
    said = f"{named(fact.name)} failed again when it was tried after the breaker had opened. It opens again."
    failed = _Trip(BreakerMetric.TOOL_FAILURES, 100, threshold, said, fact.name)
    return (None if worked else failed), worked


def _repeated(tool: str, call: str, times: int, threshold: int) -> _Trip:
    said = f"{named(tool)} was called {times} times with the same arguments, and nothing new came of it."
    said = f"{said} The breaker opens at {threshold:,}."
    return _Trip(BreakerMetric.REPEATED_CALLS, times, threshold, said, tool, call)


def _spent(cost: int, threshold: int) -> _Trip:
    said = f"The session spent {show(cost)} within a minute. The breaker opens above {show(threshold)} a minute."
    return _Trip(BreakerMetric.COST_RATE, cost, threshold, said)


def _opened(part: SessionBreaker, trip: _Trip, now: datetime, settings: Settings) -> SessionBreaker:
    until = now + timedelta(seconds=settings.breaker.cooldown)
    finding = Finding(
        Signal.BREAKER,
        Outcome.STOP,
        trip.metric.value,
        trip.sentence,
        subject=trip.subject,
        unit="usd" if trip.metric is BreakerMetric.COST_RATE else "",
        cap=trip.threshold,
        spent=trip.value,
        until=until,
        retry_at=until,
        remedy=f"Find out why, then run `tabstop release {settings.session}` and resume the agent.",
    )
    return replace(_forgotten(part), state=BreakerState.OPEN, trip=finding, since=now, call=trip.call)


def _as_told(trip: Finding | None, settings: Settings, *, held: bool) -> Finding | None:
    if trip is None or held:
        return trip
    waits = f"Without that it may try again after {span(settings.breaker.cooldown)}."
    return replace(trip, remedy=f"{trip.remedy} {waits}")


def _half_open(trip: Finding) -> str:
    if trip.scope == BreakerMetric.COST_RATE:
        return "The breaker's cooldown is over. If the next minute stays below the cost rate it closes, else it opens again."
    return f"The breaker's cooldown is over. The next calls of {named(trip.subject)} decide whether it closes or opens again."


def _forgotten(part: SessionBreaker) -> SessionBreaker:
    return replace(part, tools=tool_failures.forgotten(part.tools), recent=RecentCalls(), cost=())
