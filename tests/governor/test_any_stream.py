"""Any stream of facts, by property: no proceed after a limit, degradation before the halt, stops that last and are told once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.facts import (
    Answer,
    CallFailed,
    Fact,
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
)
from tabstop.governor.limits import UNITS, limits_in_force
from tabstop.governor.machine import Decision, govern
from tabstop.governor.orders import Act, EventKind
from tabstop.governor.settings import Exhaustion, OnLimit, Settings, UnknownPrice
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
SETTINGS = st.builds(
    Settings,
    limits=LIMITS,
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
        t, "m", Tokens(input=tokens), cost, thread, more=more, reserve=reserve, reserve_tokens=reserve // 1_000
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
    st.just(Tick),
    st.builds(lambda child: lambda t: SubagentSpawned(t, child), CHILDREN),
    st.builds(lambda child: lambda t: SubagentEnded(t, child), CHILDREN),
    st.builds(lambda tree: lambda t: Probed(t, tree), st.sampled_from("xyz")),
    st.builds(lambda wait: lambda t: CallFailed(t, 429, wait), st.sampled_from([0, 5, 500])),
    st.sampled_from([Paused, Resumed]),
    st.builds(
        lambda limit, needed: lambda t: Unaffordable(t, limit, needed), st.sampled_from([*UNITS]), st.integers(0, 10**9)
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


def at_limit(decision: Decision, settings: Settings) -> bool:
    totals = decision.state.totals
    limits, _ = limits_in_force(totals, settings)
    return any(
        (cap := getattr(limits, name)) is not None and getattr(totals, name) >= cap
        for name in UNITS
        if name != "tool_calls"  # the last one that is allowed may still start
    )


@given(SETTINGS, streams(*AGENT, *WORDS))
def test_no_proceed_after_a_limit(settings: Settings, stream: list[tuple[int, Build]]) -> None:
    """At a limit nothing goes on but one last answer of the main thread, and that calls no tool it is denied."""
    for fact, _, decision in played(stream, settings):
        order, state = decision.order, decision.state
        if at_limit(decision, settings):
            last_answer = order.act is Act.WIND_DOWN and order.summary_tokens > 0
            denied = order.act is Act.DENY and isinstance(fact, ToolStarted | SubagentSpawned)
            assert order.act.ends_turn or last_answer or denied
        if state.stopped is not None:
            assert (order.act, order.thread, order.ends_as) == (state.stopped.act, None, state.stopped.ends_as)
            assert order.findings[0].remedy or order.findings[0].sentence == "Stop."
        assert order.seconds >= 0


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
    """Where a limit is used up, every step of the ladder was told before, or with the fact that used it up."""
    told: list[str] = []
    for fact, _, decision in played(stream, settings):
        for event in decision.events:
            if event.kind is EventKind.DEGRADE and event.finding is not None:
                told.append(event.finding.scope)
            used_up = event.finding is not None and event.finding.signal is Signal.LIMIT and event.kind in STOPS
            if used_up and not isinstance(fact, Unaffordable) and at_limit(decision, settings):
                assert set(told) == {rung.step.value for rung in settings.degradation.ladder}
