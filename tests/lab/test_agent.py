"""A simulated agent does what it is ordered, as an attach point would make a real one do it."""

from contextlib import suppress
from dataclasses import replace

import pytest

from tabstop.governor.facts import ToolStarted
from tabstop.governor.orders import Step
from tabstop.governor.settings import (
    Degradation,
    Detector,
    Exhaustion,
    OnLimit,
    Response,
    Runaway,
    Rung,
    Settings,
    Sharing,
    Subtasks,
    Throttle,
)
from tabstop.lab.agent import FULL, REFUSAL, Agent
from tabstop.lab.script import MODEL
from tabstop.lab.session import SessionOver
from tabstop.money import dollars
from tabstop.session import Limits, SessionOutcome
from tests.lab.played import an_agent

FAR = Settings(limits=Limits(10**12, 10**9, 10**9, 10**9, 10**15), can_summarize=True)


def notes(agent: Agent) -> list[str]:
    return [note.kind for one in agent.session.iterations for note in one.notes]


def until_over(agent: Agent, answers: int = 400) -> None:
    with suppress(SessionOver):
        for number in range(answers):
            agent.answer(output=500)
            agent.call("Read", f"file {number}", result=2_000)
        pytest.fail("nothing ended it")


def bounded(*rungs: tuple[int, Step], **limits: int) -> Settings:
    """Limits nothing reaches but these, and a ladder of these rungs."""
    ladder = tuple(Rung(at, step) for at, step in rungs)
    return replace(FAR, limits=replace(FAR.limits, **limits), degradation=Degradation(ladder=ladder))


def test_a_throttled_call_waits() -> None:
    """The second call of a minute begins a minute after the first, and the wait is written down."""
    agent = an_agent(replace(FAR, throttle=Throttle(calls_per_minute=1)))
    agent.answer()
    agent.call("Read", "a")
    agent.call("Read", "b")
    assert 58 < agent.session.iterations[-1].waited < 60
    assert agent.session.totals.tool_calls == 2


def test_a_throttled_session_waits_before_it_goes_on() -> None:
    """A signal's `throttle` holds answers up as well."""
    slow = Runaway(no_progress=Detector(1, 1, Response.THROTTLE, persists=0))
    agent = an_agent(replace(FAR, runaway=slow))
    for _ in range(3):
        agent.answer("The very same words again, and nothing at all comes of any of them.")
    assert agent.session.iterations[-1].waited == 10


def test_a_denied_call_does_not_run() -> None:
    """What would wait for more than a minute is refused; the model reads why."""
    agent = an_agent(replace(FAR, throttle=Throttle(calls_per_minute=1)))
    agent.answer()
    for _ in range(3):  # of other threads, side by side
        agent.session.tell(ToolStarted(agent.now, "Read", "elsewhere", "other"))
    agent.call("Read", "a", result=1_000)
    assert agent.unread == REFUSAL
    assert agent.session.iterations[-1].denied == 1
    assert agent.session.refusal is not None
    assert agent.session.refusal.by == "calls_per_minute"


def test_a_cheaper_model_costs_less() -> None:
    """It is switched where that pays, its cold cache counted, and says so."""
    agent = an_agent(bounded((10, Step.CHEAPER_MODEL), iterations=200))
    until_over(agent)
    models = [one.model for one in agent.session.iterations]
    assert models[:20] == ["claude-opus-5-5"] * 20
    assert models[-1] != "claude-opus-5-5"
    assert notes(agent).count("switched") == 1
    assert agent.session.iterations[-1].cost < agent.session.iterations[18].cost


def test_without_a_cheaper_model_it_keeps_its_own() -> None:
    """The last of a ladder has none below it."""
    agent = an_agent(bounded((10, Step.CHEAPER_MODEL), iterations=20))
    agent.model = "claude-haiku-5-5"
    until_over(agent)
    assert {one.model for one in agent.session.iterations} == {"claude-haiku-5-5"}


def test_compaction_shrinks_the_context_once() -> None:
    """At its step, where there is something to compact."""
    agent = an_agent(bounded((50, Step.COMPACT), iterations=40))
    until_over(agent)
    assert notes(agent).count("compacted") == 1
    assert agent.context < 40 * 2_500
    small = an_agent(bounded((50, Step.COMPACT), iterations=4))
    until_over(small)
    assert "compacted" not in notes(small)


def test_a_call_that_does_not_fit_is_tried_with_less() -> None:
    """After a leap the dear model's call does not fit; the cheaper one's does, and it is the same answer that is asked for."""
    agent = an_agent(bounded((99, Step.CHEAPER_MODEL), cost=dollars("0.7")))
    for _ in range(4):
        agent.answer(output=500)
    agent.unread = 150_000
    agent.answer(output=500)
    assert [one.model for one in agent.session.iterations][3:] == [MODEL, "claude-sonnet-5-5"]
    assert notes(agent) == ["degrade", "switched"]
    assert agent.session.stop is None


def test_a_subagents_call_that_does_not_fit_leaves_the_summary_to_the_main_thread() -> None:
    """The subagent ends alone; what is kept is the main thread's."""
    exhaustion = Exhaustion(on_limit=OnLimit.SUMMARY, summary_tokens=1_000)
    agent = an_agent(replace(bounded((100, Step.COMPACT), cost=dollars("0.7")), exhaustion=exhaustion))
    agent.answer()
    child = agent.spawn("child")
    child.unread = 150_000
    child.answer()
    assert (child.over, {one.thread for one in agent.session.iterations}) == (True, {""})
    with pytest.raises(SessionOver):
        agent.answer()
    assert "summary" in notes(agent)


def test_a_full_context_is_compacted_by_the_client() -> None:
    """With or without a governor."""
    for settings in (FAR, None):
        agent = an_agent(settings)
        agent.unread = FULL
        agent.answer()
        assert agent.context < 30_000


@pytest.mark.parametrize("step", [Step.NO_TOOLS, Step.FINISH_SUBTASK])
def test_an_agent_that_heeds_words_finishes(step: Step) -> None:
    """Told to call no more tools, or to finish, it says what is done, and that is its end."""
    agent = an_agent(bounded((50, step), iterations=20))
    until_over(agent)
    assert agent.session.outcome is SessionOutcome.FINISHED
    assert agent.session.totals.iterations == 11


def test_a_runaway_heeds_no_words() -> None:
    """Its tools are refused, and it goes on asking until a limit ends it."""
    agent = an_agent(bounded((50, Step.NO_TOOLS), iterations=20), heeds=False)
    until_over(agent)
    assert agent.session.outcome is SessionOutcome.STOPPED_ITERATIONS
    assert sum(one.calls for one in agent.session.iterations) == 9
    assert agent.session.refusal is None  # a limit was near
    assert [one.denied for one in agent.session.iterations][8:11] == [0, 1, 1]


def test_no_subagents() -> None:
    """A refused subagent does nothing, nor do those it would have started; the others work."""
    agent = an_agent(bounded((50, Step.NO_SUBAGENTS), iterations=10))
    early = agent.spawn("early")
    early.answer()
    for _ in range(4):
        agent.answer()
    late = agent.spawn("late")
    late.answer()
    late.call("Read", "a")
    late.probe(changed=True)
    late.fail(529)
    late.tick(60)
    late.compact()
    later = late.spawn("later")
    later.answer()
    agent.join(early, late, later)
    assert (early.over, late.refused, later.refused) == (False, True, True)
    assert {one.thread for one in agent.session.iterations} == {"", "early"}


def test_a_subagent_that_used_up_its_share_ends_alone() -> None:
    """The main thread goes on, whatever the subagent was about to do."""
    settings = replace(FAR, subtasks=Subtasks(sharing=Sharing.STATIC, kinds=(), other=2_000))
    agent = an_agent(settings)
    agent.answer()
    child = agent.spawn("child")
    for number in range(5):
        child.answer()
        child.together([("Read", f"{number}"), ("Read", f"again {number}")])
    assert child.over
    made = agent.iterations
    child.answer()
    agent.join(child)
    agent.answer()
    assert agent.iterations == made + 1
    assert agent.session.refusal is not None
    assert agent.session.refusal.by == "subagent"


def test_threads_take_turns_under_a_governor() -> None:
    """Facts are told in the order of time; without one, subagents work side by side."""
    for settings, together in ((FAR, False), (None, True)):
        agent = an_agent(settings)
        agent.answer(seconds=10)
        children = [agent.spawn(name) for name in "ab"]
        for child in children:
            child.answer(seconds=100)
        agent.join(*children)
        assert (agent.now - agent.session.begun).total_seconds() == (110 if together else 210)


def test_a_summary_is_the_last_answer() -> None:
    """It is bounded, fits what was kept for it, and nothing comes after it."""
    exhaustion = Exhaustion(on_limit=OnLimit.SUMMARY, summary_tokens=1_000)
    agent = an_agent(replace(bounded(cost=dollars(2)), exhaustion=exhaustion), heeds=False)
    until_over(agent)
    last = agent.session.iterations[-1]
    assert "summary" in [note.kind for note in last.notes]
    assert agent.session.outcome is SessionOutcome.STOPPED_COST
    assert dollars(1) < agent.session.totals.cost <= dollars(2)


def test_a_summary_that_does_not_fit_is_none() -> None:
    """A budget too small for any answer ends the session after a while."""
    exhaustion = Exhaustion(on_limit=OnLimit.SUMMARY)
    agent = an_agent(replace(bounded(cost=dollars("0.01")), exhaustion=exhaustion))
    until_over(agent)
    assert agent.session.totals.cost == 0
    assert agent.session.outcome is SessionOutcome.STOPPED_COST


def test_a_subagent_at_the_limit_leaves_the_last_answer_to_the_main_thread() -> None:
    """It ends; the main thread sums up."""
    exhaustion = Exhaustion(on_limit=OnLimit.SUMMARY)
    agent = an_agent(replace(bounded(iterations=5), exhaustion=exhaustion))
    child = agent.spawn("child")
    for _ in range(6):
        child.answer()
    assert child.over
    until_over(agent)
    assert [one.thread for one in agent.session.iterations] == [*["child"] * 4, ""]
    assert agent.session.refusal is None  # it was the limit


def test_a_question_is_answered_by_nobody() -> None:
    """So the session waits as long as the policy says, and ends."""
    exhaustion = Exhaustion(on_limit=OnLimit.ASK, ask_seconds=7_200)
    agent = an_agent(replace(bounded(iterations=3), exhaustion=exhaustion))
    until_over(agent)
    assert agent.session.outcome is SessionOutcome.STOPPED_ITERATIONS
    assert (agent.session.now - agent.session.begun).total_seconds() > 7_200


def test_a_wall_clock_limit_is_seen_while_a_tool_runs() -> None:
    """Somebody looks at the clock every few seconds."""
    agent = an_agent(bounded(wall_clock_seconds=60))
    agent.answer(seconds=10)
    with pytest.raises(SessionOver):
        agent.call("Bash", "sleep 600", seconds=600)
    assert agent.session.outcome is SessionOutcome.STOPPED_WALL_CLOCK
    assert (agent.session.now - agent.session.begun).total_seconds() <= 75


def test_a_model_without_a_price_cannot_be_simulated() -> None:
    """An unknown price is never zero."""
    agent = an_agent(FAR)
    agent.model = "unheard-of"
    with pytest.raises(ValueError, match="no price is known for unheard-of"):
        agent.answer()


def test_a_subagent_at_the_limit_stops_between_two_tools() -> None:
    """Those that run are seen to end; the others never begin."""
    exhaustion = Exhaustion(on_limit=OnLimit.SUMMARY)
    agent = an_agent(replace(bounded(tool_calls=2), exhaustion=exhaustion))
    child = agent.spawn("child")
    child.answer()
    child.together([("Read", "a"), ("Read", "b"), ("Read", "c"), ("Read", "d")])
    assert child.over
    assert sum(one.calls for one in agent.session.iterations) == 0
    late = an_agent(replace(bounded(wall_clock_seconds=60), exhaustion=exhaustion))
    child = late.spawn("child")
    child.answer(seconds=5)
    child.together([("Bash", "a"), ("Bash", "b")], seconds=600)
    assert child.over
    until_over(late)
    assert [one.thread for one in late.session.iterations] == ["child", ""]


def test_a_subagent_that_heeds_words_finishes_alone() -> None:
    """The session ends with its main thread."""
    agent = an_agent(bounded((50, Step.FINISH_SUBTASK), iterations=10))
    child = agent.spawn("child")
    for _ in range(7):
        child.answer()
    assert child.over
    assert agent.session.outcome is None
    agent.answer()
    until_over(agent)
    assert agent.session.outcome is SessionOutcome.FINISHED
