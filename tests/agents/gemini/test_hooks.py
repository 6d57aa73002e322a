"""Gemini CLI's hooks: usage from AfterModel, stops before what would cost, and the model switched for real."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tabstop.agents.dialect import Dialect, Spoken
from tabstop.agents.gemini.hooks import GeminiHooks, read_tokens
from tabstop.governor.facts import Paused, Resumed, ToolFinished, ToolStarted
from tabstop.governor.orders import PROCEED, Act, Order, Step
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Finding, Outcome, Signal
from tests.governor.builders import BEGUN
from tests.support.golden import expect
from tests.support.hook_payloads import captured, outcome, payload, tool

KEY = b"a key of this session"
LIMIT = Finding(
    Signal.LIMIT, Outcome.STOP, "cost", "The session reached its cost limit: $10.02 of $10.00 used.",
    remedy="To go on, run `tabstop overdrive gemini-3f9a1c2b '$5'`, then resume the agent: its totals are carried over.",
)  # fmt: skip
NEAR = Finding(Signal.DEGRADATION, Outcome.WARN, "no tools", "No more tools: 92 % of the cost limit is used.")
HALT = Order(Act.HALT, (LIMIT,))
CHEAPER = Order(Act.DEGRADE, steps=(Step.CHEAPER_MODEL,))


def reply(body: dict[str, Any], order: Order, fresh: tuple[Finding, ...] = (), model: str = "", hooks: Dialect | None = None) -> Spoken:  # fmt: skip
    dialect = hooks or GeminiHooks()
    heard = dialect.read(body["hook_event_name"], body, BEGUN, KEY)
    return dialect.reply(heard, order, fresh, lambda _model, _new: model)


def request(
    event: str, text: str = "Do the work", at: str = "2026-11-21T21:22:10.190Z", **fields: Any
) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return payload(event, timestamp=at, llm_request={"model": "gemini-2.5-pro", "messages": messages}, **fields)


def answered(prompt: int, candidates: int, total: int, **fields: Any) -> dict[str, Any]:
    used = {"promptTokenCount": prompt, "candidatesTokenCount": candidates, "totalTokenCount": total}
    return request("AfterModel", llm_response={"usageMetadata": used}, **fields)


def usages(dialect: Dialect, *bodies: dict[str, Any]) -> list[Usage]:
    return [usage for body in bodies for usage in dialect.read(body["hook_event_name"], body, BEGUN, KEY).usages]


def test_a_captured_run_is_told() -> None:
    """Begun, five tools, ended; five answers, each under a key of its own, thoughts counted as output."""
    dialect = GeminiHooks()
    heard = [dialect.read(event, body, BEGUN, KEY) for event, body in captured("gemini")]
    told = [fact for one in heard for fact in one.facts]
    assert isinstance(told[0], Resumed)
    assert isinstance(told[-1], Paused)
    assert sum(isinstance(fact, ToolStarted) for fact in told) == 5
    assert not any(fact.failed for fact in told if isinstance(fact, ToolFinished))
    found = [usage for one in heard for usage in one.usages]
    assert len({usage.keys for usage in found}) == 5
    assert found[0].tokens == Tokens(input=8_010, output=214)
    assert {(usage.model, usage.agent, usage.cache_split_known) for usage in found} == {
        ("gemini-2.5-pro", "gemini-cli", False)
    }
    assert "Widget" not in repr(told) + repr(found)


def test_a_streamed_answer_grows_under_one_key() -> None:
    """And the same request sent again later is another call."""
    dialect = GeminiHooks()
    first, second = usages(dialect, request("BeforeModel"), answered(10, 1, 11), answered(10, 5, 17))
    (again,) = usages(dialect, request("BeforeModel", at="2026-11-21T21:30:00.000Z"), answered(10, 5, 17))
    assert first.keys == second.keys != again.keys
    assert (first.tokens.output, second.tokens.output) == (1, 7)


@pytest.mark.parametrize(
    "response",
    [None, {}, {"usageMetadata": None}, {"usageMetadata": {"promptTokenCount": -1}}, {"usageMetadata": {"promptTokenCount": "x"}}],
)  # fmt: skip
def test_an_answer_without_usage_tells_none(response: object) -> None:
    """A chunk of a stream often has none."""
    assert usages(GeminiHooks(), request("AfterModel", llm_response=response)) == []


def test_without_a_model_there_is_no_usage() -> None:
    """Nobody could price it."""
    body = answered(10, 5, 17) | {"llm_request": {}}
    assert usages(GeminiHooks(), body) == []
    assert read_tokens({"promptTokenCount": 10, "candidatesTokenCount": 5}) == Tokens(input=10, output=5)


def test_a_switched_call_is_priced_as_what_it_was_switched_to() -> None:
    """AfterModel still names the model that was asked for."""
    dialect = GeminiHooks()
    spoken = reply(request("BeforeModel"), CHEAPER, model="gemini-3.5-flash-lite", hooks=dialect)
    assert outcome("gemini-model-switch")["models"] == {"gemini-2.5-flash-lite": 5}
    expect("hooks/gemini-model-switch.json", json.dumps(spoken.body, indent=2) + "\n")
    (usage,) = usages(dialect, answered(10, 5, 17))
    assert usage.model == "gemini-3.5-flash-lite"
    assert reply(request("BeforeModel"), CHEAPER, hooks=dialect).body is None
    assert reply(request("BeforeModel"), PROCEED, hooks=dialect).body is None


def test_calls_are_not_remembered_for_ever() -> None:
    """An old call is still counted, under a key without its beginning."""
    dialect = GeminiHooks()
    usages(dialect, *(request("BeforeModel", f"Question {number}") for number in range(100)))
    late, early = answered(10, 5, 17), answered(10, 5, 17)
    late["llm_request"] = request("BeforeModel", "Question 99")["llm_request"]
    early["llm_request"] = request("BeforeModel", "Question 0")["llm_request"]
    keys = [usage.keys[0] for usage in usages(dialect, late, early)]
    assert [key.endswith("/") for key in keys] == [False, True]


@pytest.mark.parametrize(
    ("event", "run"),
    [("BeforeAgent", "gemini-agent-deny"), ("BeforeModel", "gemini-model-continue-false"), ("BeforeTool", "gemini-tool-continue-false")],
)  # fmt: skip
def test_a_stop_is_said_as_it_was_seen_to_work(event: str, run: str) -> None:
    """The real client made no further call after such a reply."""
    assert outcome(run)["api_calls"] <= 1
    body = reply(request(event), HALT).body
    assert body is not None
    assert GeminiHooks().standing(HALT)[event] == body
    expect(f"hooks/gemini-{event}.json", json.dumps(body, indent=2) + "\n")


def test_what_is_paid_is_shown() -> None:
    """After an answer nothing is stopped; at the start people are told."""
    assert reply(answered(10, 5, 17), HALT).text == ""
    assert "systemMessage" in reply(payload("SessionStart"), HALT).text
    assert reply(payload("SessionEnd"), PROCEED).text == ""


def test_less_than_a_stop() -> None:
    """Denied, slowed, told, wound down: each where it works."""
    assert reply(tool("BeforeTool"), Order(Act.DENY, (NEAR,))).body == {
        "decision": "deny",
        "reason": f"Tabstop: {NEAR.sentence}",
    }
    assert reply(tool("BeforeTool"), Order(Act.DEGRADE, (NEAR,), steps=(Step.NO_TOOLS,))).body is not None
    assert reply(tool("BeforeTool"), Order(Act.THROTTLE, seconds=2.0)).wait == 2.0
    assert reply(tool("BeforeTool"), PROCEED).body is None
    told = reply(payload("BeforeAgent"), Order(Act.DEGRADE, (NEAR,)), (NEAR,))
    assert told.told
    assert told.body is not None
    assert told.body["hookSpecificOutput"]["additionalContext"] == f"Tabstop: {NEAR.sentence}"
    assert reply(payload("BeforeAgent"), PROCEED).body is None
    last = reply(payload("BeforeAgent"), Order(Act.WIND_DOWN, (NEAR,), summary_tokens=2_000)).body
    assert last is not None
    assert last["continue"] is False


def test_a_red_tab_blocks_no_prompt() -> None:
    """Promise 4: the server asks to wind down; the model is told why, and goes on."""
    red = Finding(Signal.BUDGET, Outcome.WARN, "tab", "The tab's budget is spent. Finish what is begun.")
    told = reply(payload("BeforeAgent"), Order(Act.WIND_DOWN, (red,)), (red,))
    said = f"Tabstop: {red.sentence}"
    context = {"hookEventName": "BeforeAgent", "additionalContext": said}
    assert (told.body, told.told) == ({"hookSpecificOutput": context, "systemMessage": said}, True)


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        ({"llmContent": "Output: fine"}, False),
        ({"llmContent": "Output: x\nExit Code: 2\nMore"}, True),
        ({"llmContent": "Exit Code: 0"}, False),
        ({"error": {"message": "no such file"}}, True),
        ("odd", False),
    ],
)
def test_what_counts_as_a_failure(response: object, failed: bool) -> None:
    """What the tool reports as its error, or its command's exit code."""
    (fact,) = GeminiHooks().read("AfterTool", tool("AfterTool", tool_response=response), BEGUN, KEY).facts
    assert isinstance(fact, ToolFinished)
    assert fact.failed is failed


@pytest.mark.parametrize("event", [*GeminiHooks.events, "PreCompress"])
def test_a_malformed_payload_tells_less(event: str) -> None:
    """And never fails."""
    dialect = GeminiHooks()
    heard = dialect.read(event, {"session_id": 1, "llm_request": [], "timestamp": {}, "tool_name": []}, BEGUN, KEY)
    assert heard.session == ""
    assert dialect.usage_log(heard, KEY) is None
    dialect.reply(heard, CHEAPER, (), lambda _model, _new: "")
