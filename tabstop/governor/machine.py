"""The governor's machine: one fact in, the new state, an order and what is worth logging out. It has no clock and no edges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from tabstop.governor import breaker, degradation, runaway, server_word, silence, subtasks, throttle
from tabstop.governor.exhaustion import at_limit, lifted
from tabstop.governor.facts import Fact, Raised, Released, Replied
from tabstop.governor.limits import count, limits_in_force, reached
from tabstop.governor.orders import Act, Advice, Event, EventKind, Order, order_of
from tabstop.governor.settings import Settings
from tabstop.governor.state import State, Stopped
from tabstop.verdict import Finding, Outcome, Signal


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of a fact. order: for whoever told the fact (its thread)."""

    state: State
    order: Order
    events: tuple[Event, ...] = ()


def govern(state: State, fact: Fact, settings: Settings) -> Decision:
    """Take in one fact. Facts that are told after the session stopped still count; they never start it again.

    Only people do, and the breaker when its cooldown is over.
    """
    events: list[Event] = []
    state = _people(state, fact, events)
    before = state.totals
    state = replace(state, totals=count(before, fact))
    state, advice = _parts(state, fact, settings, events)
    if state.stopped is not None and breaker.lets_go_of(state.breaker, state.stopped.finding):
        state = replace(state, stopped=None)
    if state.stopped is None:
        # A last answer that is begun ends the session even where the limit itself is not reached: nothing else fitted.
        finding = reached(before, state.totals, fact, settings) or state.exhausted.begun
        if finding is not None:
            exhausted, at_it, told = at_limit(state.exhausted, fact, finding, state.totals, settings)
            state = replace(state, exhausted=exhausted)
            advice.append(at_it)
            events += told
        state = _stopped_by(state, advice, fact, events)
    state = _say_defaults(state, fact.at, settings, events)
    return Decision(state, _order(state, advice, fact, settings), tuple(events))


def _parts(state: State, fact: Fact, settings: Settings, events: list[Event]) -> tuple[State, list[Advice]]:
    """Every part sees every fact; none knows of another, only of the totals."""
    totals = state.totals
    alive, told_a = silence.listen(state.alive, fact, settings)
    heard, word, told_b = server_word.listen(state.heard, fact, settings)
    broken, trips, told_c = breaker.watch(state.breaker, fact, totals, settings)
    watched, signs, told_d = runaway.watch(state.watched, fact, totals, settings)
    pace, brakes, told_e = throttle.pace(state.pace, fact, settings)
    below, shares, told_f = subtasks.share(state.subagents, fact, totals, settings)
    degraded, less, told_g = degradation.degrade(state.degraded, fact, totals, settings)
    for told in (told_a, told_b, told_c, told_d, told_e, told_f, told_g):
        events += told
    state = replace(
        state,
        alive=alive,
        heard=heard,
        breaker=broken,
        watched=watched,
        pace=pace,
        subagents=below,
        degraded=degraded,
    )
    return state, [*word, *trips, *signs, *brakes, *shares, *less]


def _people(state: State, fact: Fact, events: list[Event]) -> State:
    """A raise lifts what a limit stopped, a release what anything else stopped; a reply may be a raise."""
    exhausted, more = lifted(state.exhausted, fact)
    state = replace(state, exhausted=exhausted)
    raised = isinstance(fact, Raised) or more is not None
    if more is not None:
        state = replace(state, totals=count(state.totals, Raised(fact.at, more)))
    if not raised and not isinstance(fact, Released):
        return state
    kind = EventKind.RAISE if raised else EventKind.RELEASE
    by = fact.by if isinstance(fact, Raised | Released | Replied) else ""
    events.append(Event(fact.at, kind, by=by))
    if state.stopped is not None and _caused_by_limit(state.stopped) == raised:
        state = replace(state, stopped=None)
    return state


def _caused_by_limit(stopped: Stopped) -> bool:
    return stopped.finding is not None and stopped.finding.signal in {Signal.LIMIT, Signal.PRICE}


def _stopped_by(state: State, advice: list[Advice], fact: Fact, events: list[Event]) -> State:
    stops = [one for one in advice if one.ends_as is not None and one.thread is None]
    if not stops:
        return state
    strongest = max(stops, key=lambda one: one.act.rank)
    assert strongest.ends_as is not None  # noqa: S101 - chosen so
    kind = EventKind.SUSPEND if strongest.act is Act.SUSPEND else EventKind.STOP
    events.append(Event(fact.at, kind, strongest.finding))
    return replace(state, stopped=Stopped(strongest.act, strongest.ends_as, fact.at, strongest.finding))


def _order(state: State, advice: list[Advice], fact: Fact, settings: Settings) -> Order:
    thread = getattr(fact, "thread", "")
    order = order_of(advice, thread)
    stopped = state.stopped
    if stopped is not None:
        findings = tuple(one for one in (stopped.finding, *order.findings) if one is not None)
        unique = tuple(dict.fromkeys(findings))
        return Order(stopped.act, unique, None, steps=order.steps, ends_as=stopped.ends_as)
    if order.act is Act.WIND_DOWN and state.exhausted.summary_until is not None:
        return replace(order, summary_tokens=settings.exhaustion.summary_tokens)
    return order


def _say_defaults(state: State, at: datetime, settings: Settings, events: list[Event]) -> State:
    _, said = limits_in_force(state.totals, settings)
    if not said or state.said_defaults:
        return state
    events.append(Event(at, EventKind.ALERT, Finding(Signal.LIMIT, Outcome.WARN, "defaults", said)))
    return replace(state, said_defaults=True)
