"""The throttle and the retry brake: how long a call waits, which is denied, when a person has to look."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.governor.facts import Fact, Probed, Released, SubagentEnded, Tick, ToolStarted
from tabstop.governor.machine import govern
from tabstop.governor.orders import Act, Advice, EventKind
from tabstop.governor.retry import CALLS
from tabstop.governor.settings import Breaker, Degradation, Settings, Throttle
from tabstop.governor.state import State
from tabstop.governor.throttle import STARTS, Pace, pace
from tabstop.session import Limits, SessionOutcome
from tabstop.verdict import Signal
from tabstop.wire_json import from_json, to_json
from tests.governor.builders import answer, at, finished, play, started

THREE = Throttle(calls_per_minute=3, identical_per_minute=2, retry_pauses=(1, 5))
FREE = Throttle(calls_per_minute=None, identical_per_minute=None, retry_pauses=(1, 5))


def run(facts: list[Fact], rules: Throttle) -> tuple[Pace, list[tuple[Advice, ...]]]:
    part, said = Pace(), []
    for fact in facts:
        part, advice, _ = pace(part, fact, Settings("s1", throttle=rules))
        said.append(advice)
    return part, said


def waits(facts: list[Fact], rules: Throttle) -> list[float | str]:
    """Per fact: the seconds to wait, or what else is ordered."""

    def shown(advice: tuple[Advice, ...]) -> float | str:
        if not advice:
            return 0
        return advice[0].seconds if advice[0].act is Act.THROTTLE else advice[0].act.value

    return [shown(advice) for advice in run(facts, rules)[1]]


def calls(*seconds: float, same: bool = False) -> list[Fact]:
    return [started(second, "Read", "same" if same else f"{n}") for n, second in enumerate(seconds)]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (calls(0, 10, 20, 60), [0, 0, 0, 0]),  # a minute is over
        (calls(0, 10, 20, 30), [0, 0, 0, 30]),
        (calls(0, 0, 0, 0, 0), [0, 0, 0, 60, 60]),  # at once: two places are booked a minute ahead
        (calls(0, 0, 0, 0, 0, 0, 0), [0, 0, 0, 60, 60, 60, "deny"]),
        (calls(0, 0, 0, 0, 0, 0, 0, 60), [0, 0, 0, 60, 60, 60, "deny", 60]),  # what was denied has no place
        (calls(0, 10, 20, 5), [0, 0, 0, 40]),  # told late: it is counted as now
        (calls(0, 10, same=True), [0, 0]),
        (calls(0, 10, 20, same=True), [0, 0, 40]),
        ([*calls(0, 0, 0, same=True), started(1, "Grep")], [0, 0, 60, 0]),  # others need not wait for a repetition
        ([started(n, "Read", "") for n in range(3)], [0, 0, 0]),  # not known to be the same
        ([finished(n, "Read", f"{n}") for n in range(5)], [0] * 5),  # their starts were counted
        ([finished(n, "Read", f"{n}", unseen=True) for n in range(4)], [0, 0, 58, 58]),  # the next one has to wait
        ([finished(n, "Read", "a", unseen=True) for n in range(2)], [0, 59]),
        ([*calls(0, 0, 0, 0, 0, 0), finished(1, unseen=True)], [0, 0, 0, 60, 60, 60, 119]),  # it ran; none is denied
        ([answer(0), Tick(at(1))], [0, 0]),
    ],
)
def test_how_long_a_call_waits(facts: list[Fact], expected: list[float | str]) -> None:
    """At most three a minute, two identical ones; what would wait for more than a minute is denied."""
    assert waits(facts, THREE) == expected


def test_no_rate_no_wait() -> None:
    """Both rates can be switched off."""
    assert set(waits(calls(*[0] * 500, same=True), FREE)) == {0}


@pytest.mark.parametrize(
    ("facts", "sentence", "scope", "cap"),
    [
        (calls(0, 1, 2, 3), "At most 3 tool calls a minute may be made: wait 57 s.", "calls_per_minute", 3),
        (
            calls(0, 1, 1.5, same=True),
            "`Read` may be called at most 2 times a minute with the same arguments: wait 59 s.",
            "identical_per_minute",
            2,
        ),
        (
            calls(0, 0, 0, 0, 0, 0, 0.5),
            "At most 3 tool calls a minute may be made: denied, try again in 120 s.",
            "calls_per_minute",
            3,
        ),
        (
            [finished(0, "a{}`b", failed=True), started(0.2, "a{}`b")],
            "`a{}?b` failed with the same arguments: wait 1 s.",
            "retry",
            None,
        ),
    ],
)
def test_what_it_says(facts: list[Fact], sentence: str, scope: str, cap: int | None) -> None:
    """The rule, its number, and how long it takes."""
    finding = run(facts, THREE)[1][-1][0].finding
    assert finding is not None
    assert (finding.sentence, finding.scope, finding.cap) == (sentence, scope, cap)
    assert finding.signal is (Signal.RETRY if scope == "retry" else Signal.RATE)


def test_people_are_told_once_per_stretch() -> None:
    """A hundred calls that wait are one event; after a quiet minute there may be another."""
    decisions = play(
        [*calls(*range(100)), *calls(*range(1_000, 1_100))],
        Settings("s1", throttle=replace(THREE, calls_per_minute=10)),
    )
    told = [event for decision in decisions for event in decision.events if event.kind is EventKind.THROTTLE]
    assert [event.at for event in told] == [at(10), at(1_010)]


@given(
    st.lists(st.tuples(st.sampled_from([0, 0, 0.3, 1, 9, 30, 61, -5]), st.sampled_from("abc")), max_size=40),
    st.sampled_from([None, 1, 2, 5]),
    st.sampled_from([None, 1, 3]),
)
@settings(max_examples=200, deadline=None)
def test_calls_that_wait_as_told_never_exceed_the_rate(
    stream: list[tuple[float, str]], most: int | None, same: int | None
) -> None:
    """In no minute, counted anew over all of them; none waits without need, none for more than a minute."""
    rules = Throttle(calls_per_minute=most, identical_per_minute=same, retry_pauses=None)
    part, second, now = Pace(), 100.0, at(0)
    begun: list[tuple[datetime, str]] = []
    for step, arguments in stream:
        second += step
        now = max(now, at(second))
        part, advice, _ = pace(part, started(second, "Read", arguments), Settings(throttle=rules))
        assert from_json(Pace, json.loads(json.dumps(to_json(part)))) == part
        alike = [moment for moment, a in begun if a == arguments]
        crowded = _most_in_a_minute([*(moment for moment, _ in begun), now]) > (most or 1_000)
        assert bool(advice) is (crowded or _most_in_a_minute([*alike, now]) > (same or 1_000))
        if advice and advice[0].act is Act.DENY:
            continue
        seconds = advice[0].seconds if advice else 0.0
        assert seconds <= 60
        begun.append((now + timedelta(seconds=seconds), arguments))
    assert _most_in_a_minute([moment for moment, _ in begun]) <= (most or 1_000)
    for letter in "abc":
        assert _most_in_a_minute([moment for moment, a in begun if a == letter]) <= (same or 1_000)


def _most_in_a_minute(moments: list[datetime]) -> int:
    minute = timedelta(minutes=1)
    return max((sum(one <= other < one + minute for other in moments) for one in moments), default=0)


def failed(second: float, arguments: str = "a", *, name: str = "fetch", thread: str = "") -> Fact:
    return finished(second, name, arguments, failed=True, thread=thread)


def again(second: float, arguments: str = "a", *, name: str = "fetch", thread: str = "") -> Fact:
    return started(second, name, arguments, thread=thread)


def test_a_failing_call_waits_one_second_then_five_then_for_a_person() -> None:
    """The thought brake, as the example has it."""
    facts = [again(0), failed(1), again(1), failed(2.5), again(3), failed(8), again(9), Tick(at(999))]
    assert waits(facts, FREE) == [0, 0, 1, 0, 4.5, "suspend", "suspend", "suspend"]
    held = run(facts, FREE)[0].retries.held
    assert held is not None
    assert held.sentence == (
        "`fetch` failed 3 times in a row with the same arguments, tried again after 1 s, then 5 s. A person has to look."
    )
    assert held.remedy == "Find out why it fails, then run `tabstop release s1` and resume the agent."


@pytest.mark.parametrize(
    ("between", "why"),
    [
        (finished(20, "fetch", "a"), "it worked"),
        (finished(20, "fetch", "a", thread="child"), "it worked elsewhere"),
        (Released(at(20)), "a person let it go on"),
    ],
)
def test_what_ends_a_row_of_failures(between: Fact, why: str) -> None:
    """After it the next failure is a first one again."""
    assert waits([failed(0), failed(10), between, failed(30), again(30)], FREE)[-2:] == [0, 1], why


@pytest.mark.parametrize(
    ("name", "between", "ends"),
    [
        ("Bash", finished(20, "Edit", "new"), True),
        ("Bash", finished(20, "Bash", "sed"), True),
        ("Bash", finished(20, "Edit", "new", thread="child"), False),
        ("Bash", finished(20, "Edit", "new", failed=True), False),
        ("Bash", Probed(at(20), "changed"), True),
        ("Bash", Probed(at(20), "as before"), False),
        ("Bash", answer(20), False),
        ("fetch", finished(20, "Edit", "new"), False),
        ("fetch", Probed(at(20), "changed"), False),
    ],
)
def test_running_the_tests_again_after_an_edit_is_no_retry(name: str, between: Fact, ends: bool) -> None:
    """A failed command followed by new work of its thread begins anew; other tools have to work themselves."""
    row = [failed(n, name=name) for n in range(1, 6 if name == "Bash" else 3)]
    facts = [Probed(at(0), "as before"), *row, between, failed(30, name=name)]
    assert (run(facts, FREE)[0].retries.held is None) is ends


def test_a_red_test_is_a_result_and_may_be_run_again() -> None:
    """A command waits as any other tool does, then as long each time; after twice as many failures a person has to look."""
    facts = [fact for n in range(6) for fact in (again(20 * n, name="Bash"), failed(20 * n + 1, name="Bash"))]
    assert waits(facts, FREE) == [0] * 11 + ["suspend"]
    at_once = [fact for n in range(5) for fact in (again(n / 10, name="Bash"), failed(n / 10, name="Bash"))]
    assert waits(at_once, FREE)[::2] == [0, 0.9, 4.9, 4.9, 4.9]
    held = run(facts, FREE)[0].retries.held
    assert held is not None
    assert (held.spent, held.cap) == (6, 5)


def test_reading_the_same_file_between_is_no_new_work() -> None:
    """The first time it is; then the failing command is held."""
    facts = [
        fact
        for n in range(8)
        for fact in (
            failed(10 * n, name="Bash"),
            again(10 * n + 1, "x", name="Read"),
            finished(10 * n + 2, "Read", "x"),
        )
    ]
    assert run(facts[:18], FREE)[0].retries.held is None
    assert run(facts, FREE)[0].retries.held is not None


@pytest.mark.parametrize(
    "facts",
    [
        [failed(n, f"{n}") for n in range(9)],
        [failed(n, thread=f"t{n}") for n in range(9)],
        [failed(n, "") for n in range(9)],
        [failed(0, thread="t"), failed(1, thread="t"), SubagentEnded(at(2), "t"), failed(3, thread="t")],
    ],
    ids=["other arguments", "other threads", "arguments not known", "a subagent that ended"],
)
def test_what_is_no_retry(facts: list[Fact]) -> None:
    """Only the same call in the same thread is."""
    assert run(facts, FREE)[0].retries.held is None


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        (None, [0, 0, 0, 0, 0, 0]),
        ((), [0, "suspend", "suspend", "suspend", "suspend", "suspend"]),
        ((0, 0), [0, 0, 0, 0, 0, "suspend"]),
        ((2, 7, 20), [0, 0, 1.5, 0, 6.5, 0]),
    ],
)
def test_the_pauses_are_the_policys(pauses: tuple[int, ...] | None, expected: list[float | str]) -> None:
    """None for no brake, none of them for a person at the first failure."""
    facts = [again(0), failed(0), again(0.5), failed(10), again(10.5), failed(40)]
    assert waits(facts, replace(FREE, retry_pauses=pauses)) == expected


def test_where_starts_are_not_seen_the_pause_follows_the_failure() -> None:
    """The next call is told to wait when this one has failed."""
    facts: list[Fact] = [finished(n, "fetch", failed=True, unseen=True) for n in (0, 10, 20)]
    assert waits(facts, FREE) == [1, 5, "suspend"]
    held = run([finished(0, "fetch", failed=True)], replace(FREE, retry_pauses=()))[0].retries.held
    assert held is not None
    assert held.sentence == "`fetch` failed with the same arguments. A person has to look."


def test_what_it_remembers_is_bounded() -> None:
    """Thousands of calls that fail within a minute leave a state of fixed size."""
    facts: list[Fact] = [finished(n / 100, "fetch", f"{n}", failed=True, unseen=True) for n in range(3_000)]
    part, _ = run(facts, FREE)
    assert len(part.starts) == STARTS
    assert len(part.retries.failing) == CALLS


NO_BREAKER = Breaker(failures_percent=None, repeats=None, cost_per_minute=None)


def test_a_session_is_suspended_until_a_person_releases_it() -> None:
    """Its engineer is told once; an overdrive does not help, a release does."""
    facts = [failed(0), failed(10), failed(20), Tick(at(30)), Released(at(40), by="ada"), again(41)]
    decisions = play(facts, Settings("s1", throttle=FREE, breaker=NO_BREAKER))
    acts = [decision.order.act for decision in decisions]
    assert acts == [Act.PROCEED, Act.PROCEED, Act.SUSPEND, Act.SUSPEND, Act.PROCEED, Act.PROCEED]
    assert decisions[3].order.ends_as is SessionOutcome.SUSPENDED
    told = [event.kind for decision in decisions for event in decision.events if event.kind is not EventKind.ALERT]
    assert told == [EventKind.SUSPEND, EventKind.RELEASE]


def test_the_classic_breaker_policy() -> None:
    """50,000 tokens and 60 calls a minute: the session's tokens suspend it, its calls per minute only slow it down."""
    rules = Settings(
        "s1", Limits(tokens=50_000), throttle=Throttle(calls_per_minute=60), degradation=Degradation(ladder=())
    )
    state, second, slowed, used = State(), 0.0, 0, 0
    begun: list[datetime] = []
    while True:
        decision = govern(state, answer(second, tokens=500, cost=None), rules)
        state, used = decision.state, used + 500
        if decision.order.act is not Act.PROCEED:
            break
        fact = ToolStarted(at(second), "search", f"{second}")
        decision = govern(state, fact, rules)
        assert decision.order.act in {Act.PROCEED, Act.THROTTLE}
        slowed += decision.order.act is Act.THROTTLE
        second += decision.order.seconds
        begun.append(at(second))
        state = govern(decision.state, finished(second, "search", f"{fact.at}"), rules).state
        second += 0.25
    assert used == 50_000
    assert slowed > 0
    assert _most_in_a_minute(begun) == 60
    assert decision.order.act is Act.SUSPEND
    assert decision.order.ends_as is SessionOutcome.SUSPENDED
    assert decision.order.sentence.startswith("Task paused: session budget reached. Enable Overdrive to continue.")
