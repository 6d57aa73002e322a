"""The machine as a whole: what each limit leads to, what lifts a stop, what the server may and may not do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabstop.governor.facts import (
    Fact,
    Heartbeat,
    Paused,
    Probed,
    Raised,
    Released,
    Replied,
    Resumed,
    ServerSaid,
    Tick,
    Unaffordable,
)
from tabstop.governor.machine import Decision, govern
from tabstop.governor.orders import Act, Advice, EventKind, Step, order_of, worth_saying
from tabstop.governor.settings import (
    Degradation,
    Exhaustion,
    OnLimit,
    Runaway,
    Rung,
    Settings,
    Throttle,
    UnknownPrice,
)
from tabstop.money import dollars
from tabstop.session import Limits, SessionOutcome
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tests.governor.builders import answer, at, finished, play, spawned, started

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


def test_steps_are_not_told_while_the_session_stands_still() -> None:
    """An answer that was under way when it was stopped; they are taken once it goes on."""
    ladder = Degradation(ladder=(Rung(80, Step.NO_TOOLS),))
    settings = Settings("s1", Limits(tokens=2_000, iterations=10), degradation=ladder)
    stopped, going_on = said("halt", signal=Signal.PAUSE), ServerSaid(at(3), Verdict())
    decisions = play([answer(tokens=100), stopped, answer(2, tokens=1_700), going_on], settings)
    kinds = [[event.kind for event in one.events] for one in decisions]
    assert kinds == [[], [EventKind.STOP], [], [EventKind.DEGRADE, EventKind.RELEASE]]


def test_what_people_are_told_where_a_session_stops() -> None:
    """That it stops, and not how it would have gone on with less."""
    (stopped,) = play([answer(tokens=10**9)], Settings("s1", Limits(tokens=2_000)))
    kinds = {one.kind for one in stopped.events}
    assert kinds == {EventKind.DEGRADE, EventKind.SUSPEND}
    assert {one.kind for one in stopped.events if worth_saying(one, stopped.order)} == {EventKind.SUSPEND}


def test_tokens_suspend_and_an_overdrive_resumes_with_the_totals() -> None:
    """Suspended is resumable: the raise lifts it, what was used stays used."""
    settings = Settings("s1", Limits(tokens=2_000))
    suspended = play([answer(), answer(1)], settings)[-1]
    assert suspended.order.act is Act.SUSPEND
    assert suspended.order.sentence.startswith(
        "Task paused: session budget reached. Enable Overdrive to continue. The session reached its token limit: 2k of 2k tokens"
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
    *orders: str, signal: Signal = Signal.BUDGET, outcome: Outcome = Outcome.STOP, seconds: float = 1, spent: int = 0
) -> ServerSaid:
    return ServerSaid(at(seconds), Verdict((Finding(signal, outcome, "tab", "The tab is red.", spent=spent),)), orders)


def kinds(decisions: list[Decision]) -> list[EventKind]:
    """What was logged, degradation left out."""
    return [event.kind for one in decisions for event in one.events if event.kind is not EventKind.DEGRADE]


NO_SIGNS = {"throttle": Throttle(retry_pauses=None), "runaway": Runaway()}


def test_one_stop_does_not_hide_another() -> None:
    """A limit and a breaker: each is lifted by its own word, and the one that is left is told when it becomes the reason."""
    broken: list[Fact] = [finished(10 + n, "fetch", f"{n}", failed=True) for n in range(3)]
    settings = replace(FIVE_CENTS, **NO_SIGNS)  # type: ignore[arg-type]
    decisions = play([*five_calls(), *broken, Released(at(20)), Tick(at(21))], settings)
    assert decisions[7].order.ends_as is SessionOutcome.STOPPED_COST
    assert len(decisions[7].order.findings) > 1
    assert decisions[-1].order.ends_as is SessionOutcome.STOPPED_COST
    raised = play([*five_calls(), *broken, Raised(at(20), Limits(cost=dollars(1))), Tick(at(21))], settings)
    assert raised[-1].order.ends_as is SessionOutcome.STOPPED_BREAKER
    assert kinds(raised) == [EventKind.STOP, EventKind.TRIP, EventKind.RAISE, EventKind.STOP]
    first = play([*broken, *(answer(20 + n) for n in range(5)), Tick(at(950))], settings)
    assert first[2].order.ends_as is first[-2].order.ends_as is SessionOutcome.STOPPED_BREAKER
    assert (
        first[-1].order.ends_as is SessionOutcome.STOPPED_COST
    )  # its cooldown is over, and the limit was passed meanwhile


def test_a_raise_of_nothing_is_nothing() -> None:
    """Neither an event nor another question; one of another limit leaves the stop, and a negative one lowers nothing."""
    stopped = play(five_calls(), FIVE_CENTS)[-1]
    for nothing in (Limits(), Limits(cost=0), Limits(cost=-5)):
        again = govern(stopped.state, Raised(at(9), nothing), FIVE_CENTS)
        assert (again.order.act, again.events) == (Act.HALT, ())
    other = govern(stopped.state, Raised(at(9), Limits(tokens=5)), FIVE_CENTS)
    assert (other.order.act, [one.kind for one in other.events]) == (Act.HALT, [EventKind.RAISE])


def test_a_question_is_about_one_limit() -> None:
    """Another limit that is reached while it stands is asked about afterwards."""
    settings = replace(on(OnLimit.ASK), limits=Limits(cost=dollars("0.05"), iterations=7))
    decisions = play([*five_calls(), answer(6), answer(7), Replied(at(8), granted=True)], settings)
    assert [one.order.sentence for one in decisions[4:]] == ["Used $0.05, allow another $0.025?"] * 3 + [
        "Used 7, allow another 3?"
    ]
    assert kinds(decisions) == [EventKind.ASK, EventKind.RAISE, EventKind.ASK]


def test_what_is_not_sent_stays_unsent_until_more_is_allowed() -> None:
    """A call that does not fit stops the session though its limit is not used up; what is asked for is at least what it lacks."""
    facts: list[Fact] = [answer(), Unaffordable(at(1), "cost", dollars("0.09")), Tick(at(2))]
    no_ladder = Degradation(ladder=())
    asked = play(facts, on(OnLimit.ASK, degradation=no_ladder))
    assert [one.order.act for one in asked[1:]] == [Act.ASK, Act.ASK]
    assert asked[-1].order.findings[0].asked == dollars("0.05")
    assert [one.order.act for one in play(facts, on(OnLimit.HALT, degradation=no_ladder))[1:]] == [Act.HALT, Act.HALT]
    unheard_of = Unaffordable(at(1), "model", 1)
    assert play([answer(), unheard_of], FIVE_CENTS)[-1].order.act is Act.PROCEED
    assert play([answer(), replace(unheard_of, limit="tokens")], FIVE_CENTS)[-1].order.act is Act.PROCEED


def test_a_tool_that_has_only_failed_is_the_brakes_and_the_breakers() -> None:
    """Its third failure trips the breaker and uses up the retries: the trip is told, and the session suspends for a person.

    The order has both findings; neither the cooldown nor a raise lets it go on, a release clears both.
    """
    failing: list[Fact] = [finished(9 * n, "fetch", failed=True) for n in range(3)]
    last = play(failing, Settings("s1"))[-1]
    assert [(one.kind, one.finding.signal) for one in last.events if one.finding] == [
        (EventKind.TRIP, Signal.BREAKER),
        (EventKind.SUSPEND, Signal.RETRY),
    ]
    trip = last.events[0].finding
    assert trip is not None
    assert (trip.scope, trip.spent, trip.cap) == ("tool failures", 100, 60)
    order = last.order
    assert (order.act, order.ends_as) == (Act.SUSPEND, SessionOutcome.SUSPENDED)
    assert [one.signal for one in order.findings] == [Signal.RETRY, Signal.BREAKER]
    # No cooldown is promised, since only a release ends the brake.
    assert {trip.remedy, order.findings[1].remedy} == {
        "Find out why, then run `tabstop release s1` and resume the agent."
    }
    later = play([Tick(at(2_000)), Raised(at(2_001), Limits(cost=1))], Settings("s1"), last.state)
    assert [one.order.act for one in later] == [Act.SUSPEND, Act.SUSPEND]
    released = govern(last.state, Released(at(60), "kim"), Settings("s1"))
    assert (released.order.act, released.state.stopped) == (Act.PROCEED, None)
    worked = play([started(61, "fetch"), finished(62, "fetch")], Settings("s1"), released.state)[-1]
    assert (worked.order.act, [one.kind for one in worked.events]) == (Act.PROCEED, [EventKind.CLOSE])


def test_the_brake_changes_no_other_stop() -> None:
    """It stays what it was; and one that comes later is lifted by the same release, as it was before."""
    failing: list[Fact] = [finished(9 * n, "fetch", failed=True) for n in range(3)]
    stopped = play([*failing, said("halt", signal=Signal.PAUSE, seconds=30), Released(at(40))], Settings("s1"))
    assert [one.order.act for one in stopped[-3:]] == [Act.SUSPEND, Act.SUSPEND, Act.PROCEED]
    first = play([said("halt", signal=Signal.PAUSE), *failing], Settings("s1"))[-1]
    assert (first.order.act, first.order.ends_as) == (Act.HALT, SessionOutcome.CANCELLED)


def test_a_summary_ends_though_its_reserve_is_gone() -> None:
    """What was kept for it is not there for anything else, and its subagents stop at once."""
    settings = on(OnLimit.SUMMARY, can_summarize=True)
    asked = play([replace(answer(n), reserve=dollars("0.01")) for n in range(4)], settings)[-1]
    child = govern(asked.state, started(4.5, thread="a"), settings)
    assert (child.order.act, child.order.thread, child.state.stopped) == (Act.HALT, "a", None)
    small = replace(answer(5, cost="0.001"), reserve=0)
    done = play([replace(small, thread="a"), small, Tick(at(6))], settings, asked.state)
    assert [one.order.act for one in done] == [Act.HALT] * 3
    assert (
        done[1].order.sentence
        == "The session reached its cost limit: $0.042 of $0.05 used. The call kept for a last answer was made."
    )


def test_without_a_price_no_budget_helps() -> None:
    """Whatever the policy does at limits: it ends at once, and says what helps."""
    for what in OnLimit:
        settings = replace(on(what, can_summarize=True), unpriced=UnknownPrice.BLOCK)
        order = play([answer(cost=None), Raised(at(1), Limits(cost=5))], settings)[-1].order
        assert (order.act, order.ends_as) == (Act.HALT, SessionOutcome.STOPPED_COST)
        assert "overdrive" not in order.findings[0].remedy


def test_late_usage_of_a_paused_process_starts_no_clock() -> None:
    """It is counted; neither the wall clock nor the watch for silence begins before the process runs again."""
    facts: list[Fact] = [Resumed(at(0)), Paused(at(10)), answer(11), finished(12, unseen=True), Tick(at(9_000))]
    last = play(facts, replace(FIVE_CENTS, limits=Limits(wall_clock_seconds=60)))[-1]
    assert (last.order.act, last.events, last.state.totals.wall_clock_seconds) == (Act.PROCEED, (), 10)
    again = govern(last.state, started(9_001), FIVE_CENTS)
    assert govern(again.state, Tick(at(9_003)), FIVE_CENTS).state.totals.wall_clock_seconds == 12


def test_nobody_waits_for_what_is_not_to_happen() -> None:
    """A pause that is due is part of an order to go on, not of a question, a denial or a stop."""
    slow = Advice(Act.THROTTLE, seconds=7)
    for act in Act:
        order = order_of([slow, Advice(act)])
        assert order.seconds == (7 if act.rank < Act.DENY.rank else 0)


def test_a_call_is_denied_though_the_session_is_to_wind_down() -> None:
    """The server's advice to finish does not let through what is refused."""
    settings = replace(Settings(), subtasks=replace(Settings().subtasks, total=0))
    order = play([answer(), said("wind down"), spawned(2)], settings)[-1].order
    assert order.act is Act.DENY
    assert order.sentence.startswith("No new subagent")


def test_defaults_that_step_in_are_said_each() -> None:
    """First because no limit was left, then because a limit that came from the server cannot bind what has no price."""
    only_cost = ServerSaid(at(1), Verdict(), limits=Limits(cost=dollars(9)))
    decisions = play([answer(), only_cost, answer(2, cost=None), answer(3, cost=None)], Settings())
    assert [len(one.events) for one in decisions] == [1, 0, 1, 0]


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
