"""The governor in a program: limits stop it, degradation is told before, people can let it go on, subagents have shares."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from tabstop.governor.facts import ServerSaid
from tabstop.governor.orders import Act, Event, EventKind, Order, Step
from tabstop.governor.settings import Exhaustion, KindBudget, OnLimit, Rules, Subtasks, Throttle
from tabstop.library import (
    BreakerOpen,
    BudgetExceeded,
    BudgetSuspended,
    CallDenied,
    SessionStopped,
    SessionSuspended,
    SubagentStopped,
    limits,
)
from tabstop.library.stops import stop_of
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tests.library.builders import BEGUN, Clock, governor
from tests.library.fake_api import anthropic_message
from tests.support.golden import expect


def used(tokens: int, number: int = 0) -> Usage:
    return Usage((f"anthropic:msg:{number}",), "claude-opus-5-5", Tokens(input=tokens), BEGUN)


def test_an_answer_counts_once_and_stops_the_loop_at_the_limit() -> None:
    """Told twice it is one; the one that reaches the limit raises, and so does every step after."""
    with governor(limits(iterations=2)) as g:
        g.answered(anthropic_message(1))
        g.answered(anthropic_message(1))
        assert g.totals.iterations == 1
        assert g.check().act is Act.PROCEED
        with pytest.raises(BudgetExceeded) as stopped:
            g.answered(anthropic_message(2))
        assert stopped.value.session == g.session
        with pytest.raises(BudgetExceeded):
            g.check()
        with pytest.raises(SessionStopped):
            asyncio.run(g.acheck())


def test_the_token_limit_pauses_and_an_overdrive_goes_on() -> None:
    """The classic breaker: 50,000 tokens suspend; more lets it go on with its totals."""
    with governor(limits(tokens="50k")) as g:
        with pytest.raises(BudgetSuspended) as paused:
            g.answered(used(50_000))
        expect("library/budget-suspended.txt", f"{paused.value}\n")
        assert isinstance(paused.value, SessionSuspended)
        g.overdrive(limits(tokens="25k"), by="alice", why="nearly done")
        g.check()
        assert (g.totals.tokens, g.limits.tokens) == (50_000, 75_000)


def test_no_limit_means_the_default_ones(caplog: pytest.LogCaptureFixture) -> None:
    """No loop starts without an exit condition, and that is said."""
    with governor() as g:
        g.check()
        assert g.limits.cost == 10 * 10**9
    assert "No limit was left to this session" in caplog.text


def test_its_wall_clock_runs_inside_the_block_only() -> None:
    """And stops it there."""
    clock = Clock()
    g = governor(limits(wall_clock="1m"), clock)
    clock.sleep(1_000)
    with g:
        clock.sleep(50)
        g.check()
        clock.sleep(10)
        with pytest.raises(BudgetExceeded, match="wall-clock"):
            g.check()
    g.close()


def test_events_reach_who_listens() -> None:
    """Instead of the log."""
    seen: list[Event] = []
    usages: list[Usage] = []
    g = governor(limits(iterations=1), on_event=lambda event, _order: seen.append(event), on_usage=usages.append)
    with pytest.raises(BudgetExceeded):
        g.answered(used(5))
    assert EventKind.STOP in {event.kind for event in seen}
    assert usages == [used(5)]


def test_each_step_of_degradation_is_told_once() -> None:
    """To the callback, and again only after a raise made it needless in between; a callback that is not there is a log line."""
    told: list[tuple[Step, str]] = []
    g = governor(limits(tokens=100), on_degrade=lambda step, sentence: told.append((step, sentence)))
    g.answered(used(76, 1))
    g.check()
    assert [step for step, _ in told] == [Step.CHEAPER_MODEL]
    assert told[0][1].startswith("76 % of the token limit is used")
    g.answered(used(5, 2))
    assert [step for step, _ in told] == [Step.CHEAPER_MODEL, Step.NO_SUBAGENTS]
    g.overdrive(limits(tokens=100))
    g.answered(used(70, 3))
    assert [step for step, _ in told][2:] == [Step.CHEAPER_MODEL]


def test_steps_are_logged_without_a_callback(caplog: pytest.LogCaptureFixture) -> None:
    """With the sentence of their finding, or one of their own."""
    g = governor(limits(tokens=100))
    g.answered(used(80))
    assert "start no new subagents" in caplog.text
    g.announce(Order(Act.DEGRADE, steps=(Step.COMPACT,)))
    assert "The session goes on with less: compact." in caplog.text
    caplog.clear()
    with pytest.raises(BudgetExceeded):
        g.answered(used(80, 2))
    assert caplog.text == ""


def test_a_cheaper_model_is_named_once_it_pays(caplog: pytest.LogCaptureFixture) -> None:
    """From three quarters of a limit on, down the policy's ladder; it stays named until the step is over."""
    caplog.set_level(logging.INFO, "tabstop")
    g = governor(limits(tokens=1_000))
    assert g.model("claude-opus-5-5") == "claude-opus-5-5"
    for number in range(8):
        g.answered(Usage((f"k:{number}",), "claude-opus-5-5", Tokens(input=50, output=50), BEGUN))
    cheaper = g.model("claude-opus-5-5")
    assert cheaper != "claude-opus-5-5"
    assert "answers from here on" in caplog.text
    assert g.model("claude-opus-5-5") == cheaper
    assert g.model("a model of one's own") == "a model of one's own"
    g.overdrive(limits(tokens=10_000))
    g.check()
    assert g.model("claude-opus-5-5") == "claude-opus-5-5"


ASKING = Rules(exhaustion=Exhaustion(on_limit=OnLimit.ASK, ask_percent=50))


def test_a_question_is_asked_once_and_answered() -> None:
    """Yes is an overdrive, no is the end."""
    asked: list[str] = []

    def yes(question: str) -> bool:
        asked.append(question)
        return True

    g = governor(limits(iterations=2), rules=ASKING, on_ask=yes)
    for number in range(2):
        g.answered(used(5, number))
    assert asked == ["Used 2, allow another 1?"]
    assert g.limits.iterations == 3
    g = governor(limits(iterations=1), rules=ASKING, on_ask=lambda _question: False)
    with pytest.raises(BudgetExceeded):
        g.answered(used(5))


def test_a_question_nobody_can_answer_waits() -> None:
    """The session is suspended with the question; in CI it ends at once."""
    with pytest.raises(BudgetSuspended, match=r"Used 1, allow another 1\?"):
        governor(limits(iterations=1), rules=ASKING).answered(used(5))
    with pytest.raises(BudgetExceeded) as ended:
        governor(limits(iterations=1), rules=ASKING, environ={"CI": "true"}).answered(used(5))
    assert not isinstance(ended.value, SessionSuspended)


def test_tasks_that_meet_the_limit_together_ask_once() -> None:
    """Whoever comes second finds the answer there."""
    asked: list[str] = []

    def yes(question: str) -> bool:
        asked.append(question)
        return True

    g = governor(limits(iterations=1), rules=ASKING, on_ask=yes)
    order = g.count(used(1), None, "")
    assert order.act is Act.ASK
    assert g.obey(order).act is not Act.ASK
    assert g.obey(order).act is not Act.ASK
    assert len(asked) == 1


def test_known_costs_count_like_answers() -> None:
    """In dollars, exactly; below zero there are none."""
    g = governor(limits(cost=1))
    g.charged(0.1, tokens=Tokens(output=5), model="mine")
    assert (g.totals.cost, g.totals.tokens, g.totals.iterations) == (10**8, 5, 1)
    with pytest.raises(ValueError, match="below zero"):
        g.charged(-1)


def test_a_subagent_has_its_share_and_its_stop_is_its_own() -> None:
    """What is told inside is the subagent's; its parent goes on, and gets back what it did not use."""
    shares = Rules(subtasks=Subtasks(kinds=(KindBudget("small", 1_000),), total=1))
    with governor(limits(tokens=1_000_000), rules=shares) as g:
        with g.subagent("small") as child:
            assert child.startswith("small-")
            assert g.thread == child
            with pytest.raises(SubagentStopped, match=r"SUBAGENT_STOPPED: The subagent .* used up its share"):
                g.answered(used(1_000))
            other = governor()
            assert other.thread == ""
        assert g.thread == ""
        g.check()
        with pytest.raises(CallDenied) as denied, g.subagent():
            pass
        assert denied.value.sentence.startswith("No new subagent")
        assert str(denied.value).startswith("CALL_DENIED: No new subagent")


def test_tasks_and_copied_contexts_keep_their_subagent_apart() -> None:
    """Two subagents at once never take each other's usage; a bare thread works for the main one."""
    seen: dict[str, str] = {}

    async def work(g: Any, kind: str) -> None:
        with g.subagent(kind) as child:
            await asyncio.sleep(0)
            seen[kind] = g.thread
            assert g.thread == child

    async def both(g: Any) -> None:
        await asyncio.gather(work(g, "a"), work(g, "b"))

    with governor() as g:
        asyncio.run(both(g))
        assert seen["a"].startswith("a-")
        assert seen["b"].startswith("b-")
        with g.subagent("c") as child:
            here = contextvars.copy_context()
            for target in (lambda: here.run(lambda: seen.update(copied=g.thread)), lambda: seen.update(bare=g.thread)):
                thread = Thread(target=target)
                thread.start()
                thread.join()
            assert (seen["copied"], seen["bare"]) == (child, "")


def test_too_fast_waits_and_looks_again() -> None:
    """`check` sleeps as long as the order says, and obeys what holds then."""
    clock = Clock()
    g = governor(limits(wall_clock=30), clock)
    with g:
        g.wait(Order(Act.THROTTLE, seconds=2.5))
        asyncio.run(g.await_(Order(Act.THROTTLE, seconds=1)))
        g.wait(Order())
        assert clock.slept == [2.5, 1]
        with pytest.raises(BudgetExceeded):
            g.wait(Order(Act.THROTTLE, seconds=60))


def test_the_stop_is_told_by_its_reason() -> None:
    """Which exception, from which order; the way out is a method where no command can find the session."""
    stop = Finding(Signal.BREAKER, Outcome.STOP, "cost_rate", "Too dear.", remedy="Run `tabstop release s`.")
    cases: list[tuple[Order, type[SessionStopped]]] = [
        (Order(Act.HALT, (stop,)), BreakerOpen),
        (Order(Act.HALT, (replace(stop, signal=Signal.RUNAWAY),)), BreakerOpen),
        (Order(Act.HALT, (replace(stop, signal=Signal.LIMIT),)), BudgetExceeded),
        (Order(Act.HALT, (replace(stop, signal=Signal.PAUSE),)), SessionStopped),
        (Order(Act.HALT, (replace(stop, signal=Signal.SUBTASK),), thread="a"), SubagentStopped),
        (Order(Act.SUSPEND, (replace(stop, signal=Signal.RETRY),)), SessionSuspended),
        (Order(Act.SUSPEND, (replace(stop, signal=Signal.LIMIT),)), BudgetSuspended),
        (Order(Act.HALT), SessionStopped),
    ]
    said = []
    for order, kind in cases:
        for named in (True, False):
            found = stop_of(order, "s", named=named)
            assert type(found) is kind
            said.append(str(found))
    expect("library/stops.txt", "\n".join(dict.fromkeys(said)) + "\n")


def test_an_operators_pause_stops_it_and_a_release_lets_it_go_on() -> None:
    """What the server says is obeyed like everything else."""
    with governor() as g:
        pause = Finding(Signal.PAUSE, Outcome.STOP, "session", "Paused by carol.")
        g.tell(ServerSaid(g.now(), Verdict((pause,)), ("suspend",)))
        with pytest.raises(SessionSuspended, match="Paused by carol"):
            g.check()
        g.release(by="carol")
        g.check()


def test_errors_that_are_not_ours_leave_the_block_as_they_are() -> None:
    """Only what a transport refused becomes our stop."""
    with pytest.raises(KeyError), governor():
        raise KeyError("own")
    assert governor().stop_behind(KeyError("own")) is None


def test_a_program_that_throttles_itself_never_passes_the_rate() -> None:
    """Sixty calls a minute: the sixty-first waits for its place."""
    clock = Clock()
    slow = Rules(throttle=Throttle(calls_per_minute=2, identical_per_minute=None))
    with governor(rules=slow, clock=clock) as g:

        @g.tool
        def look(at: int) -> int:
            return at

        assert [look(number) for number in range(3)] == [0, 1, 2]
    assert clock.slept == [60.0]
