"""Claude Code's hooks: every captured payload becomes the facts it tells, every order the reply that really works."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tabstop.agents.claude_code.hooks import ClaudeCodeHooks
from tabstop.agents.dialect import Dialect, Spoken
from tabstop.governor.facts import (
    Heartbeat,
    Paused,
    Resumed,
    SubagentEnded,
    SubagentSpawned,
    ToolFinished,
    ToolStarted,
)
from tabstop.governor.orders import PROCEED, Act, Order, Step
from tabstop.verdict import Finding, Outcome, Signal
from tests.governor.builders import BEGUN
from tests.support.golden import expect
from tests.support.hook_payloads import SESSION, captured, outcome, payload, tool

KEY = b"a key of this session"
LIMIT = Finding(
    Signal.LIMIT, Outcome.STOP, "cost", "The session reached its cost limit: $10.02 of $10.00 used.",
    remedy="To go on, run `tabstop overdrive claude-3f9a1c2b '$5'`, then resume the agent: its totals are carried over.",
)  # fmt: skip
NEAR = Finding(
    Signal.DEGRADATION, Outcome.WARN, "finish subtask", "96 % of the cost limit is used: finish the subtask."
)
RED_TAB = Finding(Signal.BUDGET, Outcome.WARN, "tab", "The tab's budget is spent. Finish what is begun.")
HALT = Order(Act.HALT, (LIMIT,))
DIALECT: Dialect = ClaudeCodeHooks()


def never(_model: str, _new: bool) -> str:
    raise AssertionError("nobody asked for a cheaper model")


def reply(body: dict[str, Any], order: Order, fresh: tuple[Finding, ...] = (), cheaper: Any = never) -> Spoken:
    return DIALECT.reply(DIALECT.read(body["hook_event_name"], body, BEGUN, KEY), order, fresh, cheaper)


def facts(name: str) -> list[tuple[str, Any]]:
    told = []
    for event, body in captured(name):
        told += [(event, fact) for fact in DIALECT.read(event, body, BEGUN, KEY).facts]
    return told


def test_a_subagent_is_told_apart_from_its_parent() -> None:
    """Asked for by its parent, begun under its own id, its tools its own, ended."""
    told = [fact for _, fact in facts("claude-subagent") if not isinstance(fact, Heartbeat | Resumed | Paused)]
    child = "a1049afd9830ce565"
    assert told[1] == SubagentSpawned(BEGUN, "", "general-purpose", "")
    assert told[2] == SubagentSpawned(BEGUN, child, "general-purpose")
    tools = [(type(fact), fact.name, fact.thread) for fact in told if isinstance(fact, ToolStarted | ToolFinished)]
    assert tools == [
        (ToolStarted, "Agent", ""),
        (ToolStarted, "Bash", child), (ToolFinished, "Bash", child),
        (ToolStarted, "Bash", child), (ToolFinished, "Bash", child),
        (ToolFinished, "Agent", ""),
    ]  # fmt: skip
    assert SubagentEnded(BEGUN, child) in told
    assert DIALECT.read("PreToolUse", captured("claude-subagent")[4][1], BEGUN, KEY).thread == child


def test_failed_tools_are_told() -> None:
    """With the same digest as at their start, and never their arguments."""
    told = [fact for _, fact in facts("claude-tool-failure") if isinstance(fact, ToolStarted | ToolFinished)]
    assert [(fact.name, getattr(fact, "failed", None)) for fact in told] == [
        ("Bash", None), ("Bash", True), ("Read", None), ("Read", True),
    ]  # fmt: skip
    assert told[0].arguments == told[1].arguments != told[2].arguments
    assert "exit" not in repr(told)


def test_sessions_begin_end_and_are_compacted() -> None:
    """Compaction starts no new run."""
    assert [type(fact) for event, fact in facts("claude-compact") if event.startswith("Session")] == [
        Resumed, Heartbeat, Paused,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "failed"),
    [
        (tool("PostToolUse", tool_response={"is_error": True}), True),
        (tool("PostToolUse", tool_response="text"), False),
        (tool("PostToolUseFailure", is_interrupt=True), False),
        (tool("PostToolUseFailure"), True),
    ],
)
def test_what_counts_as_a_failure(body: dict[str, Any], failed: bool) -> None:
    """A tool's own error does; a person's interrupt does not."""
    (fact,) = DIALECT.read(body["hook_event_name"], body, BEGUN, KEY).facts
    assert isinstance(fact, ToolFinished)
    assert fact.failed is failed


@pytest.mark.parametrize("body", [{}, {"session_id": 5, "agent_id": [], "tool_name": {}, "tool_input": "x", "cwd": 1}])
@pytest.mark.parametrize("event", [*DIALECT.events, "SomethingNew"])
def test_a_malformed_payload_tells_less(event: str, body: dict[str, Any]) -> None:
    """And never fails: whatever is missing is not told."""
    heard = DIALECT.read(event, body, BEGUN, KEY)
    assert (heard.session, heard.thread, heard.cwd) == ("", "", "")
    assert DIALECT.usage_log(heard, KEY) is None
    DIALECT.reply(heard, PROCEED, (), never)


STOPS = {
    "UserPromptSubmit": "claude-prompt-block",
    "PreToolUse": "claude-pre-deny+continue-false",
    "PostToolUse": "claude-post-continue-false",
    "PostToolBatch": "claude-batch-continue-false",
}


@pytest.mark.parametrize("event", STOPS)
def test_a_stop_is_said_as_it_was_seen_to_work(event: str) -> None:
    """At each of these events the real client made no further call after such a reply."""
    assert outcome(STOPS[event])["api_calls"] <= 1
    body = reply(tool(event), HALT).body
    assert body is not None
    expect(f"hooks/claude-code-{event}.json", json.dumps(body, indent=2) + "\n")
    assert DIALECT.standing(HALT)[event] == body


def test_where_nothing_is_obeyed_nothing_is_demanded() -> None:
    """SessionStart says it to people; the ends of things are left alone."""
    assert reply(payload("SessionStart"), HALT).body == {"systemMessage": f"Tabstop: {LIMIT.sentence} {LIMIT.remedy}"}
    for event in ("SubagentStart", "SubagentStop", "Stop", "SessionEnd"):
        assert reply(payload(event), HALT).text == ""


def test_a_stop_without_a_reason_still_says_something() -> None:
    """Whatever the order lacks, people read a sentence."""
    assert reply(payload("SessionStart"), Order(Act.HALT)).body == {
        "systemMessage": "Tabstop: This session is stopped."
    }


def test_only_this_call_is_denied() -> None:
    """A denial alone lets the session go on, which is what `deny` means."""
    body = reply(tool("PreToolUse"), Order(Act.DENY, (NEAR,))).body
    assert body is not None
    assert set(body) == {"hookSpecificOutput"}
    assert body["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert reply(tool("PreToolUse"), Order(Act.DEGRADE, (NEAR,), steps=(Step.NO_TOOLS,))).body == body
    assert reply(tool("PostToolUse"), Order(Act.DENY, (NEAR,))).body is None


def test_before_its_last_answer_nothing_new_starts() -> None:
    """No new prompt, no new subagent; what is begun goes on."""
    order = Order(Act.WIND_DOWN, (NEAR,), summary_tokens=2_000)
    assert reply(payload("UserPromptSubmit"), order).body == {
        "decision": "block",
        "reason": f"Tabstop: {NEAR.sentence}",
    }
    assert "deny" in reply(tool("PreToolUse", "Agent"), order).text
    assert reply(tool("PreToolUse"), order).body is None


def test_a_red_tab_blocks_no_prompt_and_no_subagent() -> None:
    """Promise 4: the server asks to wind down; the model is told why, and goes on."""
    order = Order(Act.WIND_DOWN, (RED_TAB,))
    prompt, subagent = reply(payload("UserPromptSubmit"), order, (RED_TAB,)), reply(tool("PreToolUse", "Agent"), order)
    assert prompt.body == {
        "hookSpecificOutput": {
            "hookEventName": "UserPromptSubmit",
            "additionalContext": f"Tabstop: {RED_TAB.sentence}",
        },
        "systemMessage": f"Tabstop: {RED_TAB.sentence}",
    }
    assert (prompt.told, subagent.body) == (True, None)


def test_slowing_down_is_waiting_before_the_tool() -> None:
    """In the hook, never longer than the agent allows one, and not twice for one call."""
    order = Order(Act.THROTTLE, seconds=3.5)
    assert reply(tool("PreToolUse"), order).wait == 3.5
    assert reply(tool("PostToolUse"), order).wait == 0
    assert (
        reply(payload("UserPromptSubmit"), Order(Act.THROTTLE, seconds=1e9)).wait <= min(DIALECT.events.values()) - 20
    )


def test_what_the_model_is_to_know_reaches_it() -> None:
    """As context before a tool and with a prompt, and as a message for people."""
    spoken = reply(tool("PreToolUse"), Order(Act.DEGRADE, (NEAR,)), (NEAR, NEAR))
    assert spoken.told
    expect("hooks/claude-code-degrade.json", json.dumps(spoken.body, indent=2) + "\n")
    assert reply(payload("UserPromptSubmit"), PROCEED).body is None


def test_a_new_subagent_gets_the_cheaper_model() -> None:
    """With its whole input, since the tool's schema wants it; left alone where there is no cheaper one."""
    order = Order(Act.DEGRADE, steps=(Step.CHEAPER_MODEL,))
    body = tool("PreToolUse", "Agent")
    asked = []

    def cheaper(model: str, new: bool) -> str:
        asked.append((model, new))
        return "claude-haiku-5-5"

    changed = reply(body, order, (), cheaper).body
    assert changed is not None
    assert changed["hookSpecificOutput"]["updatedInput"] == {"command": "ls", "model": "haiku"}
    assert asked == [("", True)]
    body["tool_input"] = {"model": "haiku"}
    assert reply(body, order, (), cheaper).body is None
    assert reply(body, order, (), lambda _model, _new: "").body is None
    assert reply({**body, "tool_input": "odd"}, order, (), never).body is None
    assert reply(tool("PreToolUse"), order, (), never).body is None


def test_its_log_is_the_transcript() -> None:
    """Named by every payload, the parent's in a subagent too."""
    heard = DIALECT.read("Stop", payload("Stop", "/nowhere/s.jsonl"), BEGUN, KEY)
    assert heard.session == SESSION
    assert DIALECT.usage_log(heard, KEY) is not None
