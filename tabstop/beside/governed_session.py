"""A governed session: the machine with its memory. Every attach point tells it facts and obeys its orders; thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from tabstop.beside.journal import Entry, Journal
from tabstop.beside.pricing import Pricer, assumption
from tabstop.governor.facts import Answer, Fact, Heartbeat, Resumed, Tick, ToolFinished, ToolStarted
from tabstop.governor.machine import govern
from tabstop.governor.orders import PROCEED, Event, EventKind, Order
from tabstop.governor.settings import Settings, UnknownPrice
from tabstop.governor.state import State
from tabstop.money import Nano
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Finding, Outcome, Signal

OnEvent = Callable[[Event, Order], None]
OnUsage = Callable[[Usage], None]

CALLS_KEPT = 4_096
"""Tool calls whose ids are remembered, so that two attach points that see the same call count it once."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """What was counted of one answer so far."""

    tokens: Tokens
    cost: Nano | None


def _not_kept(error: OSError) -> Finding:
    sentence = (
        f"What this session uses cannot be written down ({error.strerror or error}). Its limits hold while the process that "
        "watches it lives; what that could not write by then is missing when the session goes on."
    )
    return Finding(
        Signal.LIMIT, Outcome.WARN, "journal", sentence, remedy="Make room on the disk that holds the session."
    )


class GovernedSession:
    """One session. Facts may come from several threads; they are taken one after the other.

    on_event: called for everything worth logging or reporting; on_usage: for every answer that is new, or larger than told
    before. Both in the thread that told the fact, which may hold the lock: they hand over to a queue and return.
    """

    def __init__(
        self,
        settings: Settings,
        pricer: Pricer,
        now: Callable[[], datetime],
        *,
        journal: Journal | None = None,
        on_event: OnEvent = lambda _event, _order: None,
        on_usage: OnUsage = lambda _usage: None,
    ) -> None:
        """Take up the session where its journal ends; without one it lives in memory only."""
        self.settings = settings
        self.pricer = pricer
        self.now = now
        self._journal = journal
        self._listeners: tuple[tuple[OnEvent, OnUsage], ...] = ((on_event, on_usage),)
        self._lock = threading.RLock()
        self._state = State()
        self._counted: dict[str, _Counted] = {}
        self._calls: dict[str, None] = {}
        self._unwritten = False
        self._passed: Entry | None = None
        self._unlisted: set[str] = set()
        for entry in journal.entries() if journal is not None else ():
            self._state = govern(self._state, entry.fact, settings).state
            self._note_call(entry.fact)
            if isinstance(entry.fact, Answer):
                self._count(entry.keys, entry.fact)

    def listen(self, on_event: OnEvent, on_usage: OnUsage) -> None:
        """Tell these as well, from now on."""
        self._listeners = (*self._listeners, (on_event, on_usage))

    @property
    def state(self) -> State:
        """Everything it remembers, at this moment."""
        return self._state

    @property
    def lock(self) -> threading.RLock:
        """Held while a decision depends on several facts, such as a reservation."""
        return self._lock

    def tell(self, fact: Fact) -> Order:
        """Take in one fact; the order is for the thread it is about."""
        return self._tell(Entry(fact))

    def order(self, thread: str = "") -> Order:
        """What to do now; nothing happened but time."""
        return self.tell(Tick(self.now(), thread))

    def answered(
        self,
        usage: Usage,
        *,
        thread: str = "",
        likeness: int | None = None,
        reserve: Nano = 0,
        reserve_tokens: int = 0,
        next_call: Nano = 0,
        next_call_tokens: int = 0,
        assumed: bool = False,
        told: Usage | None = None,
        unread: bool = False,
    ) -> Order:
        """Take in one model answer, told any number of times under any of its keys, growing or not.

        thread: empty for the main one. The clock is ours: an answer counts when it becomes known. assumed: what it used was
        not told, and this is its worst case: it counts here and is not reported as usage. told: what of an assumed one the
        vendor told before it broke off, which is reported. unread: as in `Answer`.
        """
        if unread:
            return self._unread(usage, thread)
        with self._lock:
            before = next((self._counted[key] for key in usage.keys if key in self._counted), None)
            cost, unlisted = self.pricer.cost(usage)
            if unlisted:
                cost = self._without_a_price(usage, cost)
            tokens = usage.tokens
            if before is not None:
                tokens = (usage.tokens - before.tokens).at_least_zero()
                grown = (cost or 0) - (before.cost or 0)
                if not tokens.total and grown <= 0:
                    return self.order(thread)
                cost = None if cost is None else max(0, grown)
            fact = Answer(
                self.now(),
                usage.model,
                tokens,
                cost,
                thread,
                assumed=(assumed or unlisted) and cost is not None,
                more=before is not None,
                likeness=likeness,
                reserve=reserve,
                reserve_tokens=reserve_tokens,
                next_call=next_call,
                next_call_tokens=next_call_tokens,
            )
            order = self._tell(Entry(fact, usage.keys))
            self._count(usage.keys, fact)
        reported = told if assumed else usage
        if reported is not None:
            for _, on_usage in self._listeners:
                on_usage(reported)
        return order

    def _unread(self, usage: Usage, thread: str) -> Order:
        """An answer of which only that it was made is known. One that was counted is told by somebody who could read it."""
        with self._lock:
            if self.knows(usage.keys):
                return self.order(thread)
            fact = Answer(self.now(), usage.model, thread=thread, unread=True)
            order = self._tell(Entry(fact, usage.keys))
            self._count(usage.keys, fact)
        return order

    def _without_a_price(self, usage: Usage, assumed: Nano | None) -> Nano | None:
        """What to count for it. Where the policy stops what has no price, nothing is assumed. Said once of each model."""
        cost = None if self.settings.unpriced is UnknownPrice.BLOCK else assumed
        if usage.model not in self._unlisted:
            self._unlisted.add(usage.model)
            sentence = assumption(self.pricer.card if cost is not None else None, usage)
            finding = Finding(Signal.PRICE, Outcome.WARN, "model", sentence, subject=usage.model)
            for on_event, _ in self._listeners:
                on_event(Event(self.now(), EventKind.ALERT, finding), PROCEED)
        return cost

    def knows(self, keys: tuple[str, ...]) -> bool:
        """Whether an answer with one of these keys was counted."""
        return any(key in self._counted for key in keys)

    def heard_of(self, call: str) -> bool:
        """Whether a tool call with this id was told."""
        return call in self._calls

    def _note_call(self, fact: Fact) -> None:
        if isinstance(fact, ToolStarted | ToolFinished) and fact.call:
            self._calls[fact.call] = None
            if len(self._calls) > CALLS_KEPT:
                del self._calls[next(iter(self._calls))]

    def _tell(self, entry: Entry) -> Order:
        with self._lock:
            self._note_call(entry.fact)
            before, decision = self._state, govern(self._state, entry.fact, self.settings)
            self._state = decision.state
            events = decision.events
            # Time alone is not written down, unless something came of it, or what comes next is measured from it.
            if not decision.events and isinstance(entry.fact, Tick | Heartbeat):
                self._passed = entry
            else:
                running = before.totals.running_since is not None
                if self._passed is not None and running and isinstance(entry.fact, Resumed):
                    events += self._write_down(self._passed)
                self._passed = None
                events += self._write_down(entry)
        for event in events:
            for on_event, _ in self._listeners:
                on_event(event, decision.order)
        return decision.order

    def _write_down(self, entry: Entry) -> tuple[Event, ...]:
        """Into the journal. A disk that takes nothing changes no order: the session goes on from memory, and it is said once."""
        if self._journal is None:
            return ()
        try:
            self._journal.append(entry)
        except OSError as error:
            said, self._unwritten = self._unwritten, True
            return () if said else (Event(entry.fact.at, EventKind.ALERT, _not_kept(error)),)
        self._unwritten = False
        return ()

    def _count(self, keys: tuple[str, ...], fact: Answer) -> None:
        before = next((self._counted[key] for key in keys if key in self._counted), None)
        counted = _Counted(fact.tokens, fact.cost)
        if before is not None:
            cost = None if before.cost is None and fact.cost is None else (before.cost or 0) + (fact.cost or 0)
            counted = replace(before, tokens=before.tokens + fact.tokens, cost=cost)
        for key in keys:
            self._counted[key] = counted
