"""Codex's hooks: what they tell, and that a stop says plainly what it cannot do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tabstop.agents.codex.hooks import CANNOT_END, CodexHooks
from tabstop.agents.dialect import Dialect, Spoken
from tabstop.governor.facts import Heartbeat, Paused, Resumed, SubagentSpawned, ToolFinished, ToolStarted
from tabstop.governor.orders import PROCEED, Act, Order, Step
from tabstop.verdict import Finding, Outcome, Signal
from tests.governor.builders import BEGUN
from tests.support.golden import expect
from tests.support.hook_payloads import captured, outcome, payload, tool

KEY = b"a key of this session"
LIMIT = Finding(
    Signal.LIMIT, Outcome.STOP, "tokens",
    "Task paused: session budget reached. Enable Overdrive to continue. The session reached its token limit: 10.1M tokens of 10M tokens used.",
    remedy="To go on, run `tabstop overdrive codex-3f9a1c2b --tokens 5000000`, then resume the agent: its totals are carried over.",
)  # fmt: skip
NEAR = Finding(Signal.DEGRADATION, Outcome.WARN, "no tools", "No more tools: 92 % of the token limit is used.")
RED_TAB = Finding(Signal.BUDGET, Outcome.WARN, "tab", "The tab's budget is spent. Finish what is begun.")
LAST = Order(Act.WIND_DOWN, (NEAR,), summary_tokens=2_000)
STOP = Order(Act.SUSPEND, (LIMIT,))
DIALECT: Dialect = CodexHooks()


def reply(body: dict[str, Any], order: Order, fresh: tuple[Finding, ...] = ()) -> Spoken:
    return DIALECT.reply(DIALECT.read(body["hook_event_name"], body, BEGUN, KEY), order, fresh, lambda _m, _n: "")


def test_a_captured_run_is_told() -> None:
    """Begun, five tools started and finished with the same digest, ended."""
    told = [fact for event, body in captured("codex") for fact in DIALECT.read(event, body, BEGUN, KEY).facts]
    assert isinstance(told[0], Resumed)
    assert isinstance(told[-1], Paused)
    started = {fact.call: fact.arguments for fact in told if isinstance(fact, ToolStarted)}
    finished = {fact.call: fact.arguments for fact in told if isinstance(fact, ToolFinished) and not fact.failed}
    assert len(started) == 5
    assert started == finished
    assert "README" not in repr(told)


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        ("Exit code: 0\nWall time: 0 seconds", False),
        ("Exit code: 1\nWall time: 0 seconds", True),
        ("text that says Exit code: 1", False),
        ({"success": False}, True),
        ({"is_error": True}, True),
        ({"output": "text"}, False),
        (None, False),
    ],
)
def test_what_counts_as_a_failure(response: object, failed: bool) -> None:
    """Only what the tool itself says at its beginning."""
    (fact,) = DIALECT.read("PostToolUse", tool("PostToolUse", tool_response=response), BEGUN, KEY).facts
    assert isinstance(fact, ToolFinished)
    assert fact.failed is failed


@pytest.mark.parametrize(
    ("event", "run", "calls"),
    [("UserPromptSubmit", "codex-prompt-block", 0), ("PreToolUse", "codex-pre-deny", 5), ("PostToolUse", "codex-post-block", 5)],
)  # fmt: skip
def test_a_stop_refuses_and_says_what_it_cannot(event: str, run: str, calls: int) -> None:
    """The real client ends before any call at a prompt; in a turn it goes on calling, so the model is told to end it."""
    assert outcome(run)["api_calls"] == calls
    body = reply(tool(event), STOP).body
    assert body is not None
    assert (CANNOT_END in json.dumps(body)) == (calls > 0)
    assert DIALECT.standing(STOP)[event] == body
    expect(f"hooks/codex-{event}.json", json.dumps(body, indent=2) + "\n")


def test_elsewhere_people_are_told_or_nothing_is_said() -> None:
    """At its start a stopped session says so; at its end there is nothing to say."""
    assert "systemMessage" in reply(payload("SessionStart"), STOP).text
    assert reply(payload("Stop"), STOP).text == ""
    assert reply(payload("Stop"), PROCEED).text == ""


def test_less_than_a_stop() -> None:
    """Denied, slowed, told: each where it works."""
    assert "deny" in reply(tool("PreToolUse"), Order(Act.DENY, (NEAR,))).text
    assert "deny" in reply(tool("PreToolUse"), Order(Act.DEGRADE, (NEAR,), steps=(Step.NO_TOOLS,))).text
    waiting = reply(tool("PreToolUse"), Order(Act.THROTTLE, seconds=2.0))
    assert (waiting.body, waiting.wait) == (None, 2.0)
    assert "block" in reply(payload("UserPromptSubmit"), LAST).text
    told = reply(payload("UserPromptSubmit"), Order(Act.DEGRADE, (NEAR,)), (NEAR,))
    assert told.told
    assert told.body == {
        "hookSpecificOutput": {"hookEventName": "UserPromptSubmit", "additionalContext": f"Tabstop: {NEAR.sentence}"}
    }
    assert reply(payload("UserPromptSubmit"), PROCEED).body is None


def test_starting_subagents_is_asked_for() -> None:
    """Its tool for that is known by its name, with or without a namespace."""
    body = tool("PreToolUse", "multi_agent_v1.spawn_agent") | {"tool_input": {"agent_type": "explorer"}}
    heard = DIALECT.read("PreToolUse", body, BEGUN, KEY)
    assert heard.facts[1] == SubagentSpawned(BEGUN, "", "explorer")
    assert "deny" in reply(body, LAST).text
    assert reply(body, Order(Act.WIND_DOWN, (RED_TAB,))).body is None


def test_a_red_tab_blocks_no_prompt() -> None:
    """Promise 4: the server asks to wind down; the model is told why, and goes on."""
    told = reply(payload("UserPromptSubmit"), Order(Act.WIND_DOWN, (RED_TAB,)), (RED_TAB,))
    said = {"hookEventName": "UserPromptSubmit", "additionalContext": f"Tabstop: {RED_TAB.sentence}"}
    assert (told.body, told.told) == ({"hookSpecificOutput": said}, True)


@pytest.mark.parametrize("event", [*DIALECT.events, "Interrupt"])
def test_a_malformed_payload_tells_less(event: str) -> None:
    """And never fails."""
    heard = DIALECT.read(event, {"session_id": [], "tool_name": {}, "tool_input": 1, "source": 2}, BEGUN, KEY)
    assert heard.session == ""
    assert DIALECT.usage_log(heard, KEY) is None
    DIALECT.reply(heard, PROCEED, (), lambda _m, _n: "")


def test_compaction_is_no_new_run() -> None:
    """The wall clock goes on."""
    heard = DIALECT.read("SessionStart", payload("SessionStart", "/nowhere", source="compact"), BEGUN, KEY)
    assert heard.facts == (Heartbeat(BEGUN),)
    assert DIALECT.usage_log(heard, KEY) is not None
