"""With less: a cheaper model, no tools, less thinking, and the session's last answer."""

from __future__ import annotations

import pytest

from tabstop.governor.facts import Raised
from tabstop.governor.orders import Step
from tabstop.governor.settings import (
    Degradation,
    Exhaustion,
    OnLimit,
    Rung,
)
from tabstop.session import Limits
from tests.beside.proxy.rules import APIS, NO_LADDER, TOOL, settings
from tests.beside.proxy.scene import answer, request, scene
from tests.support.fake_llm import Seen
from tests.support.llm_answers import Step as Answered


@pytest.mark.parametrize("api", APIS)
def test_near_a_limit_a_cheaper_model_answers(api: str) -> None:
    """Where what lies ahead costs less there; the agent's own model is asked for no more."""
    ladder = Degradation(ladder=(Rung(10, Step.CHEAPER_MODEL),), models=(("dear", "cheap"),))
    with scene(settings=settings(Limits(tokens=60_000), degradation=ladder)) as on:
        for _ in range(50):
            on.ask(api)
        assert [seen.body["model"] for seen in on.fake.calls()][-1] == "cheap"
        assert on.usages[-1].model == "cheap"
        on.governed.tell(Raised(on.governed.now(), Limits(tokens=10**7)))
        on.ask(api)
        assert on.sent["model"] == "dear"


def test_a_call_that_does_not_fit_is_tried_with_the_cheaper_model() -> None:
    """Though its share is far: the dear model's worst case does not fit, the cheap one's does, and the session goes on."""
    ladder = Degradation(ladder=(Rung(99, Step.CHEAPER_MODEL), Rung(100, Step.NO_TOOLS)), models=(("dear", "cheap"),))
    with scene(settings=settings(Limits(cost=40_000_000), degradation=ladder)) as on:
        for _ in range(3):
            assert on.ask().status_code == 200
        assert on.ask(text="x" * 60_000).status_code == 200
        assert [seen.body["model"] for seen in on.fake.calls()] == ["dear"] * 3 + ["cheap"]
        (event,) = on.events
        assert event.finding is not None
        assert event.finding.sentence.startswith("The next model call may use $0.0")
        assert on.governed.state.degraded.steps == (Step.CHEAPER_MODEL,)


def test_a_cheaper_model_the_vendor_will_not_have() -> None:
    """The call goes to the agent's own model after all, and is not switched again."""
    ladder = Degradation(ladder=(Rung(1, Step.CHEAPER_MODEL),), models=(("dear", "cheap"),))

    def plan(seen: Seen) -> Answered:
        return Answered(status=404, error="not_found") if seen.body["model"] == "cheap" else answer()

    with scene(plan, settings=settings(Limits(tokens=10_000), degradation=ladder)) as on:
        assert [on.ask().status_code for _ in range(4)] == [200] * 4
        assert [seen.body["model"] for seen in on.fake.calls()] == ["dear", "cheap", "dear", "dear", "dear"]
        assert on.said() == ["cheap was refused by the vendor: the session keeps dear."]


@pytest.mark.parametrize(
    ("api", "choice"),
    [
        ("anthropic", ("tool_choice", {"type": "none"})),
        ("responses", ("tool_choice", "none")),
        ("chat", ("tool_choice", "none")),
        ("gemini", ("toolConfig", {"functionCallingConfig": {"mode": "NONE"}})),
    ],
)
def test_near_a_limit_tools_are_put_away(api: str, choice: tuple[str, object]) -> None:
    """They stay listed, since the conversation may have used them, but none may be called; the model is told why."""
    ladder = Degradation(ladder=(Rung(1, Step.NO_TOOLS), Rung(1, Step.COMPACT)))
    with scene(settings=settings(Limits(tokens=10_000), degradation=ladder)) as on:
        on.ask(api, tools=[TOOL[api]])
        on.ask(api, tools=[TOOL[api]])
        assert on.sent[choice[0]] == choice[1]
        assert on.sent["tools"] == [TOOL[api]]
        assert "call no more tools" in on.fake.calls()[-1].raw.decode()
        on.ask(api)
        assert "call no more tools" not in on.fake.calls()[-1].raw.decode()
        assert on.said() == ["The context cannot be compacted here: it stays as long as it is."]


def test_a_last_answer_is_made_of_the_next_call() -> None:
    """Bounded, without tools, told what to say; then the session halts. What was kept back for it may be used."""
    summing = Exhaustion(on_limit=OnLimit.SUMMARY, on_tokens=OnLimit.SUMMARY, summary_tokens=300)
    rules = settings(Limits(iterations=3), exhaustion=summing, degradation=NO_LADDER, can_summarize=True)
    with scene(settings=rules) as on:
        assert [on.ask(tools=[TOOL["anthropic"]]).status_code for _ in range(4)] == [200, 200, 200, 400]
        assert (on.sent["max_tokens"], on.sent["tool_choice"]) == (300, {"type": "none"})
        said = on.sent["messages"][-1]["content"][-1]["text"]
        assert said.startswith("Tabstop: The session reached its iteration limit")
        assert said.endswith("Say what is done, what is left and how to resume, in a few sentences.")


THOUGHTFUL: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
    "anthropic": (
        "dear",
        {
            "thinking": {"type": "enabled", "budget_tokens": 31_999},
            "max_tokens": 32_000,
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        },
        {"thinking": {"type": "disabled"}, "max_tokens": 300},
    ),
    "responses": (
        "gpt-5.5",
        {"reasoning": {"effort": "high", "summary": "auto"}, "max_output_tokens": 32_000},
        {"reasoning": {"effort": "none", "summary": "auto"}, "max_output_tokens": 300},
    ),
    "chat": (
        "gpt-5.5",
        {"reasoning_effort": "high", "max_tokens": 32_000},
        {"reasoning_effort": "none", "max_tokens": 300},
    ),
    "gemini": (
        "gemini-2.5-flash",
        {"generationConfig": {"maxOutputTokens": 32_000, "thinkingConfig": {"thinkingBudget": 24_000}}},
        {"generationConfig": {"maxOutputTokens": 300, "thinkingConfig": {"thinkingBudget": 0}}},
    ),
}


@pytest.mark.parametrize("api", APIS)
def test_a_last_answer_is_not_spent_on_thinking(api: str) -> None:
    """Nor is more kept back for it than for an answer without: what a model thinks, nobody reads."""
    model, asked, sent = THOUGHTFUL[api]
    summing = Exhaustion(on_limit=OnLimit.SUMMARY, on_tokens=OnLimit.SUMMARY, summary_tokens=300)
    rules = settings(Limits(iterations=2), exhaustion=summing, degradation=NO_LADDER, can_summarize=True)
    with scene(settings=rules) as on:
        for _ in range(2):
            body = {**request(api, model=model, tools=[TOOL[api]]), **asked}
            assert on.client.post(on.path(api, model), json=body).status_code == 200
            assert on.governed.state.totals.reserve_tokens < 2_000
        assert {name: on.sent[name] for name in sent} == sent
        assert "context_management" not in on.sent


def test_a_vendor_that_will_not_have_less_thinking() -> None:
    """It is asked again with the thinking the agent wanted, where that fits."""
    summing = Exhaustion(on_limit=OnLimit.SUMMARY, on_tokens=OnLimit.SUMMARY, summary_tokens=300)
    rules = settings(Limits(iterations=2), exhaustion=summing, degradation=NO_LADDER, can_summarize=True)
    thinking = {"type": "enabled", "budget_tokens": 4_000}

    def plan(seen: Seen) -> Answered:
        disabled = seen.body["thinking"] != thinking
        return Answered(status=400, error="invalid_request_error") if disabled else answer()

    with scene(plan, settings=rules) as on:
        for _ in range(2):
            assert on.ask(tools=[TOOL["anthropic"]], thinking=thinking, max_tokens=9_000).status_code == 200
        assert [seen.body["max_tokens"] for seen in on.fake.calls()] == [9_000, 300, 4_300]
        assert on.sent["thinking"] == thinking


def test_a_call_that_does_not_fit_becomes_the_last_answer() -> None:
    """Where the policy wants one: a summary fits where a whole answer does not."""
    summing = Exhaustion(on_limit=OnLimit.SUMMARY, summary_tokens=200)
    rules = settings(Limits(cost=6_000_000), exhaustion=summing, degradation=NO_LADDER, can_summarize=True)
    with scene(answer(output=100), settings=rules) as on:
        assert on.ask(max_tokens=5_000, tools=[TOOL["anthropic"]]).status_code == 200
        assert on.sent["max_tokens"] == 200
        got = on.ask(max_tokens=5_000)
        assert got.status_code == 400
        assert on.governed.state.stopped is not None


def test_the_last_answer_is_the_cheaper_models_where_that_one_answers() -> None:
    """It is what was kept back for that model, and its cache holds the conversation."""
    ladder = Degradation(ladder=(Rung(10, Step.CHEAPER_MODEL),), models=(("dear", "cheap"),))
    summing = Exhaustion(on_tokens=OnLimit.SUMMARY, summary_tokens=300)
    rules = settings(Limits(tokens=20_000), exhaustion=summing, degradation=ladder, can_summarize=True)
    with scene(settings=rules) as on:
        while on.ask(tools=[TOOL["anthropic"]]).status_code == 200:
            assert len(on.usages) < 200
        assert on.sent["model"] == "cheap"
        assert (on.sent["max_tokens"], on.sent["tool_choice"]) == (300, {"type": "none"})


def test_a_cheaper_model_is_asked_however_the_path_is_written() -> None:
    """Its price is what was set aside."""
    ladder = Degradation(ladder=(Rung(1, Step.CHEAPER_MODEL),), models=(("dear", "cheap"),))
    path = "/google/v1beta/models/dear%3AgenerateContent"
    with scene(settings=settings(Limits(tokens=60_000), degradation=ladder)) as on:
        for _ in range(3):
            assert on.client.post(f"/{on.proxy.token}{path}", json=request("gemini")).status_code == 200
        assert on.fake.seen[-1].path.endswith("/models/cheap:generateContent")


def test_a_summary_that_does_not_fit_either_is_refused() -> None:
    """The session is at its end, and says that no last answer fits; nothing is sent."""
    summing = Exhaustion(on_limit=OnLimit.SUMMARY, summary_tokens=200)
    rules = settings(Limits(cost=1_000_000), exhaustion=summing, degradation=NO_LADDER, can_summarize=True)
    with scene(settings=rules) as on:
        refused = on.ask(max_tokens=5_000)
        assert refused.status_code == 400
        assert "A last answer does not fit either." in refused.text
        assert on.governed.state.stopped is not None
        assert not on.fake.seen


def test_where_no_cheaper_model_pays_it_stays() -> None:
    """A model at the end of its ladder has none below it."""
    ladder = Degradation(ladder=(Rung(1, Step.CHEAPER_MODEL),), models=(("cheap", "dear"),))
    with scene(settings=settings(Limits(tokens=6_000), degradation=ladder)) as on:
        assert [on.ask().status_code for _ in range(2)] == [200, 200]
        assert on.sent["model"] == "dear"
