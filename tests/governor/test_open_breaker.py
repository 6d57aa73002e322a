"""A breaker that is open: its cooldown, the call that decides, a release; and its definition, whatever happens."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.governor.breaker import SessionBreaker, watch
from tabstop.governor.facts import Answer, Fact, Probed, Released, SubagentEnded, Tick
from tabstop.governor.limits import Totals, count
from tabstop.governor.machine import govern
from tabstop.governor.orders import Act, EventKind
from tabstop.governor.recent_calls import THREADS
from tabstop.governor.settings import Breaker, Throttle
from tabstop.governor.state import State
from tabstop.governor.tool_failures import TOOLS
from tabstop.money import dollars
from tabstop.session import Limits, SessionOutcome
from tabstop.wire_json import from_json, to_json
from tests.governor.breaker_runs import (
    CLOSED,
    HALF_OPEN,
    OFF,
    OPEN,
    PLAIN,
    READ_AGAIN,
    TRIPPED,
    failing,
    opened_at,
    run,
    used,
)
from tests.governor.builders import answer, at, finished, play, started
from tests.governor.naive_breaker import NaiveBreaker


@pytest.mark.parametrize("how", ["released", "cooled down"])
@pytest.mark.parametrize(
    ("tripped", "well", "badly", "neither"),
    [
        (
            TRIPPED,
            finished(2001, "fetch", "new"),
            finished(2001, "fetch", "new", failed=True),
            started(2001, "fetch", "9"),
        ),
        (TRIPPED, finished(2001, "fetch", "new"), finished(2001, "fetch", "", failed=True), finished(2001, "Read")),
        (
            READ_AGAIN[:20],
            finished(2001, "Grep"),
            started(2001, "Read", "huge.log"),
            answer(2001),
        ),
        (
            READ_AGAIN[:20],
            finished(2001, "Read", "other"),
            finished(2001, "Read", "huge.log", unseen=True),
            finished(2001, "Read", "huge.log"),
        ),
        ([answer(n, cost="2") for n in range(3)], Tick(at(2060)), answer(2001, cost="5.01"), answer(2001, cost="5")),
    ],
)
def test_half_open_the_next_call_decides(how: str, tripped: list[Fact], well: Fact, badly: Fact, neither: Fact) -> None:
    """One success closes it, one failure opens it again at once; anything else leaves it half-open."""
    freed: Fact = Released(at(2000)) if how == "released" else Tick(at(2000))
    part, events, _ = run([*tripped, freed])
    assert part.state is HALF_OPEN
    assert [event.kind for event in events[1:]] == ([] if how == "released" else [EventKind.RELEASE])
    closed, events, _ = run([*tripped, freed, well])
    assert closed.state is CLOSED
    assert closed.trip is None
    assert events[-1].kind is EventKind.CLOSE
    again, events, _ = run([*tripped, freed, badly])
    assert again.state is OPEN
    assert [event.kind for event in events].count(EventKind.TRIP) == 2
    assert again.trip is not None
    assert part.trip is not None
    assert again.trip.scope == part.trip.scope
    assert run([*tripped, freed, neither])[0].state is HALF_OPEN


def test_what_a_cooldown_says() -> None:
    """People read that it is tried again, and what decides."""
    _, events, _ = run([*TRIPPED, Tick(at(2000))])
    assert events[-1].finding is not None
    assert events[-1].finding.sentence == (
        "The breaker's cooldown is over. The next calls of `fetch` decide whether it closes or opens again."
    )
    _, events, _ = run([*[answer(n, cost="2") for n in range(3)], Tick(at(2000))])
    assert events[-1].finding is not None
    assert events[-1].finding.sentence == (
        "The breaker's cooldown is over. If the next minute stays below the cost rate it closes, else it opens again."
    )


def test_a_release_forgets_what_was_measured_but_not_that_a_tool_works() -> None:
    """Two failures before it and one after are not three in a row; and what has worked has not only failed."""
    assert opened_at([*failing(2), Released(at(10)), *failing(2, begin=20)]) is None
    worked = used(0, "Bash", "ls")
    assert opened_at([*worked, Released(at(10)), *failing(9, "Bash", begin=20)]) is None
    assert opened_at([*worked, Released(at(10)), *failing(10, "Bash", begin=20)]) == 11


def test_a_trip_ends_the_turn_and_not_just_the_call() -> None:
    """The whole session halts, every fact is answered so, and it is logged once as a trip and once as a stop."""
    decisions = play([*TRIPPED, started(10, "Read"), Tick(at(20))], PLAIN)
    for decision in decisions[5:]:
        assert decision.order.act is Act.HALT
        assert decision.order.thread is None
        assert decision.order.ends_as is SessionOutcome.STOPPED_BREAKER
    told = [event.kind for decision in decisions for event in decision.events]
    assert told.count(EventKind.TRIP) == told.count(EventKind.STOP) == 1


@pytest.mark.parametrize("freed", [Released(at(10), by="ada"), Tick(at(905.5))])
def test_a_session_goes_on_when_its_breaker_lets_go(freed: Fact) -> None:
    """By a person, or by itself when the cooldown is over; one more failure stops it again."""
    on = replace(PLAIN, throttle=Throttle(retry_pauses=None))
    before, after, failed = (
        d.order.act for d in play([*TRIPPED, freed, finished(950, "fetch", "z", failed=True)], on)[-3:]
    )
    assert (before, after, failed) == (Act.HALT, Act.PROCEED, Act.HALT)


def test_a_cooldown_lifts_no_other_stop() -> None:
    """A session that a limit stopped stays stopped, whatever its breaker does."""
    on = replace(PLAIN, limits=Limits(tool_calls=2))
    last = play([*TRIPPED, Tick(at(3000))], on)[-1]
    assert last.order.ends_as is SessionOutcome.STOPPED_TOOL_CALLS


MOODS = {
    "anything": ("start", "finish", "fail", "unseen", "unseen failure", "answer", "probe", "release", "ended", "tick"),
    "commands in vain": ("vain", "vain", "vain", "look", "change", "look", "probe"),
    "failing": ("fail", "fail", "unseen failure", "finish", "tick", "probe"),
    "repeating": ("start", "start", "start", "unseen", "fail", "tick", "release"),
    "spending": ("answer", "answer", "answer", "tick", "release"),
}
"""What mostly happens in a stream, so that each metric has its turn."""


def fact_at(draw: st.DrawFn, second: float, kinds: tuple[str, ...]) -> Fact:
    kind = draw(st.sampled_from(kinds))
    if kind == "answer":
        cost = draw(st.sampled_from([None, "0.5", "2", "3"]))
        return answer(second, cost=cost, more=draw(st.booleans()))
    others: dict[str, Fact] = {
        "probe": Probed(at(second), draw(st.sampled_from("xyz"))),
        "release": Released(at(second)),
        "ended": SubagentEnded(at(second), "t"),
        "tick": Tick(at(second)),
        "vain": finished(second, "Bash", draw(st.sampled_from("abcd")), failed=True),
        "look": finished(second, "Read", str(second)),
        "change": finished(second, "Edit", str(second)),
    }
    if kind in others:
        return others[kind]
    tool = draw(st.sampled_from(["Bash", "fetch", "Edit", "TaskOutput"]))
    arguments, thread = draw(st.sampled_from(["", "a", "a", "b", "c"])), draw(st.sampled_from(["", "", "t"]))
    if kind == "start":
        return started(second, tool, arguments, thread=thread)
    return finished(second, tool, arguments, thread=thread, failed="fail" in kind, unseen="unseen" in kind)


@st.composite
def streams(draw: st.DrawFn) -> list[Fact]:
    """Any facts in any order, the clock now and then a little backward, now and then far ahead."""
    kinds = MOODS[draw(st.sampled_from(sorted(MOODS)))]
    second = 100.0
    facts: list[Fact] = []
    for _ in range(draw(st.integers(1, 40))):
        second += draw(st.sampled_from([0, 0.4, 1, 1, 7, 7, 31, 61, -2, 120]))
        facts.append(fact_at(draw, second, kinds))
    return facts


RULES = st.builds(
    Breaker,
    failures_percent=st.sampled_from([None, 50, 60, 100]),
    sample=st.integers(2, 5),
    window=st.integers(2, 6),
    only_failed=st.integers(1, 4),
    repeats=st.sampled_from([None, 2, 3, 5]),
    cost_per_minute=st.sampled_from([None, dollars("4")]),
    cost_sample=st.integers(1, 3),
    cooldown=st.sampled_from([10, 100]),
)


@given(streams(), RULES)
@settings(max_examples=200, deadline=None)
def test_the_breaker_follows_its_definition(facts: list[Fact], rules: Breaker) -> None:
    """On any stream of facts it says what counting everything anew says, though it keeps only a bounded part."""
    naive = NaiveBreaker(rules)
    part, totals = SessionBreaker(), Totals()
    for fact in facts:
        totals = count(totals, fact)
        part, advice, events = watch(part, fact, totals, replace(PLAIN, breaker=rules))
        trip = part.trip
        assert (part.state.value, trip.scope if trip else "", trip.spent if trip else 0) == naive.told(fact)
        assert bool(advice) is (part.state is OPEN)
        assert sum(event.kind is EventKind.TRIP for event in events) <= 1
        assert from_json(SessionBreaker, json.loads(json.dumps(to_json(part)))) == part


def test_what_it_remembers_is_bounded() -> None:
    """A hundred threads and tools, thousands of calls: the state stays small, and ended subagents leave it."""
    facts: list[Fact] = [
        fact for n in range(500) for fact in used(n, f"tool{n % 100}", f"{n}", thread=f"t{n % 90}", failed=n % 3 == 0)
    ]
    part, _, _ = run([*facts, *(answer(n / 10, cost="0.001") for n in range(900))], OFF)
    assert len(part.tools) == TOOLS
    assert len(part.recent.lanes) == THREADS
    assert len(part.cost) <= 60
    last = next(reversed(part.recent.lanes))
    part, _, _ = watch(part, SubagentEnded(at(9_000), last), Totals(), PLAIN)
    assert last not in part.recent.lanes


def test_trees_that_were_seen_before_are_no_progress() -> None:
    """Only the eighth-last look is forgotten."""
    looks: list[Fact] = [Probed(at(n), f"{n % 9}") for n in range(9)]
    part, _, _ = run([*looks, *used(20, "Read", "a")])
    assert len(part.recent.trees) == 8
    assert part.recent.lanes[""].since == 1


@given(streams())
@settings(max_examples=50, deadline=None)
def test_the_machine_stands_still_while_it_is_open(facts: list[Fact]) -> None:
    """With an open breaker no order lets the session go on, on any stream."""
    state = State()
    for fact in facts:
        decision = govern(state, fact, PLAIN)
        state = decision.state
        if state.breaker.state is OPEN:
            assert decision.order.act.ends_turn


def test_answers_alone_cost_nothing_to_watch() -> None:
    """An answer without a price changes nothing that is remembered."""
    part, _, _ = run([Answer(at(0))])
    assert part == SessionBreaker()
