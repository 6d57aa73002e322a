"""The machine as a whole: what each limit leads to, what lifts a stop, what the server may and may not do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.facts import (
    Answer,
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
)
from tabstop.governor.machine import govern
from tabstop.governor.orders import Act, EventKind
from tabstop.governor.settings import Exhaustion, OnLimit, Settings
from tabstop.governor.state import State
from tabstop.money import dollars
from tabstop.session import Limits, SessionOutcome
from tabstop.usage import Tokens
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire_json import from_json, to_json
from tests.governor.builders import answer, at, play

FIVE_CENTS = Settings("s1", Limits(cost=dollars("0.05")))


def on(what: OnLimit, **changes: object) -> Settings:
    settings = replace(FIVE_CENTS, exhaustion=Exhaustion(on_limit=what))
    return replace(settings, **changes)  # type: ignore[arg-type]


def five_calls(start: float = 0) -> list[Fact]:
    return [answer(start + n) for n in range(5)]


def test_halt_is_the_default_and_lasts() -> None:
    """At the limit the session ends, and nothing that is told later starts it again."""
    last, later = play([*five_calls(), Tick(at(100))], FIVE_CENTS)[-2:]
    assert last.order.act is later.order.act is Act.HALT
    assert last.order.ends_as is SessionOutcome.STOPPED_COST
    assert last.order.sentence == "The session reached its cost limit: $0.05 of $0.05 used."
    assert last.order.findings[0].remedy == (
        "To go on, run `tabstop overdrive s1 '$1'`, then resume the agent: its totals are carried over."
    )
    assert [event.kind for event in last.events if event.kind is not EventKind.DEGRADE] == [EventKind.STOP]
    assert later.events == ()


def test_usage_told_after_the_stop_still_counts() -> None:
    """What a client spends past its stop is counted, not hidden."""
    assert play([*five_calls(), answer(9)], FIVE_CENTS)[-1].state.totals.cost == dollars("0.06")


def test_tokens_suspend_and_an_overdrive_resumes_with_the_totals() -> None:
    """Suspended is resumable: the raise lifts it, what was used stays used."""
    settings = Settings("s1", Limits(tokens=2_000))
    suspended = play([answer(), answer(1)], settings)[-1]
    assert suspended.order.act is Act.SUSPEND
    assert suspended.order.sentence.startswith(
        "Task paused: session budget reached. Enable Overdrive to continue. The session reached its token limit: 2k tokens of 2k tokens"
    )
    assert suspended.order.findings[0].remedy.startswith("To go on, run `tabstop overdrive s1 --tokens 1000`")
    raised = govern(suspended.state, Raised(at(9), Limits(tokens=1_500), "octocat"), settings)
    assert (raised.order.act.ends_turn, raised.state.totals.tokens) == (False, 2_000)
    assert [(event.kind, event.by) for event in raised.events if event.kind is EventKind.RAISE] == [
        (EventKind.RAISE, "octocat")
    ]
    assert govern(raised.state, answer(10, 1_500), settings).order.act is Act.SUSPEND


def test_a_raise_that_is_too_small_stops_again_at_once() -> None:
    """A raise lifts the stop; the limit is looked at anew."""
    over = play([answer(0, 5_000)], Settings(limits=Limits(tokens=2_000)))[-1]
    assert (
        govern(over.state, Raised(at(1), Limits(tokens=1)), Settings(limits=Limits(tokens=2_000))).order.act
        is Act.SUSPEND
    )


def test_a_release_does_not_lift_a_limit() -> None:
    """Only more budget does."""
    stopped = play(five_calls(), FIVE_CENTS)[-1]
    assert govern(stopped.state, Released(at(9)), FIVE_CENTS).order.act is Act.HALT


def test_a_summary_is_one_last_answer() -> None:
    """The reserve is kept, one bounded answer is allowed, then it is over."""
    settings = on(OnLimit.SUMMARY, can_summarize=True)
    asked = play([replace(answer(n), reserve=dollars("0.01")) for n in range(4)], settings)[-1]
    assert (asked.order.act, asked.order.summary_tokens) == (Act.WIND_DOWN, 2_000)
    assert "One last answer" in asked.order.sentence
    after = play([answer(4, more=True), answer(5), Tick(at(6))], settings, asked.state)
    assert [one.order.act for one in after] == [Act.WIND_DOWN, Act.HALT, Act.HALT]


def test_a_summary_that_does_not_come_is_not_waited_for() -> None:
    """After three minutes it is a halt."""
    settings = on(OnLimit.SUMMARY, can_summarize=True)
    asked = play(five_calls(), settings)[-1]
    assert play([Tick(at(100)), Tick(at(200))], settings, asked.state)[-1].order.act is Act.HALT


def test_where_no_summary_can_be_made_it_is_a_halt_and_says_so() -> None:
    """Hooks cannot make the last answer."""
    order = play(five_calls(), on(OnLimit.SUMMARY))[-1].order
    assert order.act is Act.HALT
    assert order.sentence.endswith("A last summary cannot be made here, so it ends at once.")


ASKED = [*five_calls()]


def test_escalation_asks_for_more() -> None:
    """The question names what is used and what is asked for; yes raises the limit by just that."""
    settings = on(OnLimit.ASK)
    asked = play(ASKED, settings)[-1]
    assert (asked.order.act, asked.order.sentence) == (Act.ASK, "Used $0.05, allow another $0.025?")
    assert EventKind.ASK in {event.kind for event in asked.events}
    again = govern(asked.state, Tick(at(60)), settings)
    assert (again.order.act, again.events) == (Act.ASK, ())
    yes = govern(again.state, Replied(at(61), granted=True, by="octocat"), settings)
    assert not yes.order.act.ends_turn
    assert play([answer(62), answer(63), answer(64)], settings, yes.state)[-1].order.act is Act.ASK


@pytest.mark.parametrize("said", [Replied(at(30), granted=False), Tick(at(604))], ids=["no", "silence"])
def test_no_and_silence_refuse(said: Fact) -> None:
    """A no, and no answer within the timeout, end the session; it is not asked again."""
    settings = on(OnLimit.ASK)
    refused = govern(play(ASKED, settings)[-1].state, said, settings)
    assert refused.order.act is Act.HALT
    assert govern(refused.state, Replied(at(700), granted=True), settings).order.act is Act.HALT


def test_in_ci_nobody_is_asked() -> None:
    """There escalation is a summary."""
    assert play(ASKED, on(OnLimit.ASK, ci=True, can_summarize=True))[-1].order.act is Act.WIND_DOWN


def said(
    *orders: str, signal: Signal = Signal.BUDGET, outcome: Outcome = Outcome.STOP, seconds: float = 1
) -> ServerSaid:
    return ServerSaid(at(seconds), Verdict((Finding(signal, outcome, "tab", "The tab is red."),)), orders)


MAY_STOP = [Signal.LIMIT, Signal.BREAKER, Signal.PAUSE]


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("order", ["halt", "suspend"])
def test_the_server_stops_a_session_only_for_its_own_reasons(signal: Signal, order: str) -> None:
    """Its own limits, its breaker, an operator's pause; a red tab, engineer or repository leaves it running (promise 4)."""
    decided = play([answer(), said(order, signal=signal)], Settings())[-1]
    assert decided.order.act.ends_turn == (signal in MAY_STOP)
    if signal not in MAY_STOP:
        assert decided.order.act is Act.WIND_DOWN


@pytest.mark.parametrize(
    ("signal", "order", "ends_as"),
    [
        (Signal.LIMIT, "halt", SessionOutcome.STOPPED_COST),
        (Signal.BREAKER, "halt", SessionOutcome.STOPPED_BREAKER),
        (Signal.PAUSE, "halt", SessionOutcome.CANCELLED),
        (Signal.PAUSE, "suspend", SessionOutcome.SUSPENDED),
    ],
)
def test_how_a_session_ends_that_the_server_stops(signal: Signal, order: str, ends_as: SessionOutcome) -> None:
    """The outcome names the reason."""
    assert play([answer(), said(order, signal=signal)], Settings())[-1].order.ends_as is ends_as


def test_a_red_budget_is_no_order() -> None:
    """A verdict alone, and orders of a newer server, change nothing."""
    assert play([answer(), said("proceed"), said("dance")], Settings())[-1].order.act is Act.PROCEED


def test_a_pause_is_lifted_by_a_release() -> None:
    """And comes back when the server says so again."""
    paused = play([answer(), said("suspend", signal=Signal.PAUSE)], Settings())[-1]
    released = govern(paused.state, Released(at(2), "octocat"), Settings())
    assert released.order.act is Act.PROCEED
    assert govern(released.state, said("suspend", signal=Signal.PAUSE, seconds=3), Settings()).order.act is Act.SUSPEND


def test_a_silent_server_is_noticed_once() -> None:
    """After three missed reports; the session goes on."""
    decisions = play([answer(), ServerSaid(at(1), Verdict()), Tick(at(100)), Tick(at(182)), Tick(at(300))], Settings())
    assert [len(one.events) for one in decisions] == [1, 0, 0, 1, 0]
    assert decisions[3].order.act is Act.PROCEED


def test_a_silent_agent_is_noticed_once_and_not_while_paused() -> None:
    """Ten minutes without any sign; a process that ended is not silent."""
    facts: list[Fact] = [
        Resumed(at(0)),
        Tick(at(599)),
        Tick(at(600)),
        Probed(at(700), "x"),
        Heartbeat(at(800)),
        Tick(at(1_400)),
    ]
    events = [
        len([e for e in one.events if e.finding and e.finding.scope == "agent"]) for one in play(facts, FIVE_CENTS)
    ]
    assert events == [0, 0, 1, 0, 0, 1]
    assert not play([Resumed(at(0)), Paused(at(1)), Tick(at(5_000))], FIVE_CENTS)[-1].events


def test_defaults_are_announced_once() -> None:
    """With no limit left the verdict says what binds."""
    decisions = play([answer(), answer(1)], Settings())
    assert [[e.finding.sentence for e in one.events if e.finding] for one in decisions] == [
        ["No limit was left to this session, so the default limits apply."],
        [],
    ]


LIMITS = st.builds(
    Limits,
    tokens=st.none() | st.integers(1, 40_000),
    tool_calls=st.none() | st.integers(1, 20),
    iterations=st.none() | st.integers(1, 20),
    wall_clock_seconds=st.none() | st.integers(1, 500),
    cost=st.none() | st.integers(1, 10**9),
)
THREADS = st.sampled_from(["", "", "a", "b"])
FACTS = st.lists(
    st.one_of(
        st.builds(
            lambda gap, tokens, cost, thread: (gap, lambda t: Answer(t, "m", Tokens(input=tokens), cost, thread)),
            st.integers(0, 60),
            st.integers(0, 9_000),
            st.none() | st.integers(0, 10**8),
            THREADS,
        ),
        st.builds(
            lambda gap, name, th: (gap, lambda t: ToolStarted(t, name, "x", th)),
            st.integers(0, 60),
            st.sampled_from("ABC"),
            THREADS,
        ),
        st.builds(
            lambda gap, name, failed, th: (gap, lambda t: ToolFinished(t, name, "x", failed, th)),
            st.integers(0, 60),
            st.sampled_from("ABC"),
            st.booleans(),
            THREADS,
        ),
        st.builds(lambda gap: (gap, Tick), st.integers(0, 60)),
        st.builds(
            lambda gap, child: (gap, lambda t: SubagentSpawned(t, child)), st.integers(0, 9), st.sampled_from("ab")
        ),
        st.builds(
            lambda gap, child: (gap, lambda t: SubagentEnded(t, child)), st.integers(0, 9), st.sampled_from("ab")
        ),
    ),
    max_size=60,
)


@given(LIMITS, FACTS)
def test_no_proceed_after_a_limit(limits: Limits, plan: list[tuple[int, object]]) -> None:
    """For any stream of facts: once a limit is reached nothing may go on, and the state survives being written down."""
    settings = Settings(limits=limits)
    state, clock, stopped = State(), 0, False
    for gap, build in plan:
        clock += gap
        decision = govern(state, build(at(clock)), settings)  # type: ignore[operator]
        state = decision.state
        if stopped:
            assert decision.order.act.ends_turn
        stopped = state.stopped is not None
        over = [
            n
            for n in ("tokens", "iterations", "cost")
            if (cap := getattr(limits, n)) and getattr(state.totals, n) >= cap
        ]
        assert stopped or not over
    assert from_json(State, json.loads(json.dumps(to_json(state)))) == state
