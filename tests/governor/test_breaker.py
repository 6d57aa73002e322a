"""The breaker opens on what goes wrong, and never on healthy work: failures, repetitions, cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tabstop.governor.facts import Fact, Probed, ToolFinished, ToolStarted
from tabstop.governor.orders import EventKind
from tabstop.money import dollars
from tabstop.verdict import Outcome, Signal
from tests.governor.breaker_runs import (
    OFF,
    OPEN,
    READ_AGAIN,
    failing,
    opened_at,
    run,
    used,
)
from tests.governor.builders import answer, at
from tests.support.samples import CLAUDE


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
    "a file read 40 times": (READ_AGAIN, "repeated calls", 10),
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


def test_each_metric_can_be_switched_off() -> None:
    """None of the three opens it then."""
    dear: list[Fact] = [answer(n, cost="9") for n in range(9)]
    assert run([*failing(30), *STUCK["a file read 40 times"][0], *dear], OFF)[1] == []
