"""Orders: what the governor says becomes a change of the request, a wait, or a refusal the agent ends at."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from tabstop.beside.proxy import meter
from tabstop.governor.facts import Raised, Replied, ServerSaid
from tabstop.governor.orders import EventKind, Step
from tabstop.governor.settings import Degradation, Exhaustion, OnLimit, Rung, Settings, Unbounded, UnknownPrice
from tabstop.session import Limits
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tests.beside.proxy.scene import CARD, answer, request, scene
from tests.support.fake_llm import Seen
from tests.support.llm_answers import Step as Answered

TOOL = {
    "anthropic": {"name": "Bash", "input_schema": {"type": "object"}},
    "responses": {"type": "function", "name": "Bash", "parameters": {}},
    "chat": {"type": "function", "function": {"name": "Bash", "parameters": {}}},
    "gemini": {"functionDeclarations": [{"name": "Bash"}]},
}
APIS = tuple(TOOL)
NO_LADDER = Degradation(ladder=())


def settings(limits: Limits, **rules: object) -> Settings:
    return Settings(session="s1", limits=limits, **rules)  # type: ignore[arg-type]


def output_of(body: dict[str, object], api: str) -> object:
    if api == "gemini":
        return body["generationConfig"]["maxOutputTokens"]  # type: ignore[index]
    return body[{"anthropic": "max_tokens", "responses": "max_output_tokens", "chat": "max_tokens"}[api]]


@pytest.mark.parametrize("api", APIS)
def test_a_limit_refuses_in_the_vendors_own_shape(api: str) -> None:
    """400, at which every agent ends, with why and what to do; and a word to clients that look at such that no retry helps."""
    with scene(limits=Limits(iterations=1)) as on:
        assert on.ask(api).status_code == 200
        for _ in range(2):
            got = on.ask(api)
            assert got.status_code == 400
            assert got.headers["x-should-retry"] == "false"
            message = got.json()["error"]["message"]
            assert message.startswith("Tabstop: The session reached its iteration limit: 1 of 1 used.")
            assert "`tabstop overdrive s1 --iterations 1`" in message
        assert len(on.fake.calls()) == 1


def test_the_shapes_of_a_refusal() -> None:
    """As each vendor documents its errors."""
    with scene(limits=Limits(iterations=1)) as on:
        on.ask()
        shapes = {api: on.ask(api).json() for api in APIS}
        for body in shapes.values():
            body["error"].pop("message")
        openai = {"error": {"type": "invalid_request_error", "param": None, "code": "tabstop_refused"}}
        assert shapes == {
            "anthropic": {"type": "error", "error": {"type": "invalid_request_error"}},
            "responses": openai,
            "chat": openai,
            "gemini": {"error": {"code": 400, "status": "FAILED_PRECONDITION"}},
        }


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_shortened_to_what_the_budget_buys(api: str, stream: bool) -> None:
    """No further than to 1,024 tokens; below that the call is refused, and the session is stopped by its own limit."""
    with scene(limits=Limits(cost=13_000_000)) as on:
        on.ask(api, stream=stream)
        body = {**request(api, stream=stream)}
        if api == "gemini":
            body["generationConfig"] = {"maxOutputTokens": 10_000}
        else:
            body["max_output_tokens" if api == "responses" else "max_tokens"] = 10_000
        on.client.post(on.path(api, stream=stream), json=body)
        sent = output_of(on.sent, api)
        assert isinstance(sent, int)
        assert 1_024 < sent < 2_600


def test_where_even_the_shortest_answer_does_not_fit() -> None:
    """Nothing is sent; the session stands at its limit, and an overdrive lets it go on."""
    with scene(limits=Limits(cost=5_000_000)) as on:
        got = on.ask(max_tokens=10_000)
        assert got.status_code == 400
        assert "The next model call may use $0.0" in got.json()["error"]["message"]
        assert on.governed.state.stopped is not None
        assert [event.kind for event in on.events] == [EventKind.DEGRADE] * 5 + [EventKind.STOP]
        on.governed.tell(Raised(on.governed.now(), Limits(cost=10**8)))
        assert on.ask(max_tokens=10_000).status_code == 200


def test_never_below_the_thinking_budget() -> None:
    """Its thinking is part of the answer: so many tokens and 1,024 must fit."""
    thinking = {"type": "enabled", "budget_tokens": 4_000}
    with scene(limits=Limits(tokens=2_300 + 5_024)) as on:
        assert on.ask(max_tokens=50_000, thinking=thinking).status_code == 200
        assert 5_024 <= on.sent["max_tokens"] < 5_300
    with scene(limits=Limits(tokens=2_000 + 5_024)) as on:
        assert on.ask(max_tokens=50_000, thinking=thinking).status_code == 400


def test_a_request_without_a_bound_gets_one_where_it_must() -> None:
    """What its model may write at most is what it may cost."""
    with scene(limits=Limits(cost=10**8)) as on:
        body = {"model": "gpt-5.5", "input": "hello"}
        on.client.post(on.path("responses"), json=body)
        assert 1_024 < on.sent["max_output_tokens"] < 20_000
    with scene(limits=Limits(cost=10**10)) as on:
        on.client.post(on.path("responses"), json=body)
        assert "max_output_tokens" not in on.sent


def test_copies_share_the_answer() -> None:
    """`n: 4` may write four times as much."""
    with scene(limits=Limits(tokens=10_000)) as on:
        on.ask("chat", n=4, max_tokens=4_000)
        assert 1_024 < on.sent["max_tokens"] < 2_000


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


def test_where_people_are_asked_the_call_waits() -> None:
    """And goes on when they allow more."""
    asking = Exhaustion(on_limit=OnLimit.ASK)
    with scene(settings=settings(Limits(iterations=1), exhaustion=asking)) as on:
        on.ask()
        threading.Timer(0.3, lambda: on.governed.tell(Replied(on.governed.now(), granted=True))).start()
        began = time.monotonic()
        assert on.ask().status_code == 200
        assert time.monotonic() - began >= 0.25


def test_a_servers_word_to_wind_down_is_passed_on() -> None:
    """The model is told to finish; nothing is refused."""
    with scene() as on:
        finding = Finding(Signal.BUDGET, Outcome.STOP, "tab", "The pull request's budget is spent.")
        on.governed.tell(ServerSaid(on.governed.now(), Verdict((finding,)), ("wind down",)))
        on.ask(tools=[TOOL["anthropic"]])
        said = on.sent["messages"][-1]["content"]
        assert said[0]["text"] == "hello"
        told = "Tabstop: The pull request's budget is spent. Finish what is begun; begin nothing new."
        assert said[1]["text"] == told


def tools_turn(*calls: tuple[str, str, bool]) -> list[dict[str, object]]:
    """A conversation that ends with these tools' results: (id, command, failed)."""
    uses = [{"type": "tool_use", "id": one, "name": "Bash", "input": {"command": command}} for one, command, _ in calls]
    results = [{"type": "tool_result", "tool_use_id": one, "content": "x", "is_error": bad} for one, _, bad in calls]
    return [
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": uses},
        {"role": "user", "content": results},
    ]


def test_tools_are_counted_once_by_their_results() -> None:
    """Also when a request is tried again; the arguments are kept as a keyed digest only."""
    with scene(limits=Limits(tool_calls=3)) as on:
        for _ in range(2):
            assert (
                on.client.post(
                    on.path("anthropic"),
                    json={**request("anthropic"), "messages": tools_turn(("a", "ls", False), ("b", "cat", True))},
                ).status_code
                == 200
            )
        assert on.governed.state.totals.tool_calls == 2
        body = {**request("anthropic"), "messages": tools_turn(("c", "ls", False))}
        assert on.client.post(on.path("anthropic"), json=body).status_code == 400


def test_a_failing_tool_slows_the_next_call() -> None:
    """The retry brake holds the request back for as long as it says."""
    with scene(limits=Limits(tool_calls=100)) as on:
        began = time.monotonic()
        on.client.post(on.path("anthropic"), json={**request("anthropic"), "messages": tools_turn(("a", "x", True))})
        assert time.monotonic() - began >= 0.9


def test_subagents_are_told_apart_and_refused_one_by_one() -> None:
    """Claude Code says whose call it is; a subagent that may not start is refused, its parent goes on."""
    with scene(limits=Limits(tokens=10**6)) as on:
        session = {"X-Claude-Code-Session-Id": "parent"}
        rules = on.governed.settings
        on.governed.settings = replace(rules, subtasks=replace(rules.subtasks, total=1))
        assert on.ask(headers=session).status_code == 200
        assert on.ask(headers={**session, "x-claude-code-agent-id": "one"}).status_code == 200
        got = on.ask(headers={**session, "x-claude-code-agent-id": "two"})
        assert (got.status_code, "No new subagent" in got.text or "was refused" in got.text) == (400, True)
        assert on.ask(headers=session).status_code == 200
        assert [(usage.thread, usage.agent) for usage in on.usages[:2]] == [
            ("parent", "claude-code"),
            ("one", "claude-code"),
        ]
        assert on.governed.state.subagents.at_work == {}


UNBOUNDED = [
    ("anthropic", {"tools": [{"type": "web_search_20260209", "name": "web_search"}]}, "web_search_20260209"),
    ("anthropic", {"tools": [{"type": "tool_search_tool_regex_20251119", "name": "t"}]}, "tool_search_tool_regex_20251119"),
    ("anthropic", {"container": {"skills": [{"type": "anthropic", "skill_id": "xlsx"}]}}, "skills that the vendor runs"),
    ("anthropic", {"mcp_servers": [{"url": "https://example.com"}]}, "MCP servers"),
    ("anthropic", {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url", "url": "u"}}]}]}, "a document by its URL"),
    ("anthropic", {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]}, "a file by its id"),
    ("anthropic", {"context_management": {"edits": [{"type": "compact_20260112"}]}}, "compaction at the vendor"),
    ("responses", {"tools": [{"type": "web_search"}]}, "the tool web_search"),
    ("responses", {"conversation": "c1"}, "a conversation kept by the vendor"),
    ("responses", {"previous_response_id": "resp_unseen"}, "an earlier answer that the proxy has not seen"),
    ("responses", {"background": True}, "fetched later"),
    ("responses", {"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "an item kept by the vendor"),
    ("chat", {"web_search_options": {}}, "web search"),
    ("chat", {"modalities": ["text", "audio"], "audio": {"voice": "v"}}, "an answer that is audio"),
    ("chat", {"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "an earlier answer that is audio"),
    ("gemini", {"tools": [{"googleSearch": {}}]}, "googleSearch"),
    ("gemini", {"cachedContent": "c"}, "a prompt kept by the vendor"),
    ("gemini", {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": "gs://x"}}]}]}, "a file by its address"),
    ("gemini", {"systemInstruction": {"parts": [{"fileData": {"fileUri": "gs://x"}}]}}, "a file by its address"),
    ("gemini", {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}, "an answer that is image"),
]  # fmt: skip


@pytest.mark.parametrize(("api", "more", "what"), UNBOUNDED)
def test_what_cannot_be_bounded_is_marked_or_refused(api: str, more: dict[str, object], what: str) -> None:
    """As the policy says: it passes and the session is told once that its cap is not exact, or it does not pass."""
    with scene() as on:
        for _ in range(2):
            assert on.client.post(on.path(api), json={**request(api), **more}).status_code == 200
        (said,) = on.said()
        assert what in said
        assert "not exact" in said
    with scene(settings=settings(Limits(cost=10**9), unbounded=Unbounded.REFUSE)) as on:
        got = on.client.post(on.path(api), json={**request(api), **more})
        assert (got.status_code, what in got.text) == (400, True)
        assert not on.fake.seen


def test_costs_that_are_not_counted_are_marked_or_refused() -> None:
    """Batches, embeddings, images: they pass uncounted, and are said to."""
    path = "/openai/v1/embeddings"
    with scene() as on:
        assert on.client.post(f"/{on.proxy.token}{path}", json={}).status_code == 200
        assert "/v1/embeddings may cost money and is not counted" in on.said()[0]
    with scene(settings=settings(Limits(cost=10**9), unbounded=Unbounded.REFUSE)) as on:
        assert on.client.post(f"/{on.proxy.token}{path}", json={}).status_code == 400
        assert not on.fake.seen
    with scene(limits=Limits(iterations=1)) as on:
        assert on.ask().status_code == 200
        on.governed.order()
        assert on.ask().status_code == 400
        assert "iteration limit" in on.client.post(f"/{on.proxy.token}{path}", json={}).text
        assert not on.said()


@pytest.mark.parametrize(
    "path",
    [
        "/anthropic/v1/messages/",
        "/anthropic/v1/%6dessages",
        "/anthropic/v1/Messages",
        "/openai/v1/responses/",
        "/google/v1beta/models/dear%3AgenerateContent",
        "/google/v1beta/tunedModels/dear:generateContent",
        "/openai/v1/threads/runs",
        "/openai/v1/evals/x/runs",
    ],
)
def test_no_spelling_of_a_path_passes_a_cap(path: str) -> None:
    """It is a model call, and counted, or nobody knows what it is, and it is refused."""
    rules = settings(Limits(cost=2_000), unbounded=Unbounded.REFUSE)
    with scene(settings=rules) as on:
        assert on.client.post(f"/{on.proxy.token}{path}", json=request("anthropic")).status_code == 400
        assert not on.fake.seen


def test_a_cheaper_model_is_asked_however_the_path_is_written() -> None:
    """Its price is what was set aside."""
    ladder = Degradation(ladder=(Rung(1, Step.CHEAPER_MODEL),), models=(("dear", "cheap"),))
    path = "/google/v1beta/models/dear%3AgenerateContent"
    with scene(settings=settings(Limits(tokens=60_000), degradation=ladder)) as on:
        for _ in range(3):
            assert on.client.post(f"/{on.proxy.token}{path}", json=request("gemini")).status_code == 200
        assert on.fake.seen[-1].path.endswith("/models/cheap:generateContent")


def test_a_refused_call_marks_nothing() -> None:
    """The cap is as exact as before."""
    with scene(settings=settings(Limits(cost=1_000), degradation=NO_LADDER)) as on:
        assert on.ask(tools=[{"type": "web_search_20260209", "name": "web_search"}]).status_code == 400
        assert not on.said()


def test_a_model_without_a_price() -> None:
    """The dearest of the card is assumed, and bound by; with `block` it is not asked at all where the cost is limited."""
    with scene(limits=Limits(cost=10**9)) as on:
        assert on.ask(model="nobody-knows").status_code == 200
        assert on.governed.state.totals.assumed == 1
    empty = replace(CARD, prices={})
    for card in (empty, CARD):  # what may be assumed of it changes nothing
        with scene(card=card, settings=settings(Limits(cost=10**9), unpriced=UnknownPrice.BLOCK)) as on:
            assert on.ask(model="nobody-knows").status_code == 400
    with scene(card=empty, settings=settings(Limits(cost=10**9), unpriced=UnknownPrice.BLOCK)) as on:
        assert "The price of dear is not known" in on.ask().json()["error"]["message"]
    with scene(card=empty, limits=Limits(cost=10**9)) as on:
        assert on.ask().status_code == 200
        assert on.governed.state.totals.unpriced == 1


def test_a_compaction_is_taken_whole_or_not_at_all() -> None:
    """Its answer cannot be shortened, nor made a last one."""
    body = {"model": "gpt-5.5", "input": "hello"}
    with scene(limits=Limits(cost=10**9)) as on:
        path = f"{on.path('responses')}/compact"
        assert on.client.post(path, json=body).status_code == 200
        assert "max_output_tokens" not in on.fake.seen[-1].body
    with scene(limits=Limits(cost=10**8)) as on:
        assert on.client.post(f"{on.path('responses')}/compact", json=body).status_code == 400


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


def test_memory_of_threads_and_results_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are."""
    monkeypatch.setattr(meter, "RESULTS", 1)
    monkeypatch.setattr(meter, "THREADS", 1)
    with scene(limits=Limits(tokens=10**6)) as on:
        messages = tools_turn(("a", "ls", False), ("b", "cat", False))
        on.client.post(on.path("anthropic"), json={**request("anthropic"), "messages": messages})
        on.ask(headers={"X-Claude-Code-Session-Id": "s", "X-Claude-Code-Agent-Id": "one"})
        assert on.governed.state.totals.tool_calls == 2
