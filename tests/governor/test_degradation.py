"""Degradation: a session near a limit goes on with less, step by step, and before it is stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.degradation import Degraded, apply, degrade
from tabstop.governor.facts import Answer, Fact, Raised, Tick, ToolStarted, Unaffordable
from tabstop.governor.limit_reached import reached
from tabstop.governor.limits import Totals, count, one_more_call
from tabstop.governor.orders import Act, Event, EventKind, Order, Step, order_of
from tabstop.governor.settings import Degradation, Exhaustion, OnLimit, Rung, Settings
from tabstop.money import dollars
from tabstop.session import Limits
from tabstop.wire_json import from_json, to_json
from tests.governor.builders import answer, at, finished, play, spawned, started

LADDER = tuple(rung.step for rung in Degradation().ladder)
A_HUNDRED = Settings(limits=Limits(tokens=100_000))


def go(facts: list[Fact], settings: Settings) -> tuple[Degraded, Order, tuple[Event, ...], Totals]:
    """Where the session stands after these facts; the order and events are those of the last one."""
    part, totals = Degraded(), Totals()
    order, events = Order(), tuple[Event, ...]()
    for fact in facts:
        totals = count(totals, fact)
        part, advice, events = degrade(part, fact, totals, settings)
        order = order_of(list(advice))
        if isinstance(fact, ToolStarted) and order.act is not Act.DENY:
            totals = one_more_call(totals)
    return part, order, events, totals


@pytest.mark.parametrize(
    ("tokens", "steps"),
    [
        (0, 0),
        (74_999, 0),
        (75_000, 1),
        (79_999, 1),
        (80_000, 2),
        (85_000, 3),
        (90_000, 4),
        (95_000, 5),
        (100_000, 5),
        (200_000, 5),
    ],
)
def test_each_step_begins_at_its_share(tokens: int, steps: int) -> None:
    """75 % a cheaper model, 80 % no new subagents, 85 % compact, 90 % no more tools, 95 % only what is begun."""
    part, order, _, _ = go([answer(tokens=tokens)], A_HUNDRED)
    assert part.steps == order.steps == LADDER[:steps]
    assert order.act is (Act.DEGRADE if steps else Act.PROCEED)


def test_the_fullest_limit_counts_and_is_named() -> None:
    """Tokens are at 10 %, cost at 76 %: cost decides, and the sentence says which, how much and what follows."""
    settings = Settings(limits=Limits(tokens=100_000, cost=dollars("1.00")))
    finding = go([answer(tokens=10_000, cost="0.765")], settings)[1].findings[0]
    assert finding.sentence == (
        "76 % of the cost limit is used ($0.765 of $1.00): from here on a cheaper model answers, where one really costs less."
    )
    assert (finding.scope, finding.spent, finding.cap) == ("cheaper model", 76, 75)


def test_advice_is_given_at_every_fact_and_events_once() -> None:
    """A step is told when it begins; it is in force as long as the limit is near."""
    first, second = go([answer(tokens=81_000)], A_HUNDRED), go([answer(tokens=81_000), Tick(at(1))], A_HUNDRED)
    assert [(event.kind, event.finding.scope) for event in first[2] if event.finding] == [
        (EventKind.DEGRADE, "cheaper model"),
        (EventKind.DEGRADE, "no subagents"),
    ]
    assert second[2] == ()
    assert second[1].steps == LADDER[:2]
    assert [finding.scope for finding in second[1].findings] == ["no subagents", "cheaper model"]


def test_a_raise_takes_steps_back_and_they_may_begin_again() -> None:
    """With twice the limit 81 % are 40 %."""
    facts: list[Fact] = [answer(tokens=81_000), Raised(at(1), Limits(tokens=100_000))]
    part, order, events, _ = go(facts, A_HUNDRED)
    assert (part, order.act, events) == (Degraded(), Act.PROCEED, ())
    again = go([*facts, answer(2, 70_000)], A_HUNDRED)
    assert [event.kind for event in again[2]] == [EventKind.DEGRADE]


@pytest.mark.parametrize(
    ("tokens", "fact", "sentence"),
    [
        (89_000, started(1), ""),
        (
            90_000,
            started(1),
            "No more tools: 90 % of this session's token limit is used. Rely on what you have read, and say what is done and what is left.",
        ),
        (90_000, finished(1), ""),
        (79_000, spawned(1), ""),
        (
            80_000,
            spawned(1),
            "No new subagents: 80 % of this session's token limit is used. Do the work in this thread, with what you have read.",
        ),
    ],
)
def test_tools_and_subagents_are_refused_in_words_for_the_model(tokens: int, fact: Fact, sentence: str) -> None:
    """A tool that is about to start is refused, one that comes back is not."""
    _, order, _, _ = go([answer(tokens=tokens), fact], A_HUNDRED)
    assert (order.act is Act.DENY) == bool(sentence)
    if sentence:
        assert order.sentence == sentence
        assert order.steps


def test_a_tool_about_to_start_does_not_count_yet() -> None:
    """As at the limit itself: the ninth of ten tools makes it 90 %, and the tenth is the first refused."""
    ten = Settings(limits=Limits(tool_calls=10))
    nine: list[Fact] = [started(n) for n in range(9)]
    assert go(nine, ten)[1].act is Act.DEGRADE
    assert go([*nine, started(9)], ten)[1].act is Act.DENY
    assert go([started()], Settings(limits=Limits(tool_calls=1)))[1].act is Act.PROCEED


def test_what_is_kept_for_the_last_answer_counts_as_gone() -> None:
    """Else the session would stop for its summary before it ever went on with less."""
    summary = Exhaustion(on_tokens=OnLimit.SUMMARY)
    settings = replace(A_HUNDRED, exhaustion=summary, can_summarize=True)
    _, order, _, _ = go([replace(answer(tokens=50_000), reserve_tokens=40_000)], settings)
    assert order.steps == LADDER[:4]
    assert (
        "90 % of the token limit is used (50k of 100k tokens, and 40k tokens kept for a last answer)" in order.sentence
    )


def test_the_policy_orders_the_ladder() -> None:
    """Any step at any share; of a step named twice the lower share counts; a ladder may be empty."""
    rungs = (Rung(60, Step.COMPACT), Rung(40, Step.NO_TOOLS), Rung(50, Step.COMPACT), Rung(55, Step.COMPACT))
    settings = replace(A_HUNDRED, degradation=Degradation(ladder=rungs))
    assert go([answer(tokens=70_000)], settings)[0].steps == (Step.NO_TOOLS, Step.COMPACT)
    assert go([answer(tokens=70_000)], settings)[1].findings[0].cap == 50
    assert go([answer(tokens=99_000)], replace(A_HUNDRED, degradation=Degradation(ladder=())))[1].act is Act.PROCEED


def test_what_the_next_call_takes_counts_as_gone() -> None:
    """Else calls would no longer fit before the session ever went on with less. The limit itself is not reached by it."""
    ahead = replace(answer(tokens=50_000), next_call_tokens=31_000)
    part, order, _, totals = go([ahead], A_HUNDRED)
    assert part.steps == LADDER[:2]
    assert "81 % of the token limit is used (50k of 100k tokens, and 31k tokens needed for the next call)" in (
        order.sentence
    )
    assert reached(totals, ahead, A_HUNDRED) is None
    assert play([replace(ahead, next_call_tokens=60_000)], A_HUNDRED)[-1].order.act is Act.DEGRADE


def test_a_step_stays_though_the_next_call_takes_less() -> None:
    """The cheaper model's next call takes less: to go back to the dear one for that would lose its cache twice."""
    dear, cheap = (replace(answer(n, 1_000), next_call_tokens=tokens) for n, tokens in ((0, 80_000), (1, 8_000)))
    part, order, events, _ = go([dear, cheap], A_HUNDRED)
    assert (part.steps, order.steps, events) == (LADDER[:2], LADDER[:2], ())
    assert order.findings[-1].sentence.startswith("81 % of the token limit is used (1k of 100k tokens, and 80k tokens")
    assert go([dear, cheap, spawned(2)], A_HUNDRED)[1].sentence == (
        "No new subagents: the next model calls hardly fit this session's limits. Do the work in this thread, with what you "
        "have read."
    )
    assert go([dear, cheap, Raised(at(2), Limits(tokens=100_000))], A_HUNDRED)[0] == Degraded()


def test_a_call_that_does_not_fit_takes_the_next_step_and_may_be_tried_again() -> None:
    """One step each time, whatever its share; it stops the session when no step is left."""
    unfit = [Unaffordable(at(1), "tokens", 60_000)] * 6
    decisions = play([answer(tokens=50_000), *unfit], A_HUNDRED)
    assert [one.state.degraded.steps for one in decisions] == [*(LADDER[:n] for n in range(6)), LADDER]
    assert [one.order.act for one in decisions[1:]] == [Act.DEGRADE] * 5 + [Act.SUSPEND]
    assert decisions[1].order.sentence == (
        "The next model call may use 60k tokens, and 50k tokens of the session's token limit of 100k tokens are left: from here "
        "on a cheaper model answers, where one really costs less."
    )


@pytest.mark.parametrize(
    "fact",
    [
        Unaffordable(at(1), "tokens", 60_000, last=True),
        Unaffordable(at(1), "cost", 60_000),
        Unaffordable(at(1), "model", 1),
    ],
    ids=["the last answer", "of what is not limited", "of no limit"],
)
def test_no_step_is_taken_where_none_could_help(fact: Fact) -> None:
    """The last answer is as small as it can be, and a limit that is not in force holds nothing up."""
    assert go([answer(tokens=50_000), fact], A_HUNDRED)[0] == Degraded()


def test_an_attach_point_says_what_it_could_not_do() -> None:
    """What it can is applied, in order; for the rest there is a sentence each."""
    applied, could_not = apply(LADDER, frozenset({Step.NO_TOOLS, Step.COMPACT}))
    assert applied == (Step.COMPACT, Step.NO_TOOLS)
    assert could_not == {
        Step.CHEAPER_MODEL: "The model cannot be changed here: the session keeps the one it has.",
        Step.NO_SUBAGENTS: "New subagents cannot be refused here: the agent may still start some.",
        Step.FINISH_SUBTASK: "The agent cannot be told here to finish only what is begun: it may begin more.",
    }
    assert set(apply(tuple(Step), frozenset())[1]) == set(Step)


def test_one_answer_past_everything_halts_at_once() -> None:
    """No step can come before a limit that is reached in one leap."""
    leap = answer(tokens=150_000)
    totals = count(Totals(), leap)
    assert reached(totals, leap, A_HUNDRED)


small = st.one_of(
    st.tuples(st.just("answer"), st.integers(0, 200), st.integers(0, 20_000_000), st.integers(0, 60)),
    st.tuples(st.just("tool"), st.just(0), st.just(0), st.integers(0, 60)),
)


@given(st.lists(small, min_size=1, max_size=60), st.integers(0, 2_000), st.booleans())
def test_degradation_precedes_the_halt(moves: list[tuple[str, int, int, int]], reserve: int, summary: bool) -> None:
    """Whichever of five limits is reached, by steps of at most 2 % each: every step of the ladder was taken before."""
    settings = Settings(
        limits=Limits(tokens=10_000, tool_calls=100, iterations=100, wall_clock_seconds=3_600, cost=dollars(1)),
        exhaustion=Exhaustion(OnLimit.SUMMARY, OnLimit.SUMMARY),
        can_summarize=summary,
    )
    part, totals, seconds = Degraded(), Totals(), 0
    told: list[str] = []
    for turn in range(20 * len(moves)):
        what, tokens, nano, later = moves[turn % len(moves)]
        seconds += later
        fact: Fact = finished(seconds, unseen=True)
        if what == "answer":
            said: Answer = answer(seconds, tokens)
            fact = replace(said, cost=nano, reserve_tokens=reserve)
        totals = count(totals, fact)
        if reached(totals, fact, settings):
            assert part.steps == LADDER
            assert told == [step.value for step in LADDER]
            return
        part, _, events = degrade(part, fact, totals, settings)
        told += [event.finding.scope for event in events if event.finding]
        assert from_json(Degraded, to_json(part)) == part


def test_the_whole_machine_goes_down_the_ladder() -> None:
    """Two per cent of the tokens an answer: five steps, each said once, then the stop."""
    decisions = play([answer(30 * n, 2_000) for n in range(50)], A_HUNDRED)
    said = [(event.kind, event.finding.spent) for one in decisions for event in one.events if event.finding]
    assert said[:5] == [(EventKind.DEGRADE, percent) for percent in (76, 80, 86, 90, 96)]
    assert [kind for kind, _ in said[5:]] == [EventKind.SUSPEND]
    assert decisions[-2].order.steps == LADDER
