"""Any stream of facts, by property: no proceed after a limit, degradation before the halt, stops that last and are told once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.facts import (
    Answer,
    CallFailed,
    Fact,
    Heartbeat,
    Paused,
    Probed,
    Raised,
    Released,
    Replied,
    Resumed,
    ServerSaid,
    SubagentEnded,
    SubagentSpawned,
    Tick,
    ToolFinished,
    ToolStarted,
    Unaffordable,
    Unreadable,
)
from tabstop.governor.limits import UNITS, kept_back, limits_in_force
from tabstop.governor.machine import Decision, govern
from tabstop.governor.orders import Act, EventKind, Step
from tabstop.governor.settings import Degradation, Exhaustion, OnLimit, Rung, Settings, UnknownPrice
from tabstop.governor.state import State
from tabstop.session import Limits
from tabstop.usage import Tokens
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire_json import from_json, to_json
from tests.governor.builders import at

Build = Callable[[datetime], Fact]

LIMITS = st.builds(
    Limits,
    tokens=st.none() | st.integers(1, 40_000),
    tool_calls=st.none() | st.integers(1, 20),
    iterations=st.none() | st.integers(1, 20),
    wall_clock_seconds=st.none() | st.integers(1, 500),
    cost=st.none() | st.integers(1, 10**9),
)
LADDERS = st.lists(st.builds(Rung, st.integers(1, 100), st.sampled_from(Step)), max_size=6)
SETTINGS = st.builds(
    Settings,
    limits=LIMITS,
    degradation=st.just(Degradation()) | st.builds(Degradation, LADDERS.map(tuple)),
    exhaustion=st.builds(Exhaustion, st.sampled_from(OnLimit), st.sampled_from(OnLimit)),
    unpriced=st.sampled_from(UnknownPrice),
    ci=st.booleans(),
    can_summarize=st.booleans(),
)
STOPS = {EventKind.STOP, EventKind.SUSPEND}
THREADS = st.sampled_from(["", "", "a", "b"])
NAMES, FLAGS = st.sampled_from(["A", "B", "Bash", "TaskOutput"]), st.booleans()
CHILDREN = st.sampled_from("ab")


def answers(tokens: int, cost: int | None, thread: str, reserve: int, more: bool) -> Build:
    return lambda t: Answer(
        t,
        "m",
        Tokens(input=tokens),
        cost,
        thread,
        more=more,
        reserve=reserve,
        reserve_tokens=reserve // 1_000,
        next_call=cost or 0,
        next_call_tokens=tokens,
    )


def server(signal: Signal, order: str, limits: Limits | None) -> Build:
    return lambda t: ServerSaid(t, Verdict((Finding(signal, Outcome.STOP, "cost", "Stop."),)), (order,), limits)


AGENT: list[st.SearchStrategy[Build]] = [
    st.builds(
        answers,
        st.integers(0, 9_000),
        st.none() | st.integers(0, 10**8),
        THREADS,
        st.sampled_from([0, 10**7]),
        FLAGS,
    ),
    st.builds(lambda name, th: lambda t: ToolStarted(t, name, "x", th), NAMES, THREADS),
    st.builds(
        lambda name, failed, th, unseen: lambda t: ToolFinished(t, name, "x", failed, th, unseen=unseen),
        NAMES,
        FLAGS,
        THREADS,
        FLAGS,
    ),
    st.sampled_from([Tick, Heartbeat]),
    st.builds(lambda child: lambda t: SubagentSpawned(t, child), CHILDREN),
    st.builds(lambda child: lambda t: SubagentEnded(t, child), CHILDREN),
    st.builds(lambda tree: lambda t: Probed(t, tree), st.sampled_from("xyz")),
    st.builds(lambda wait: lambda t: CallFailed(t, 429, wait), st.sampled_from([0, 5, 500])),
    st.sampled_from([Paused, Resumed, Unreadable]),
    st.builds(
        lambda limit, needed: lambda t: Unaffordable(t, limit, needed * (10**4 if limit == "cost" else 1)),
        st.sampled_from([*UNITS]),
        st.integers(0, 10**5),
    ),
]
WORDS: list[st.SearchStrategy[Build]] = [
    st.builds(lambda more: lambda t: Raised(t, more), LIMITS),
    st.just(Released),
    st.builds(lambda yes: lambda t: Replied(t, yes), FLAGS),
    st.builds(
        server,
        st.sampled_from([Signal.LIMIT, Signal.PAUSE, Signal.BREAKER, Signal.BUDGET]),
        st.sampled_from(["proceed", "wind down", "suspend", "halt"]),
        st.none() | LIMITS,
    ),
]


def streams(*kinds: st.SearchStrategy[Build]) -> st.SearchStrategy[list[tuple[int, Build]]]:
    """Facts, each with the seconds since the one before: the clock stands still, jumps, and now and then runs backward."""
    gaps = st.sampled_from([0, 0, 1, 1, 7, 30, 60, 200, 1_000, -3])
    return st.lists(st.tuples(gaps, st.one_of(*kinds)), max_size=60)


def played(stream: list[tuple[int, Build]], settings: Settings) -> list[tuple[Fact, State, Decision]]:
    """Each fact, the state before it, and what came of it; every state survives being written down."""
    state, clock, told = State(), 1_000, []
    for gap, build in stream:
        clock += gap
        fact = build(at(clock))
        decision = govern(state, fact, settings)
        told.append((fact, state, decision))
        state = decision.state
    assert from_json(State, json.loads(json.dumps(to_json(state)))) == state
    return told


def at_limit(fact: Fact, before: State, decision: Decision, settings: Settings) -> bool:
    """Whether a limit was used up when the fact was judged: the last tool call that is allowed may still start."""
    totals = decision.state.totals
    if isinstance(fact, ToolStarted):
        totals = replace(totals, tool_calls=before.totals.tool_calls)
    limits, _ = limits_in_force(totals, settings)
    return any((cap := getattr(limits, name)) is not None and getattr(totals, name) >= cap for name in UNITS)


@given(SETTINGS, streams(*AGENT, *WORDS))
def test_no_proceed_after_a_limit(settings: Settings, stream: list[tuple[int, Build]]) -> None:
    """At a limit nothing goes on but one last answer of the main thread, and that calls no tool it is denied."""
    for fact, before, decision in played(stream, settings):
        order, state = decision.order, decision.state
        if at_limit(fact, before, decision, settings):
            last_answer = order.act is Act.WIND_DOWN and order.summary_tokens > 0
            denied = order.act is Act.DENY and isinstance(fact, ToolStarted | SubagentSpawned)
            assert order.act.ends_turn or last_answer or denied
        if state.stopped is not None:
            assert (order.act, order.thread, order.ends_as) == (state.stopped.act, None, state.stopped.ends_as)
            assert order.findings[0].remedy or order.findings[0].sentence == "Stop."
        assert order.seconds >= 0


@given(SETTINGS, streams(*AGENT, *WORDS))
def test_only_a_tool_call_that_may_run_counts(settings: Settings, stream: list[tuple[int, Build]]) -> None:
    """What a denial, a stop or a last answer leaves no room for uses nothing up; so no start takes a session past its limit of tool calls."""
    for fact, before, decision in played(stream, settings):
        counted = decision.state.totals.tool_calls - before.totals.tool_calls
        if isinstance(fact, ToolStarted):
            order = decision.order
            refused = order.act is Act.DENY or order.act.ends_turn or order.summary_tokens > 0
            assert counted == (not refused)
            cap = limits_in_force(decision.state.totals, settings)[0].tool_calls
            assert refused or cap is None or decision.state.totals.tool_calls <= cap
        else:
            assert counted == (isinstance(fact, ToolFinished) and fact.unseen)


@given(SETTINGS, streams(*AGENT))
def test_a_limit_lasts(settings: Settings, stream: list[tuple[int, Build]]) -> None:
    """Without a word from outside a session that a limit stopped stays stopped, and it is told once."""
    told = played(stream, settings)
    for _, before, decision in told:
        if before.stopped is not None and before.exhausted.finding is not None:
            assert decision.state.stopped is not None
    stops = [one.finding for _, _, decision in told for one in decision.events if one.kind in STOPS and not one.thread]
    limits = [one.scope for one in stops if one is not None and one.signal is Signal.LIMIT]
    assert len(limits) <= 1


@given(SETTINGS, streams(*AGENT, *WORDS))
def test_every_stop_is_told_and_only_once(settings: Settings, stream: list[tuple[int, Build]]) -> None:
    """One event when it becomes so, none while it is; a stop that stays is the one that was told."""
    for _, before, decision in played(stream, settings):
        stops = [one for one in decision.events if one.kind in STOPS]
        was, now = before.stopped, decision.state.stopped
        assert len(stops) <= 1
        if was is None or now is None:
            assert bool(stops) == (now is not None)
        elif not stops:
            assert (now.act, now.ends_as, now.at) == (was.act, was.ends_as, was.at)


@given(SETTINGS, streams(*AGENT))
def test_degradation_precedes_the_halt(settings: Settings, stream: list[tuple[int, Build]]) -> None:
    """Every step of the ladder was told before a limit stops, asks or winds down, or with the fact that used it up.

    A request that does not fit stops nothing while a step is left that could make it fit.
    """
    ladder = {rung.step.value for rung in settings.degradation.ladder}
    told: list[str] = []
    for fact, before, decision in played(stream, settings):
        tried = {*told}
        steps = [one.finding for one in decision.events if one.kind is EventKind.DEGRADE]
        told.extend(step.scope for step in steps if step is not None)
        found = decision.state.exhausted.finding
        if found is not None and before.exhausted.finding is None and found.signal is Signal.LIMIT:
            assert {*told} == ladder
            if isinstance(fact, Unaffordable) and not at_limit(fact, before, decision, settings):
                kept = kept_back(found.scope, decision.state.totals, settings)
                assert tried == ladder or getattr(decision.state.totals, found.scope) + kept >= (found.cap or 0)


@given(SETTINGS, streams(*AGENT, *WORDS))
def test_a_step_that_was_taken_stays_until_the_limits_change(
    settings: Settings, stream: list[tuple[int, Build]]
) -> None:
    """With less a session is further from its limit; were the step taken back, it would go back and forth."""
    for _, before, decision in played(stream, settings):
        then, now = limits_in_force(before.totals, settings), limits_in_force(decision.state.totals, settings)
        if then[0] == now[0]:
            assert {*before.degraded.steps} <= {*decision.state.degraded.steps}
