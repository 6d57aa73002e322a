"""A simulated session: one clock, the governor's own state, and what happened in each iteration.

It stands where a proxy with hooks stands: every fact goes through `tabstop.governor.machine.govern`, every model request is
reserved before it is sent, and what ends the session ends it here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tabstop.governor.facts import Answer, CallFailed, Fact, Tick, ToolStarted, Unaffordable
from tabstop.governor.limits import Totals
from tabstop.governor.machine import Decision, govern
from tabstop.governor.orders import PROCEED, Act, EventKind, Order
from tabstop.governor.reservation import Demand, Held, Refused, Wait, decide, room
from tabstop.governor.settings import Settings
from tabstop.governor.state import State
from tabstop.lab.record import Iteration, Note, Sighting, Used
from tabstop.money import Nano
from tabstop.price_card import PriceCard, cost_of
from tabstop.session import SessionOutcome
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Finding, Signal

LONGEST_ANSWER = 32_000
"""Tokens a simulated client allows for one answer."""

TICK = timedelta(seconds=5)
"""How often somebody looks at the clock while nothing else happens."""

TOLD = {EventKind.ALERT, EventKind.TRIP, EventKind.STOP, EventKind.SUSPEND}
"""Events that people hear of."""


class SessionOver(Exception):  # noqa: N818 - how a script is left, no fault
    """The session has come to its end: stopped, or its time on the fake clock is over."""


@dataclass
class LabSession:
    """A session as it goes.

    settings: None for one that nobody governs. until: when its time is over. heeds: it does what it is told in words,
    not only what is enforced. After the end: `alert` is the first thing people heard of, `refusal` the first call or subagent
    that was refused, or stopped, though no limit was near, `stop` what ended it. before: its totals when it ran away. tally: what
    it used when nobody governs it.
    """

    settings: Settings | None
    card: PriceCard
    now: datetime
    until: datetime
    heeds: bool = True
    state: State = field(default_factory=State)
    totals: Totals = field(default_factory=Totals)
    tally: Used = field(default_factory=Used)
    iterations: list[Iteration] = field(default_factory=list)
    coming: tuple[Note, ...] = ()
    trees: int = 0
    output: int = 0
    begun: datetime = field(init=False)
    runaway_from: int = 0
    ran_away_at: datetime = field(init=False)
    before: Totals = field(default_factory=Totals)
    alert: Sighting | None = None
    refusal: Sighting | None = None
    stop: Sighting | None = None
    outcome: SessionOutcome | None = None

    def __post_init__(self) -> None:
        """It begins now."""
        self.begun = self.ran_away_at = self.now

    def run_away(self) -> None:
        """From the next iteration on it is no healthy session any more."""
        self.runaway_from, self.ran_away_at, self.before = len(self.iterations) + 1, self.now, self.totals

    def tell(self, fact: Fact) -> Order:
        """Tell the governor. Raises `SessionOver` when that ends the session, or its time is over."""
        order = self._told(fact)
        while order.act is Act.ASK:  # nobody answers in a lab
            order = self._told(Tick(self.now + TICK, getattr(fact, "thread", "")))
        if order.ends_as is not None and order.thread is None:
            self.stop = self._sighting(order.findings[0])
            self.outcome = order.ends_as
            raise SessionOver
        return order

    def _told(self, fact: Fact) -> Order:
        if fact.at > self.until:
            raise SessionOver
        self.now = max(self.now, fact.at)
        if self.settings is None:
            self._tally(fact)
            return PROCEED
        decision = govern(self.state, fact, self.settings)
        self.state, self.totals = decision.state, decision.state.totals
        self._write_down(fact, decision)
        return decision.order

    def _tally(self, fact: Fact) -> None:
        """Where nobody governs: the four counts, and nothing else of `tabstop.governor.limits.count`, which takes its time."""
        used = self.tally
        if isinstance(fact, Answer):
            used.tokens += fact.tokens.total
            used.iterations += 1
            used.cost += fact.cost or 0
        elif isinstance(fact, ToolStarted):
            used.tool_calls += 1

    def cost(self, model: str, tokens: Tokens) -> Nano:
        """Nano-dollars by the price card. Raises `ValueError` for a model that is not on it."""
        found = cost_of(Usage((), model, tokens, self.begun), self.card.prices.get(model)).nano
        if found is None:
            raise ValueError(f"no price is known for {model}")
        return found

    def demand(self, model: str, prompt: int, output: int, *, uncached: bool) -> Demand:
        """What a request may use at most, with an answer of at most so many tokens."""

        def cost(tokens: Tokens) -> Nano:
            return self.cost(model, tokens)

        return Demand(prompt, output, 1, cost, "input" if uncached else "cache_write_5m")

    def reserve(self, demand: Demand, thread: str, *, last: bool = False) -> int | Order:
        """How long the answer may be, or what is to be done since the request was not sent. last: it is the last answer."""
        if self.settings is None:
            return demand.output
        left = room(self.totals, self.settings, Held(), last=last)
        decided = decide(demand, left, left)
        if isinstance(decided, Refused):
            return self.tell(Unaffordable(self.now, decided.limit, decided.needed, thread, last))
        assert not isinstance(decided, Wait)  # noqa: S101 - no other request is under way to wait for
        return decided.output

    def worst_last(self, model: str, prompt: int, *, uncached: bool) -> Held:
        """What one last answer takes at most; nothing where nobody governs."""
        if self.settings is None:
            return Held()
        return self.demand(model, prompt, self.settings.exhaustion.summary_tokens, uncached=uncached).worst()

    def next_call(self, model: str, prompt: int, *, uncached: bool) -> Held:
        """What the next request takes at least; nothing where nobody governs."""
        return Held() if self.settings is None else self.demand(model, prompt, 1, uncached=uncached).worst()

    def note(self, kind: str, sentence: str, scope: str = "") -> None:
        """Write something down beside the last iteration."""
        self._add(notes=(Note(kind, scope, sentence),))

    def expect(self, kind: str, sentence: str) -> None:
        """Write something down beside the next iteration."""
        self.coming = (*self.coming, Note(kind, "", sentence))

    def ran(self, calls: int) -> None:
        """Tools were called."""
        self._add(calls=calls)

    def waited(self, seconds: float) -> None:
        """An order holds the agent up."""
        self._add(waited=seconds)

    def denied(self, order: Order) -> None:
        """A call or a subagent was refused."""
        self._add(denied=1)
        self.held_back(order)

    def held_back(self, order: Order) -> None:
        """Something did not go on as it would have, and no limit was near."""
        finding = order.findings[0]
        if finding.signal not in {Signal.DEGRADATION, Signal.LIMIT} and self.refusal is None:
            self.refusal = self._sighting(finding)
            self.note("refused", finding.sentence, finding.scope)

    def _add(self, **more: Any) -> None:
        if self.iterations:
            last = self.iterations[-1]
            self.iterations[-1] = replace(last, **{name: getattr(last, name) + by for name, by in more.items()})

    def _write_down(self, fact: Fact, decision: Decision) -> None:
        if isinstance(fact, Answer | CallFailed):
            self._open(fact)
        if self.iterations:
            self.iterations[-1] = replace(self.iterations[-1], totals=decision.state.totals)
        for event in decision.events:
            finding = event.finding
            if finding is None or finding.scope == "defaults":
                continue
            self.note(event.kind.value, finding.sentence, finding.scope)
            if event.kind in TOLD and finding.signal is not Signal.SILENCE and self.alert is None:
                self.alert = self._sighting(finding)

    def _open(self, fact: Answer | CallFailed) -> None:
        one = Iteration(
            len(self.iterations) + 1,
            (fact.at - self.begun).total_seconds(),
            fact.thread,
            self.totals,
            notes=self.coming,
        )
        if isinstance(fact, Answer):
            one = replace(one, model=fact.model, tokens=fact.tokens.total, cost=fact.cost or 0)
            self.output += fact.tokens.output
        self.iterations.append(one)
        self.coming = ()

    def _sighting(self, finding: Finding) -> Sighting:
        number = max(1, len(self.iterations))
        of_runaway = max(1, number + 1 - self.runaway_from) if self.runaway_from else 0
        return Sighting(
            finding.scope,
            finding.signal,
            number,
            of_runaway,
            (self.now - self.begun).total_seconds(),
            self.totals,
            finding.sentence,
            finding.remedy,
        )
