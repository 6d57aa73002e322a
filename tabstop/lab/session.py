"""A simulated session: one clock, the governor's own state, and what happened in each iteration.

It stands where a proxy with hooks stands: every fact goes through `tabstop.governor.machine.govern`, every model request is
reserved before it is sent, and what ends the session ends it here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tabstop.governor.facts import Answer, CallFailed, Fact, Tick, Unaffordable
from tabstop.governor.limits import Totals, count
from tabstop.governor.machine import Decision, govern
from tabstop.governor.orders import PROCEED, Act, Event, EventKind, Order
from tabstop.governor.reservation import Demand, Held, Refused, Wait, decide, room
from tabstop.governor.settings import Settings
from tabstop.governor.state import State
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


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a line. kind: an `EventKind`, or what the attach point did: `shortened`, `switched`, …"""

    kind: str
    scope: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Iteration:
    """One model request, answered or not, and the tools that followed it.

    seconds: since the beginning, when the answer came. tokens, cost: of this answer. calls, denied: tool calls that ran, and
    calls and subagents that were refused. waited: seconds for which orders held it up. totals: at its end.
    """

    number: int
    seconds: float
    thread: str
    model: str
    answered: bool
    tokens: int
    cost: Nano
    totals: Totals
    calls: int = 0
    denied: int = 0
    waited: float = 0.0
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something that a limit or a signal did for the first time. by: its scope.

    iteration: from the session's first. of_runaway: from the first that ran away; 0 before that, and in a healthy one.
    """

    by: str
    signal: Signal
    iteration: int
    of_runaway: int
    seconds: float
    sentence: str
    remedy: str = ""


@dataclass
class LabSession:
    """settings: None for a session that nobody governs. until: when its time is over. heeds: it does what it is told in words,
    not only what is enforced. After the end: `alert` is the first thing people heard of, `refusal` the first call or subagent
    that was refused as a runaway's, `stop` what ended it.
    """

    settings: Settings | None
    card: PriceCard
    now: datetime
    until: datetime
    heeds: bool = True
    state: State = field(default_factory=State)
    iterations: list[Iteration] = field(default_factory=list)
    trees: int = 0
    output: int = 0
    begun: datetime = field(init=False)
    runaway_from: int = 0
    alert: Sighting | None = None
    refusal: Sighting | None = None
    stop: Sighting | None = None
    outcome: SessionOutcome | None = None

    def __post_init__(self) -> None:
        """It begins now."""
        self.begun = self.now

    @property
    def totals(self) -> Totals:
        """What it has used."""
        return self.state.totals

    def tell(self, fact: Fact) -> Order:
        """Tell the governor. Raises `SessionOver` when that ends the session."""
        if fact.at > self.until:
            raise SessionOver
        self.now = max(self.now, fact.at)
        if self.settings is None:
            self.state = replace(self.state, totals=count(self.state.totals, fact))
            return PROCEED
        decision = govern(self.state, fact, self.settings)
        self.state = decision.state
        self._write_down(fact, decision)
        order = decision.order
        if order.act is Act.ASK:  # nobody answers in a lab
            return self.tell(Tick(max(fact.at, self.now) + TICK, getattr(fact, "thread", "")))
        if order.ends_as is not None and order.thread is None:
            self.stop = self._sighting(order.findings[0])
            self.outcome = order.ends_as
            raise SessionOver
        return order

    def cost(self, model: str, tokens: Tokens) -> Nano:
        """Nano-dollars by the price card. Raises `ValueError` for a model that is not on it."""
        found = cost_of(Usage((), model, tokens, self.begun), self.card.prices.get(model)).nano
        if found is None:
            raise ValueError(f"no price is known for {model}")
        return found

    def demand(self, model: str, prompt: int, *, uncached: bool, output: int = LONGEST_ANSWER) -> Demand:
        """What a request may use at most."""
        cost: Callable[[Tokens], Nano] = lambda tokens: self.cost(model, tokens)  # noqa: E731 - typed
        return Demand(prompt, output, 1, cost, "input" if uncached else "cache_write_5m")

    def reserve(self, demand: Demand, thread: str, *, last: bool = False) -> int | Order:
        """How long the answer may be, or what is to be done since the request was not sent. last: it is the last answer."""
        if self.settings is None:
            return demand.output
        left = room(self.totals, self.settings, Held(), last=last)
        decided = decide(demand, left, left)
        if isinstance(decided, Refused):
            return self.tell(Unaffordable(self.now, decided.limit, decided.needed, thread))
        assert not isinstance(decided, Wait)  # noqa: S101 - no other request is under way to wait for
        return decided.output

    def note(self, kind: str, sentence: str, scope: str = "") -> None:
        """Write something down beside the iteration."""
        if self.iterations:
            last = self.iterations[-1]
            self.iterations[-1] = replace(last, notes=(*last.notes, Note(kind, scope, sentence)))

    def ran(self, calls: int) -> None:
        """Tools were called."""
        if self.iterations:
            self.iterations[-1] = replace(self.iterations[-1], calls=self.iterations[-1].calls + calls)

    def denied(self, order: Order) -> None:
        """A call or a subagent was refused."""
        finding = order.findings[0]
        if self.iterations:
            self.iterations[-1] = replace(self.iterations[-1], denied=self.iterations[-1].denied + 1)
        if finding.signal is not Signal.DEGRADATION and self.refusal is None:
            self.refusal = self._sighting(finding)
            self.note("refused", finding.sentence, finding.scope)

    def waited(self, seconds: float) -> None:
        """An order held the agent up."""
        if self.iterations:
            self.iterations[-1] = replace(self.iterations[-1], waited=self.iterations[-1].waited + seconds)

    def _write_down(self, fact: Fact, decision: Decision) -> None:
        totals = decision.state.totals
        if isinstance(fact, Answer | CallFailed):
            answered = isinstance(fact, Answer)
            tokens, cost, model = (fact.tokens, fact.cost or 0, fact.model) if isinstance(fact, Answer) else (Tokens(), 0, "")
            self.output += tokens.output
            self.iterations.append(
                Iteration(
                    len(self.iterations) + 1,
                    (fact.at - self.begun).total_seconds(),
                    fact.thread,
                    model,
                    answered,
                    tokens.total,
                    cost,
                    totals,
                )
            )
        elif self.iterations:
            self.iterations[-1] = replace(self.iterations[-1], totals=totals)
        for event in decision.events:
            self._hear(event)

    def _hear(self, event: Event) -> None:
        finding = event.finding
        if finding is None or finding.scope == "defaults":
            return
        self.note(event.kind.value, finding.sentence, finding.scope)
        if event.kind in TOLD and finding.signal is not Signal.SILENCE and self.alert is None:
            self.alert = self._sighting(finding)

    def _sighting(self, finding: Finding) -> Sighting:
        number = max(1, len(self.iterations))
        of_runaway = max(0, number + 1 - self.runaway_from) if self.runaway_from else 0
        return Sighting(
            finding.scope,
            finding.signal,
            number,
            of_runaway,
            (self.now - self.begun).total_seconds(),
            finding.sentence,
            finding.remedy,
        )
