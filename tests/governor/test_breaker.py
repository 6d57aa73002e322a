"""The breaker: what opens it, what closes it, and that healthy work never does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.breaker_memory import BreakerState
from tabstop.governor.breaker import SessionBreaker, watch
from tabstop.governor.facts import Answer, Fact, Probed, Released, SubagentEnded, Tick, ToolFinished, ToolStarted
from tabstop.governor.limits import Totals, count
from tabstop.governor.machine import govern
from tabstop.governor.orders import Act, Event, EventKind
from tabstop.governor.recent_calls import THREADS
from tabstop.governor.settings import Breaker, Settings, Throttle
from tabstop.governor.state import State
from tabstop.governor.tool_failures import TOOLS
from tabstop.money import dollars
from tabstop.session import Limits, SessionOutcome
from tabstop.verdict import Outcome, Signal
from tabstop.wire_json import from_json, to_json
from tests.governor.builders import answer, at, finished, play, started
from tests.governor.naive_breaker import NaiveBreaker
from tests.support.samples import CLAUDE

OPEN, HALF_OPEN, CLOSED = BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED
PLAIN = Settings("s1")


def run(facts: list[Fact], rules: Breaker = PLAIN.breaker) -> tuple[SessionBreaker, list[Event], list[BreakerState]]:
    part, totals = SessionBreaker(), Totals()
    events: list[Event] = []
    states: list[BreakerState] = []
    for fact in facts:
        totals = count(totals, fact)
        part, _, told = watch(part, fact, totals, replace(PLAIN, breaker=rules))
        events += told
        states.append(part.state)
    return part, events, states


def used(second: float, name: str, arguments: str, *, failed: bool = False, thread: str = "") -> list[Fact]:
    begun = started(second, name, arguments, thread=thread)
    return [begun, finished(second + 0.5, name, arguments, failed=failed, thread=thread)]


def failing(times: int, name: str = "fetch", *, apart: float = 2, begin: float = 0) -> list[Fact]:
    return [fact for n in range(times) for fact in used(begin + n * apart, name, f"{n}", failed=True)]


def opened_at(facts: list[Fact], rules: Breaker = PLAIN.breaker) -> int | None:
    """The call at which it opens, counting from 1; None if it never does."""
    _, _, states = run(facts, rules)
    if OPEN not in states:
        return None
    return sum(isinstance(fact, ToolStarted) for fact in facts[: states.index(OPEN) + 1])


@pytest.mark.parametrize("name", ["fetch", "Bash", "mcp__jira__search"])
def test_a_tool_that_has_only_failed_trips_by_its_third_call(name: str) -> None:
    """Even when it is called with other arguments each time, and answers and other tools lie between."""
    facts: list[Fact] = [*used(0, "Read", "x"), answer(1), *failing(3, name, begin=2)]
    part, events, _ = run(facts)
    assert part.state is OPEN
    (trip,) = events
    assert trip.kind is EventKind.TRIP
    found = trip.finding
    assert found is not None
    assert (found.signal, found.outcome, found.scope) == (Signal.BREAKER, Outcome.STOP, "tool failures")
    assert (found.subject, found.spent, found.cap) == (name, 100, 60)
    assert found.sentence == (
        f"`{name}` failed 3 times and never worked. A tool that never worked opens the breaker at its 3rd failure."
    )
    assert found.remedy == (
        "Find out why, then run `tabstop release s1` and resume the agent. Without that it may try again after 15 min."
    )


def outcomes(pattern: str, name: str = "fetch") -> list[Fact]:
    return [fact for n, sign in enumerate(pattern) for fact in used(2 * n, name, f"{n}", failed=sign == "-")]


@pytest.mark.parametrize(
    ("pattern", "at_call"),
    [
        ("+----------", 10),  # 9 of 10, as soon as ten were seen
        ("+" * 10 + "-" * 10, None),  # half of 20
        ("+" * 10 + "-" * 12, 22),  # 12 of the last 20 are 60 %
        ("--+" * 7, 10),  # never three in a row, yet seven of ten
        ("-+-+-" + "++-" * 20, None),
        ("+-" * 40, None),
    ],
)
def test_the_failure_rate(pattern: str, at_call: int | None) -> None:
    """60 % of the last 20 calls of one tool, after ten."""
    assert opened_at(outcomes(pattern)) == at_call


def test_the_sentence_of_a_rate() -> None:
    """It gives both numbers it was made from."""
    part, _, _ = run(outcomes("+" * 10 + "-" * 12))
    assert part.trip is not None
    assert part.trip.sentence == "`fetch` failed in 12 of its last 20 calls (60 %). The breaker opens at 60 % failures."
    assert part.trip.spent == 60


def edit_test_loop(rounds: int, tests_fail: bool) -> list[Fact]:
    facts: list[Fact] = []
    for n in range(rounds):
        facts += [answer(n * 30, cost="0.05"), *used(n * 30 + 1, "Edit", f"edit {n}"), answer(n * 30 + 10, cost="0.05")]
        facts += used(n * 30 + 11, "Bash", "pytest", failed=tests_fail)
    return facts


def by_shell_alone(rounds: int) -> list[Fact]:
    facts: list[Fact] = []
    for n in range(rounds):
        facts += [*used(n * 30, "shell", f"apply_patch {n}"), *used(n * 30 + 10, "shell", "cargo test", failed=True)]
    return facts


def by_probe(rounds: int) -> list[Fact]:
    """Only the failing command is seen of what the agent does, and that the tree changes."""
    facts: list[Fact] = []
    for n in range(rounds):
        facts += [Probed(at(n * 30), f"tree {n}"), *used(n * 30 + 1, "Bash", "make test", failed=True)]
    return facts


HEALTHY: dict[str, list[Fact]] = {
    "tests stay red, with an edit before each run": edit_test_loop(60, tests_fail=True),
    "tests stay green": edit_test_loop(60, tests_fail=False),
    "an agent that does all with its shell": by_shell_alone(60),
    "edits are only seen in the tree": by_probe(60),
    "asking what runs in the background": [fact for n in range(60) for fact in used(n * 10, "TaskOutput", "job 1")],
    "mostly searches without a match, then reading on": [
        fact
        for n in range(40)
        for fact in (
            *used(n * 20, "Bash", f"rg {n}", failed=True),
            *used(n * 20 + 2, "Bash", f"rg -i {n}", failed=n % 3 != 2),
            *used(n * 20 + 4, "Read", f"file {n}"),
        )
    ],
    "eight subagents begin with the same three calls": [
        fact for n in range(8) for name in ("Read", "Glob", "Grep") for fact in used(n, name, "same", thread=f"t{n}")
    ],
    "eight subagents' first test run is red": [
        fact for n in range(8) for fact in used(n, "Bash", "pytest", failed=True, thread=f"t{n}")
    ],
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_work_never_opens_it(name: str) -> None:
    """However long it goes on."""
    assert opened_at(HEALTHY[name]) is None


def captured() -> list[Path]:
    return sorted(CLAUDE.glob("*/projects/**/*.jsonl"))


def tool_facts(transcript: Path) -> Iterator[Fact]:
    names: dict[str, tuple[str, str]] = {}
    for line in transcript.read_text().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # the half row of a killed client
        content = row["message"]["content"] if row["type"] in {"assistant", "user"} else None
        for block in content if isinstance(content, list) else ():
            moment = datetime.fromisoformat(row["timestamp"])
            if block.get("type") == "tool_use":
                names[block["id"]] = called = (block["name"], json.dumps(block["input"]))
                yield ToolStarted(moment, *called)
            elif block.get("type") == "tool_result":
                yield ToolFinished(moment, *names[block["tool_use_id"]], failed=block.get("is_error") is True)


@pytest.mark.parametrize("transcript", captured(), ids=lambda path: f"{path.parts[-4]}-{path.name[:8]}")
def test_no_captured_session_opens_it(transcript: Path) -> None:
    """Sessions of a real agent, as it wrote them down."""
    assert opened_at(list(tool_facts(transcript))) is None


STUCK: dict[str, tuple[list[Fact], str, int]] = {
    "a file read 40 times": ([f for n in range(40) for f in used(n * 5, "Read", "huge.log")], "repeated calls", 10),
    "two calls in turn": (
        [f for n in range(40) for f in used(n * 5, "Read", "ab"[n % 2])],
        "repeated calls",
        20,
    ),
    "a plan rewritten between": (
        [f for n in range(40) for f in (*used(n * 9, "Read", "a"), *used(n * 9 + 3, "TodoWrite", f"plan {n}"))],
        "repeated calls",
        19,
    ),
    "an edit undone and made again": (
        [f for n in range(40) for f in (Probed(at(n * 9), f"tree {n % 2}"), *used(n * 9 + 1, "Edit", f"edit {n % 2}"))],
        "repeated calls",
        20,  # the tree looked new once, after the first edit
    ),
    "a subagent and its broken tool": (
        [
            f
            for n in range(200)
            for f in (
                *used(n * 9, "mcp__db__query", f"{n}", failed=True, thread="child"),
                *used(n * 9 + 3, "Read", f"{n}"),
            )
        ],
        "tool failures",
        5,  # its third
    ),
    "a shell that lost its machine": (failing(200, "Bash"), "tool failures", 3),
    "a shell without a machine, a file read between": (
        [f for n in range(40) for f in (*used(n * 9, "Bash", f"{n}", failed=True), *used(n * 9 + 3, "Read", f"{n}"))],
        "tool failures",
        11,  # its sixth
    ),
    "one command that always fails, a file read between": (
        [f for n in range(40) for f in (*used(n * 9, "Bash", "make", failed=True), *used(n * 9 + 3, "Read", f"{n}"))],
        "tool failures",
        11,
    ),
    "a shell without a machine, and edits": (
        [f for n in range(40) for f in (*used(n * 9, "Bash", f"{n}", failed=True), *used(n * 9 + 3, "Edit", f"{n}"))],
        "tool failures",
        11,
    ),
}


@pytest.mark.parametrize("name", STUCK)
def test_runaways_open_it_early(name: str) -> None:
    """And never later than the twentieth call."""
    facts, metric, at_call = STUCK[name]
    part, _, _ = run(facts)
    assert part.trip is not None
    assert part.trip.scope == metric
    assert opened_at(facts) == at_call


def test_a_command_that_never_worked_says_its_rule() -> None:
    """How often it failed in vain, and what is not counted; a rerun after an edit is not, in its own thread only."""
    red: list[Fact] = [*used(0, "Bash", "pytest", failed=True), *used(3, "Edit", "one")]
    again = used(6, "Bash", "pytest", failed=True)
    elsewhere = used(8, "Edit", "two", thread="child")
    part, _, _ = run([*red, *again, *elsewhere, *STUCK["a shell without a machine, a file read between"][0]])
    assert part.trip is not None
    assert part.trip.sentence == (
        "`Bash` failed 6 times and never worked, whatever else was done in between. A command run again after a change is "
        "not counted. The breaker opens at the 6th failure."
    )
    assert opened_at([*red, *again, *STUCK["a shell without a machine, a file read between"][0]]) == 3 + 9


def test_the_sentence_of_a_repetition() -> None:
    """It names the tool and how often."""
    part, _, _ = run(STUCK["a file read 40 times"][0])
    assert part.trip is not None
    assert part.trip.sentence == (
        "`Read` was called 10 times with the same arguments, and nothing new came of it. The breaker opens at 10."
    )
    assert (part.trip.spent, part.trip.cap, part.trip.subject) == (10, 10, "Read")


@pytest.mark.parametrize(
    ("costs", "trips"),
    [
        ([(0, "9")], False),  # a large first prompt is no rate
        ([(0, "9"), (30, "1")], False),  # nor are two answers
        ([(0, "2"), (20, "2"), (40, "1")], False),  # $5 is not above $5
        ([(0, "2"), (20, "2"), (40, "1.01")], True),
        ([(0, "3"), (20, "1"), (60, "3")], False),  # the first is a minute old
        ([(0, "3"), (0.5, "3"), (0.9, None), (1, "0.1")], True),
        ([(0, "3"), (0.5, "3"), (1, None)], False),  # what has no price is not counted as an answer of none
    ],
)
def test_the_cost_rate(costs: list[tuple[float, str | None]], trips: bool) -> None:
    """More than so much in a minute, of three answers at least."""
    _, events, _ = run([answer(second, cost=cost) for second, cost in costs])
    assert bool(events) is trips


def test_an_answer_that_turns_out_larger_is_not_one_more() -> None:
    """Its cost counts, it does not."""
    facts: list[Fact] = [answer(0, cost="3"), answer(1, cost="3", more=True), answer(2, cost="3")]
    assert run(facts)[1] == []
    part, _, _ = run([*facts, answer(3, cost="0.5")])
    assert part.trip is not None
    assert part.trip.sentence == "The session spent $9.50 within a minute. The breaker opens above $5.00 a minute."
    assert (part.trip.scope, part.trip.unit, part.trip.spent) == ("cost rate", "usd", dollars("9.5"))


OFF = Breaker(failures_percent=None, repeats=None, cost_per_minute=None)


def test_each_metric_can_be_switched_off() -> None:
    """None of the three opens it then."""
    dear: list[Fact] = [answer(n, cost="9") for n in range(9)]
    assert run([*failing(30), *STUCK["a file read 40 times"][0], *dear], OFF)[1] == []


TRIPPED = failing(3)


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
            STUCK["a file read 40 times"][0][:20],
            finished(2001, "Grep"),
            started(2001, "Read", "huge.log"),
            answer(2001),
        ),
        (
            STUCK["a file read 40 times"][0][:20],
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
