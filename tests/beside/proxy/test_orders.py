"""Orders: what the governor says becomes a change of the request, a wait, or a refusal the agent ends at."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from tabstop.beside.proxy import meter
from tabstop.governor.facts import Raised, Replied, ServerSaid
from tabstop.governor.orders import EventKind
from tabstop.governor.settings import (
    Breaker,
    Exhaustion,
    OnLimit,
    Throttle,
)
from tabstop.session import Limits
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tests.beside.proxy.rules import APIS, TOOL, output_of, settings
from tests.beside.proxy.scene import request, scene


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


def test_where_people_are_asked_the_call_waits() -> None:
    """And goes on when they allow more."""
    asking = Exhaustion(on_limit=OnLimit.ASK)
    with scene(settings=settings(Limits(iterations=1), exhaustion=asking)) as on:
        on.ask()
        began = time.monotonic()
        threading.Timer(0.3, lambda: on.governed.tell(Replied(on.governed.now(), granted=True))).start()
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


def test_who_says_that_it_waits_may_ask_more_often() -> None:
    """A command that waits is a quarter of a repeat here as under hooks."""
    rules = settings(Limits(tool_calls=100), breaker=Breaker(repeats=4), throttle=Throttle(None, None, None))
    for command, status in (("gh run view 1", 400), ("sleep 1; gh run view 1", 200)):
        with scene(settings=rules) as on:
            for number in range(6):
                turn = {**request("anthropic"), "messages": tools_turn((f"t{number}", command, False))}
                got = on.client.post(on.path("anthropic"), json=turn)
            assert got.status_code == status


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


def test_memory_of_threads_and_results_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are."""
    monkeypatch.setattr(meter, "RESULTS", 1)
    monkeypatch.setattr(meter, "THREADS", 1)
    with scene(limits=Limits(tokens=10**6)) as on:
        messages = tools_turn(("a", "ls", False), ("b", "cat", False))
        on.client.post(on.path("anthropic"), json={**request("anthropic"), "messages": messages})
        on.ask(headers={"X-Claude-Code-Session-Id": "s", "X-Claude-Code-Agent-Id": "one"})
        assert on.governed.state.totals.tool_calls == 2
