"""Words: every sentence and remedy a person reads of the governor, in one file each kind, with the situation it is said in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabstop.governor.degradation import apply
from tabstop.governor.facts import CallFailed, Fact, Released, Replied, Resumed, ServerSaid, Tick, Unaffordable
from tabstop.governor.machine import Decision
from tabstop.governor.orders import Step
from tabstop.governor.settings import (
    Breaker,
    Degradation,
    Exhaustion,
    Heartbeats,
    OnLimit,
    Settings,
    Subtasks,
    Throttle,
    UnknownPrice,
)
from tabstop.money import dollars
from tabstop.session import Limits
from tabstop.verdict import Finding, Verdict
from tests.governor.builders import answer, at, ended, finished, play, spawned, started
from tests.governor.test_runaway import CASES, only
from tests.support.golden import expect

SILENT = Heartbeats(silence=10**6)
FIVE = Settings("s-1a2b", Limits(cost=dollars(5)), heartbeats=SILENT, degradation=Degradation(ladder=()))
FAR = Settings("s-1a2b", Limits(tokens=10**12), heartbeats=SILENT)
NO_BREAKER = replace(FAR, breaker=Breaker(failures_percent=None, repeats=None, cost_per_minute=None))
CALM = replace(
    NO_BREAKER,
    throttle=Throttle(None, None, None),
    degradation=Degradation(ladder=()),
)

Situations = dict[str, tuple[Settings, list[Fact]]]


def limits(**bound: int) -> Settings:
    return replace(CALM, limits=Limits(**bound))


def at_five(what: OnLimit, **changes: object) -> Settings:
    return replace(FIVE, exhaustion=Exhaustion(what), **changes)  # type: ignore[arg-type]


SPENT: list[Fact] = [answer(n * 90, cost="1.25") for n in range(4)]
NEARLY: list[Fact] = [replace(answer(n * 90, cost="1.2"), reserve=dollars("0.25")) for n in range(4)]

AT_A_LIMIT: Situations = {
    "cost, halt": (FIVE, SPENT),
    "tokens, suspend": (limits(tokens=50_000), [answer(tokens=51_200)]),
    "tokens, halt": (
        replace(limits(tokens=50_000), exhaustion=Exhaustion(on_tokens=OnLimit.HALT)),
        [answer(tokens=51_200)],
    ),
    "iterations, halt": (limits(iterations=3), [answer(n) for n in range(3)]),
    "tool calls, halt": (limits(tool_calls=2), [started(), finished(1), started(2), finished(3)]),
    "wall clock, halt": (limits(wall_clock_seconds=5_400), [Resumed(at(0)), Tick(at(5_400))]),
    "a summary that cannot be made": (at_five(OnLimit.SUMMARY), SPENT),
    "a summary": (at_five(OnLimit.SUMMARY, can_summarize=True), NEARLY),
    "after the summary": (at_five(OnLimit.SUMMARY, can_summarize=True), [*NEARLY, answer(400, cost="0.12")]),
    "a question": (at_five(OnLimit.ASK), SPENT),
    "a question, answered no": (at_five(OnLimit.ASK), [*SPENT, Replied(at(300), granted=False)]),
    "a question, not answered": (at_five(OnLimit.ASK), [*SPENT, Tick(at(900))]),
    "a call that does not fit": (FIVE, [*SPENT[:3], Unaffordable(at(300), "cost", dollars("4.1"))]),
    "a model without a price, block": (replace(FIVE, unpriced=UnknownPrice.BLOCK), [answer(cost=None)]),
    "a model without a price, warn": (FIVE, [answer(cost=None)]),
    "no limit at all": (Settings("s-1a2b"), [answer()]),
}

FAILING: list[Fact] = [finished(n * 20, "fetch", f"{n}", failed=True) for n in range(3)]
MIXED: list[Fact] = [finished(n * 20, "fetch", f"{n}", failed=n > 0) for n in range(10)]
SAME: list[Fact] = [one for n in range(10) for one in (started(n * 9, "Read"), finished(n * 9 + 1, "Read"))]
DEAR: list[Fact] = [answer(n * 9, cost="2") for n in range(3)]

BREAKER: Situations = {
    "a tool that has only failed": (FAR, FAILING),
    "a tool that fails often": (replace(FAR, throttle=Throttle(retry_pauses=None)), MIXED),
    "a call that is repeated": (FAR, SAME),
    "a cost rate": (FAR, DEAR),
    "a command whose failures new work followed, then no more": (
        FAR,
        [
            finished(0, arguments="a", failed=True),
            finished(1, "Edit", "b"),
            *(finished(20 * n, arguments=f"{n}", failed=True) for n in range(1, 4)),
        ],
    ),
    "commands that never worked, with other work between": (
        FAR,
        [
            one
            for n in range(6)
            for one in (finished(n * 9, arguments=f"{n}", failed=True), finished(n * 9 + 1, "Read", f"{n}"))
        ],
    ),
    "a tool that has only failed, with the same arguments": (
        FAR,
        [finished(n * 20, "fetch", failed=True) for n in range(3)],
    ),
    "its cooldown is over": (FAR, [*FAILING, Tick(at(2_000))]),
    "its cooldown is over, of a cost rate": (FAR, [*DEAR, Tick(at(2_000))]),
    "tried again, and failed": (FAR, [*FAILING, Released(at(99)), finished(100, "fetch", "new", failed=True)]),
}

BRAKES: Situations = {
    "too many calls a minute": (
        replace(NO_BREAKER, throttle=Throttle(calls_per_minute=2)),
        [started(n, arguments=f"{n}") for n in range(3)],
    ),
    "too many, and denied": (
        replace(NO_BREAKER, throttle=Throttle(calls_per_minute=1)),
        [started(n / 9, arguments=f"{n}") for n in range(3)],
    ),
    "too many identical ones": (
        replace(NO_BREAKER, throttle=Throttle(identical_per_minute=2)),
        [started(n) for n in range(3)],
    ),
    "a failed call is tried again": (NO_BREAKER, [finished(0, "fetch", failed=True), started(0.1, "fetch")]),
    "a tool failed three times": (NO_BREAKER, [finished(n * 9, "fetch", failed=True) for n in range(3)]),
    "a command failed six times": (NO_BREAKER, [finished(n * 9, "Bash", failed=True) for n in range(6)]),
    "no pauses": (
        replace(NO_BREAKER, throttle=Throttle(retry_pauses=())),
        [finished(0, "fetch", failed=True)],
    ),
}


def subtasks(**changes: int) -> Settings:
    return replace(CALM, limits=Limits(tokens=1_000_000), subtasks=replace(Subtasks(), **changes))  # type: ignore[arg-type]


RESEARCH = spawned(0, "a7f", "research")

SUBTASKS: Situations = {
    "its share is nearly used": (subtasks(), [RESEARCH, answer(1, 91_000, thread="a7f")]),
    "its share is used up": (subtasks(), [RESEARCH, answer(1, 101_000, thread="a7f")]),
    "one of no kind": (subtasks(), [answer(1, 260_000, thread="b"), answer(2, 1, thread="b")]),
    "too many at once": (subtasks(fan_out=1), [RESEARCH, spawned(1, "b")]),
    "too deep": (subtasks(depth=1), [RESEARCH, spawned(1, "b", thread="a7f")]),
    "too many in all": (subtasks(total=1), [RESEARCH, ended(1, "a7f"), spawned(2, "b")]),
    "nothing left to share": (replace(subtasks(), limits=Limits(tokens=3)), [RESEARCH]),
    "refused, and runs all the same": (
        subtasks(fan_out=1),
        [RESEARCH, spawned(1, "b"), started(2, thread="b")],
    ),
    "near a limit, and runs all the same": (
        replace(subtasks(), degradation=Degradation()),
        [answer(0, 820_000), spawned(1, "b"), started(2, thread="b")],
    ),
}

LADDER = replace(limits(tokens=100_000), degradation=Degradation())
NEAR = replace(LADDER, exhaustion=Exhaustion(on_tokens=OnLimit.SUMMARY), can_summarize=True)

DEGRADED: Situations = {
    **{f"{percent} %": (LADDER, [answer(tokens=percent * 1_000)]) for percent in (76, 81, 86, 91, 96)},
    "a last answer is kept": (NEAR, [replace(answer(tokens=76_000), reserve_tokens=4_000)]),
    "a tool at 91 %": (LADDER, [answer(tokens=91_000), started(1)]),
    "the next call": (LADDER, [replace(answer(tokens=56_000), next_call_tokens=20_000)]),
    "a call that does not fit": (LADDER, [answer(tokens=56_000), Unaffordable(at(1), "tokens", 50_000)]),
    "a tool after such a call": (
        LADDER,
        [answer(tokens=56_000), *[Unaffordable(at(1), "tokens", 50_000)] * 4, started(2)],
    ),
    "a subagent at 81 %": (LADDER, [answer(tokens=81_000), spawned(1)]),
}

SILENCE: Situations = {
    "the agent": (Settings(limits=FAR.limits), [Resumed(at(0)), Tick(at(600))]),
    "the server": (FAR, [answer(), ServerSaid(at(1), Verdict()), Tick(at(182))]),
}

RUNAWAY: Situations = {
    **{
        name: (replace(CALM, runaway=only(name, getattr(CALM.runaway, name)).runaway), facts)
        for name, facts, _, _ in CASES
    },
    "backoff, announced": (CALM, [CallFailed(at(0), 429, 7_200)]),
}


def told(decisions: list[Decision]) -> list[str]:
    """What people read: each sentence once, of the events and then of the last order."""
    found: dict[str, str] = {}
    for one in decisions:
        for event in one.events:
            if event.finding is not None:
                found.setdefault(_said(event.finding), event.kind.value)
    last = decisions[-1].order
    for finding in last.findings[:1]:
        found.setdefault(_said(finding), last.act.value)
    return [f"  {what}: {said}" for said, what in found.items()]


def _said(finding: Finding) -> str:
    return f"{finding.sentence}\n      {finding.remedy}" if finding.remedy else finding.sentence


@pytest.mark.parametrize(
    ("name", "situations"),
    [
        ("at a limit", AT_A_LIMIT),
        ("breaker", BREAKER),
        ("brakes", BRAKES),
        ("subtasks", SUBTASKS),
        ("degradation", DEGRADED),
        ("silence", SILENCE),
        ("runaway", RUNAWAY),
    ],
)
def test_words(name: str, situations: Situations) -> None:
    """Read as the one who gets them: what happened, with its numbers, and what to do."""
    blocks = [
        "\n".join([situation, *told(play(facts, settings))]) for situation, (settings, facts) in situations.items()
    ]
    expect(f"governor/{name.replace(' ', '-')}.txt", "\n\n".join(blocks) + "\n")


def test_words_for_what_could_not_be_done() -> None:
    """Of each step that an attach point cannot take."""
    _, cannot = apply(tuple(Step), frozenset())
    expect("governor/not-applied.txt", "".join(f"{step}\n  {sentence}\n" for step, sentence in cannot.items()))
