"""What a session has to tell its server: usage, events and gauges, cut into batches, kept until the server has them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import replace

from tabstop.agents.gemini.hooks import TOLD_BY_HOOKS
from tabstop.beside.delivery import CALLS_A_BATCH, batches_of
from tabstop.beside.journal import Entry
from tabstop.breaker_memory import BreakerMetric
from tabstop.gauge import Gauge, GaugeReading, newest
from tabstop.governor.facts import Answer
from tabstop.governor.limits import UNITS
from tabstop.governor.orders import Event, EventKind
from tabstop.usage import Tokens
from tabstop.verdict import Signal
from tabstop.wire import BreakerTrip, Call, SessionEvent, UsageBatch

MOST_TRIPS, MOST_EVENTS, MOST_GAUGES = 20, 200, 50
"""The server takes no more at once, and keeps no more of a session."""

MOST_MEASURED = 1_000_000_000_000_000
"""Of any number; the server takes no larger one."""

_UNITS = frozenset(UNITS.values())
_FOREIGN = re.compile(r"[^A-Za-z0-9_.:-]")


class ReportQueue:
    """What waits. Safe to use from several threads; nothing here waits for the network."""

    def __init__(self, own: str) -> None:
        """own: begins the keys of usage that comes without one, such as a library's."""
        self._own = own
        self._lock = threading.Lock()
        self._calls: dict[str, Call] = {}
        self._trips: dict[BreakerTrip, None] = {}
        self._events: dict[SessionEvent, None] = {}
        self._gauges: dict[Gauge, GaugeReading] = {}
        self._keyless = 0
        self._most = CALLS_A_BATCH
        self.left_out = 0
        """Calls that the server refused to take."""

    def add_call(self, call: Call) -> None:
        """Keep it, in place of what was told of the same one before."""
        with self._lock:
            if not call.keys:
                self._keyless += 1
                call = replace(call, keys=(f"{self._own}:{call.occurred_at:%Y%m%dT%H%M%S%f}:{self._keyless}",))
            self._calls[call.keys[0]] = call

    def add_event(self, event: Event) -> None:
        """Keep it as the wire has it: a trip of its own kind, everything else in numbers."""
        trip, told = trip_of(event), event_of(event)
        with self._lock:
            if trip is not None and len(self._trips) < MOST_TRIPS:
                self._trips[trip] = None
            elif trip is None and len(self._events) < MOST_EVENTS:
                self._events[told] = None

    def add_gauge(self, reading: GaugeReading) -> None:
        """Keep it unless a newer one of the same window waits."""
        with self._lock:
            self._gauges = newest((*self._gauges.values(), reading))

    def put_back(self, batches: Iterable[UsageBatch]) -> None:
        """Keep what waited elsewhere; what is known here by now is newer."""
        for batch in batches:
            with self._lock:
                self._calls = {**{call.keys[0]: call for call in batch.calls}, **self._calls}
                self._trips.update(dict.fromkeys(batch.trips))
                self._events.update(dict.fromkeys(batch.events))
                self._gauges = newest((*batch.gauges, *self._gauges.values()))

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not (self._calls or self._trips or self._events or self._gauges)

    @property
    def is_pressing(self) -> bool:
        """Whether there is a batch's worth, or something people should hear of at once."""
        at_once = {EventKind.STOP, EventKind.SUSPEND, EventKind.ASK}
        return (
            len(self._calls) >= self._most or bool(self._trips) or any(e.kind in at_once for e in tuple(self._events))
        )

    def next_batch(self) -> UsageBatch:
        """The oldest that waits, empty when nothing does. It waits on until `arrived` or `refused`."""
        with self._lock:
            calls = tuple(self._calls.values())[: self._most]
            gauges = tuple(self._gauges.values())[:MOST_GAUGES]
            return UsageBatch(calls, trips=tuple(self._trips)[:MOST_TRIPS], events=tuple(self._events), gauges=gauges)

    def arrived(self, batch: UsageBatch) -> None:
        """The server has it. A call that has grown meanwhile waits on."""
        with self._lock:
            for call in batch.calls:
                if self._calls.get(call.keys[0]) == call:
                    del self._calls[call.keys[0]]
            for trip in batch.trips:
                self._trips.pop(trip, None)
            for event in batch.events:
                self._events.pop(event, None)
            for reading in batch.gauges:
                if self._gauges.get(reading.gauge) == reading:
                    del self._gauges[reading.gauge]

    def refused(self, batch: UsageBatch) -> None:
        """The server will never take it: find the part that is at fault, so that the rest arrives.

        First trips, events and gauges go, which the session's folder has; then batches get smaller, down to the one call that
        is left out.
        """
        if batch.trips or batch.events or batch.gauges:
            self.arrived(replace(batch, calls=()))
        elif len(batch.calls) > 1:
            self._most = len(batch.calls) // 2
        else:
            self.arrived(batch)
            self.left_out += len(batch.calls)
            self._most = CALLS_A_BATCH

    def everything(self) -> tuple[UsageBatch, ...]:
        """All that waits, as batches."""
        with self._lock:
            calls = batches_of(tuple(self._calls.values()))
            if not (self._trips or self._events or self._gauges):
                return calls
            first = calls[0] if calls else UsageBatch()
            trips, events, gauges = tuple(self._trips), tuple(self._events), tuple(self._gauges.values())[:MOST_GAUGES]
            return (replace(first, trips=trips, events=events, gauges=gauges), *calls[1:])


def calls_of(entries: Iterable[Entry]) -> list[Call]:
    """The calls that a journal knows of, for a report that was cut off. What a settle step finds in the logs says more.

    How long cache writes live is not in a journal, nor what of a prompt Gemini CLI's hooks did not know; web searches and tools are
    not either.
    """
    found: dict[tuple[str, ...], Call] = {}
    for entry in entries:
        fact = entry.fact
        if not isinstance(fact, Answer) or not entry.keys:
            continue
        before = found.get(entry.keys)
        tokens = fact.tokens + (before.tokens if before else Tokens())
        at = before.occurred_at if before else fact.at
        known = not tokens.cache_write_5m and not any(key.startswith(TOLD_BY_HOOKS) for key in entry.keys)
        found[entry.keys] = Call(entry.keys, fact.model, tokens, at, fact.thread, cache_split_known=known)
    return list(found.values())


def trip_of(event: Event) -> BreakerTrip | None:
    """A breaker's or a runaway signal's trip; None for any other event."""
    finding = event.finding
    if event.kind is not EventKind.TRIP or finding is None:
        return None
    value, threshold = _bounded(finding.spent), _bounded(finding.cap or 0)
    if finding.signal is Signal.RUNAWAY:
        return BreakerTrip(BreakerMetric.RUNAWAY, value, threshold, event.at, _named(finding.scope))
    metric = BreakerMetric(finding.scope)
    if metric is BreakerMetric.TOOL_FAILURES:
        value, threshold = min(value, 100), min(threshold, 100)
    return BreakerTrip(metric, value, threshold, event.at, _named(finding.subject))


def event_of(event: Event) -> SessionEvent:
    """Kind, signal, scope and numbers; no sentence, nothing of what was asked or answered."""
    finding = event.finding
    if finding is None:
        return SessionEvent(event.kind, event.at)
    return SessionEvent(
        event.kind,
        event.at,
        finding.signal,
        _named(finding.scope),
        _named(finding.subject),
        finding.unit if finding.unit in _UNITS else "",
        _bounded(finding.spent),
        None if finding.cap is None else _bounded(finding.cap),
        _bounded(finding.asked),
    )


def _named(text: str) -> str:
    return _FOREIGN.sub("_", text)[:100]


def _bounded(number: int) -> int:
    return min(max(0, number), MOST_MEASURED)
