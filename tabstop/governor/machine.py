"""The governor's machine: one fact in, the new state, an order and what is worth logging out. It has no clock and no edges."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tabstop.governor import (
    breaker,
    degradation,
    exhaustion,
    runaway,
    server_word,
    silence,
    subtasks,
    throttle,
    windows,
)
from tabstop.governor.exhaustion import Exhausted
from tabstop.governor.facts import Fact, Raised, Released, Replied, ServerSaid, ToolStarted
from tabstop.governor.limits import Totals, count, limits_in_force, one_more_call
from tabstop.governor.orders import Act, Advice, Event, EventKind, Order, Step, order_of
from tabstop.governor.settings import Settings
from tabstop.governor.state import State, Stopped
from tabstop.session import SessionOutcome
from tabstop.verdict import Finding, Outcome, Signal

SERVER = "the server"
"""Who raised or released a session, where the server's word did."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of a fact. order: for whoever told the fact (its thread)."""

    state: State
    order: Order
    events: tuple[Event, ...] = ()


def govern(state: State, fact: Fact, settings: Settings) -> Decision:
    """Take in one fact. Every part sees every fact; none knows of another, but for the totals and what they are told here.

    A session stands still as long as any part has advice in force that ends it. Facts that are told after it stopped still
    count; they never start it again.
    """
    exhausted, totals, people = _people(state, fact, settings)
    totals = count(totals, fact)
    alive, told_a = silence.listen(state.alive, fact, totals, settings)
    heard, word, told_b = server_word.listen(state.heard, fact, settings)
    watched, signs, told_d = runaway.watch(state.watched, fact, totals, settings)
    pace, brakes, told_e = throttle.pace(state.pace, fact, settings)
    held = bool(_stops([*word, *signs, *brakes]))
    broken, trips, told_c = breaker.watch(state.breaker, fact, totals, settings, held=held)
    degraded, less, told_g = degradation.degrade(state.degraded, fact, totals, settings)
    below, shares, told_f = subtasks.share(
        state.subagents, fact, totals, settings, near=Step.NO_SUBAGENTS in degraded.steps
    )
    gauged, nearly, told_k = windows.look(state.gauged, fact, settings)
    advice = [*word, *trips, *signs, *brakes, *shares, *less, *nearly]
    stopped_by, eased = _stops(advice), degradation.eases(state.degraded, degraded)
    exhausted, at_it, told_h = exhaustion.stand(
        exhausted, totals, fact, settings, stopped=bool(stopped_by), eased=eased
    )
    advice += at_it
    stopped, told_i = _stand_still(state.stopped, advice, fact)
    if (
        state.stopped is not None and stopped is not None
    ):  # it stands still: what is due is taken, and told, once it goes on
        degraded, told_g = state.degraded, ()
    said, told_j = _say_defaults(state.said, totals, exhausted, fact, settings)
    told = people + told_a + told_b + told_c + told_d + told_e + told_f + told_g + told_h + told_i + told_j + told_k
    state = State(totals, exhausted, degraded, watched, broken, pace, below, heard, alive, stopped, said, gauged)
    order = _order(state, advice, fact, settings)
    if isinstance(fact, ToolStarted):
        state = replace(state, totals=_with_call(totals, order))
    return Decision(state, order, told)


def _with_call(totals: Totals, order: Order) -> Totals:
    """A tool call counts once it may run. Refused near a limit it uses nothing up, and is remembered."""
    if order.act is Act.DENY:
        return replace(totals, refused=totals.refused + (Step.NO_TOOLS in order.steps))
    return totals if order.act.ends_turn or order.summary_tokens else one_more_call(totals)


def _people(state: State, fact: Fact, settings: Settings) -> tuple[Exhausted, Totals, tuple[Event, ...]]:
    """What people's word, or the server's, changes before anything else; with what is to be logged of it."""
    if not isinstance(fact, Raised | Released | Replied | ServerSaid):
        return state.exhausted, state.totals, ()
    exhausted, more = exhaustion.lifted(state.exhausted, fact, state.totals, settings)
    totals = state.totals if more is None else count(state.totals, Raised(fact.at, more))
    if isinstance(fact, ServerSaid):
        lifted = state.exhausted.finding is not None and exhausted.finding is None
        return exhausted, totals, ((Event(fact.at, EventKind.RAISE, by=SERVER),) if lifted else ())
    if isinstance(fact, Released):
        return exhausted, totals, (Event(fact.at, EventKind.RELEASE, by=fact.by),)
    raised = more is not None or (isinstance(fact, Raised) and exhaustion.raises(fact))
    return exhausted, totals, ((Event(fact.at, EventKind.RAISE, by=fact.by),) if raised else ())


def _stops(advice: list[Advice]) -> list[Advice]:
    return [one for one in advice if one.ends_as is not None and one.thread is None]


def _stand_still(was: Stopped | None, advice: list[Advice], fact: Fact) -> tuple[Stopped | None, tuple[Event, ...]]:
    """The first cause stands for as long as it is given again; then the strongest of what is left.

    Of causes given by one fact the strongest stands; the order has the findings of all.
    """
    stops = _stops(advice)
    if not stops:
        resumed = was is not None and isinstance(fact, ServerSaid) and not _is_limit(was)
        return None, ((Event(fact.at, EventKind.RELEASE, by=SERVER),) if resumed else ())
    if was is not None:
        for one in stops:
            if _cause(one) == _cause(was):
                return was if one.finding == was.finding else replace(was, finding=one.finding), ()
    strongest = max(stops, key=_weight)
    assert strongest.ends_as is not None  # noqa: S101 - chosen so
    kind = EventKind.SUSPEND if strongest.act is Act.SUSPEND else EventKind.STOP
    stopped = Stopped(strongest.act, strongest.ends_as, fact.at, strongest.finding)
    return stopped, (Event(fact.at, kind, strongest.finding),)


def _weight(one: Advice) -> tuple[bool, int]:
    """The breaker halts only what nothing else stops: where the retry brake waits for a person too, the session suspends."""
    return one.ends_as is not SessionOutcome.STOPPED_BREAKER, one.act.rank


def _is_limit(stopped: Stopped) -> bool:
    return stopped.finding is not None and stopped.finding.signal is Signal.LIMIT


def _cause(one: Advice | Stopped) -> tuple[object, ...]:
    """What makes two stops the same one: their numbers may grow, while what was allowed stays."""
    found = one.finding
    return (one.act, one.ends_as, *((found.signal, found.scope, found.subject, found.cap) if found else ()))


def _order(state: State, advice: list[Advice], fact: Fact, settings: Settings) -> Order:
    order = order_of(advice, getattr(fact, "thread", ""))
    stopped = state.stopped
    if stopped is not None:
        findings = tuple(dict.fromkeys(one for one in (stopped.finding, *order.findings) if one is not None))
        return Order(stopped.act, findings, None, steps=order.steps, ends_as=stopped.ends_as)
    if order.act is Act.WIND_DOWN and state.exhausted.summary_until is not None:
        return replace(order, summary_tokens=settings.exhaustion.summary_tokens)
    return order


def _say_defaults(
    before: str, totals: Totals, exhausted: Exhausted, fact: Fact, settings: Settings
) -> tuple[str, tuple[Event, ...]]:
    _, said = limits_in_force(totals, settings)
    if not said or said == before or (exhausted.finding is not None and exhausted.finding.signal is Signal.PRICE):
        return before, ()
    return said, (Event(fact.at, EventKind.ALERT, Finding(Signal.LIMIT, Outcome.WARN, "defaults", said)),)
