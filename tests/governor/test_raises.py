"""Raises: what is offered to go on is enough, for any stream of facts: after it the same limit does not stand in the way."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

import pytest
from hypothesis import given

from tabstop.cli.overdrive import overdrive
from tabstop.governor.facts import Fact, Raised, Replied, ServerSaid, Tick
from tabstop.governor.machine import Decision, govern
from tabstop.governor.orders import Act, EventKind
from tabstop.governor.settings import Exhaustion, OnLimit, Settings
from tabstop.session import Limits
from tabstop.verdict import Finding, Signal, Verdict
from tests.governor.builders import answer, at, play, started
from tests.governor.test_any_stream import AGENT, SETTINGS, WORDS, Build, played, streams

HUNDRED = Settings("s-1", Limits(tokens=100_000))
ASKING = replace(HUNDRED, exhaustion=Exhaustion(OnLimit.ASK, OnLimit.ASK))
FAR_OVER: list[Fact] = [answer(0, 90_000), answer(1, 210_000)]


def offered(finding: Finding) -> Limits:
    """The raise that the remedy names, as `tabstop overdrive` reads it."""
    found = re.search(r"`tabstop overdrive (.*?)`", finding.remedy)
    assert found is not None
    read = overdrive.make_context("overdrive", shlex.split(found[1])).params
    names = {"wall_clock_seconds": "wall_clock", "cost": "dollars"}
    return Limits(**{name: read[names.get(name, name)] for name in Limits.__slots__})


def stands_at(decision: Decision) -> str:
    """The limit it stands at; empty for none."""
    finding = decision.state.exhausted.finding
    return finding.scope if finding is not None and finding.signal is Signal.LIMIT else ""


@given(SETTINGS, streams(*AGENT, *WORDS))
def test_the_raise_that_is_offered_lifts_the_stop(settings: Settings, stream: list[tuple[int, Build]]) -> None:
    """By the command as it is printed, whatever was used past the limit and whatever is kept for a last answer."""
    for _, _, decision in played(stream, settings):
        limit = stands_at(decision)
        for finding in decision.order.findings:
            if limit and (finding.signal, finding.scope) == (Signal.LIMIT, limit) and "overdrive" in finding.remedy:
                told_at = decision.state.totals.last_at or at(0)
                assert stands_at(govern(decision.state, Raised(told_at, offered(finding)), settings)) != limit


@given(SETTINGS, streams(*AGENT))
def test_a_yes_is_enough(settings: Settings, stream: list[tuple[int, Build]]) -> None:
    """Who allows more is not asked the same again at once, however long the answer took."""
    settings = replace(settings, exhaustion=Exhaustion(OnLimit.ASK, OnLimit.ASK), ci=False)
    for _, _, decision in played(stream, settings):
        if decision.state.exhausted.question is not None:
            told_at = decision.state.totals.last_at or at(0)
            yes = govern(decision.state, Replied(at((told_at - at(0)).total_seconds() + 90), granted=True), settings)
            assert stands_at(yes) != decision.state.exhausted.question.limit


def test_far_past_its_limit_it_is_offered_what_it_lacks() -> None:
    """300k of 100k used: half of the limit more would leave it where it stands."""
    stopped = play(FAR_OVER, HUNDRED)[-1]
    assert "`tabstop overdrive s-1 --tokens 250000`" in stopped.order.findings[0].remedy
    raised = govern(stopped.state, Raised(at(2), Limits(tokens=250_000)), HUNDRED)
    assert raised.order.act is not Act.SUSPEND


def test_one_yes_is_one_question() -> None:
    """The question is how much may be used from now on; the raise covers what was used already."""
    asked = play(FAR_OVER, ASKING)[-1]
    finding = asked.order.findings[0]
    assert (asked.order.act, finding.sentence) == (Act.ASK, "Used 300k tokens, allow another 50k tokens?")
    assert (finding.asked, offered(finding).tokens) == (250_000, 250_000)
    yes, later = play([Replied(at(2), granted=True), Tick(at(3))], ASKING, asked.state)
    assert yes.state.totals.raised == Limits(tokens=250_000)
    assert [event.kind for event in (*yes.events, *later.events)].count(EventKind.ASK) == 0
    assert not later.order.act.ends_turn


@pytest.mark.parametrize("over", [0, 3])
def test_refused_calls_eat_no_raise(over: int) -> None:
    """A limit of three lets three run, says so, and one more is one more, however many were refused."""
    three = replace(HUNDRED, limits=Limits(tool_calls=3), degradation=replace(HUNDRED.degradation, ladder=()))
    calls: list[Fact] = [started(n * 60, arguments=str(n)) for n in range(4 + over)]
    stopped = play(calls, three)[-1]
    assert stopped.order.sentence == "The session reached its tool-call limit: 3 of 3 used."
    assert stopped.state.totals.tool_calls == 3
    more: list[Fact] = [Raised(at(900), Limits(tool_calls=1)), started(901, arguments="x"), started(961, arguments="y")]
    acts = [one.order.act for one in play(more, three, stopped.state)]
    assert acts == [Act.PROCEED, Act.PROCEED, Act.HALT]


@pytest.mark.parametrize(
    "more",
    [
        Raised(at(3_000), Limits(tool_calls=10)),
        ServerSaid(at(3_000), Verdict(), limits=Limits(tool_calls=30)),
    ],
)
def test_no_tools_eats_no_limit(more: Fact) -> None:
    """What the step of the ladder denies did not run. Who goes on asking comes to the limit, and a raise is whole all the same."""
    twenty = Settings(limits=Limits(tool_calls=20))
    calls: list[Fact] = [started(n * 60, arguments=str(n)) for n in range(40)]
    decisions = play(calls, twenty)
    assert [one.order.act for one in decisions[18:21]] == [Act.DENY, Act.DENY, Act.HALT]
    last = decisions[-1]
    assert last.order.sentence == "The session reached its tool-call limit: 18 of 20 used, and 2 refused."
    near = [event.finding.sentence for one in decisions for event in one.events if event.finding]
    assert any(one.startswith("95 % of the tool-call limit is used (18 of 20, and 1 refused)") for one in near)
    after: list[Fact] = [more, *(started(3_000 + n * 60, arguments=f"x{n}") for n in range(8))]
    acts = [one.order.act for one in play(after, twenty, last.state)]
    assert Act.HALT not in acts
    assert Act.DENY not in acts
