"""The Claude Agent SDK's hooks: called as the SDK calls them, and in a real session of the client that it brings."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from claude_agent_sdk import ClaudeAgentOptions, HookMatcher, ResultMessage, query
from claude_agent_sdk.types import HookEvent, SyncHookJSONOutput

from tabstop.governor.orders import Step
from tabstop.governor.settings import Rules, Throttle
from tabstop.library import BudgetExceeded, Governor, limits
from tabstop.library.claude_agent_sdk import EVENTS, hooks_for
from tests.library.builders import BEGUN, Clock, governor
from tests.library.claude_api import loopback_claude
from tests.library.fake_api import IN, OUT
from tests.support.hook_payloads import SESSION, payload, tool


def call(g: Governor, hooks: dict[HookEvent, list[HookMatcher]], given: dict[str, Any]) -> dict[str, Any]:
    """As the SDK calls a callback."""
    (matcher,) = hooks[given["hook_event_name"]]
    (callback,) = matcher.hooks
    return dict(asyncio.run(callback(given, given.get("tool_use_id"), {"signal": None})))  # type: ignore[arg-type]


def row(number: int) -> str:
    """A line of the client's transcript: one answer."""
    message = {
        "id": f"msg_{number}", "type": "message", "role": "assistant", "model": "claude-opus-5-5",
        "content": [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}],
        "usage": {"input_tokens": IN, "output_tokens": OUT},
    }  # fmt: skip
    return json.dumps(
        {"type": "assistant", "sessionId": SESSION, "requestId": f"req_{number}", "timestamp": BEGUN.isoformat(), "message": message}
    )  # fmt: skip


def test_the_hooks_are_of_the_sdks_own_types() -> None:
    """Every event it names is one of its own, but for the one its client knows and its types do not yet."""
    hooks = hooks_for(governor())
    assert set(hooks) == set(EVENTS)
    named = {word for part in get_args(HookEvent) for word in get_args(part) or (part,)}
    assert set(EVENTS) - named == {"PostToolBatch"}
    assert {one.on_failure for many in hooks.values() for one in many} == {"block"}
    ClaudeAgentOptions(hooks=hooks)


def test_a_session_within_its_limits_hears_nothing() -> None:
    """An empty reply at every event."""
    g = governor(limits(tool_calls=50))
    hooks = hooks_for(g)
    for event in EVENTS:
        given = tool(event) if "Tool" in event else payload(event, agent_id="a1", agent_type="general")
        assert call(g, hooks, given) == {}
    assert g.totals.tool_calls == 1


def test_a_limit_ends_the_turn(tmp_path: Path) -> None:
    """Usage is read from the transcript; the reply stops the tool and the turn, in the words the SDK wants."""
    log = tmp_path / "session.jsonl"
    log.write_text(row(1) + "\n" + row(2) + "\n", encoding="utf-8")
    told: list[Step] = []
    g = governor(limits(iterations=2), on_degrade=lambda step, _sentence: told.append(step))
    hooks = hooks_for(g)
    reply = call(g, hooks, tool("PreToolUse") | {"transcript_path": str(log)})
    assert reply["continue_"] is False
    assert "continue" not in reply
    assert set(reply) <= SyncHookJSONOutput.__optional_keys__
    assert reply["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert "iteration limit: 2 of 2 used" in reply["stopReason"]
    assert g.totals.tokens == 2 * (IN + OUT)
    assert Step.NO_TOOLS in told
    with pytest.raises(BudgetExceeded):
        g.check()


def test_what_is_written_after_the_last_hook_counts_at_the_check(tmp_path: Path) -> None:
    """A session's last answer comes after all of its hooks."""
    log = tmp_path / "session.jsonl"
    log.write_text(row(1) + "\n", encoding="utf-8")
    with governor(limits(iterations=5)) as g:
        call(g, hooks_for(g), payload("Stop", log))
        log.write_text(row(1) + "\n" + row(2) + "\n", encoding="utf-8")
        assert g.totals.iterations == 1
        g.check()
        assert g.totals.iterations == 2


def test_a_session_without_limits_hears_of_the_defaults_once() -> None:
    """With the first prompt: nothing starts without an exit condition, and it is said which."""
    g = governor()
    hooks = hooks_for(g)
    said = "Tabstop: No limit was left to this session, so the default limits apply."
    assert call(g, hooks, payload("UserPromptSubmit")) == {"systemMessage": said}
    assert call(g, hooks, payload("UserPromptSubmit")) == {}


def test_too_fast_waits_without_holding_up_others() -> None:
    """The pause is the program's own async sleep."""
    clock = Clock()
    g = governor(limits(tool_calls=50), clock=clock, rules=Rules(throttle=Throttle(calls_per_minute=1)))
    hooks = hooks_for(g)
    for _ in range(2):
        assert call(g, hooks, tool("PreToolUse")) == {}
    assert clock.slept == [60.0]


def test_steps_that_hooks_cannot_take_are_reported() -> None:
    """Nobody believes that a cheaper model answers."""
    said: list[str] = []
    g = governor(
        limits(iterations=4),
        on_event=lambda event, _order: said.append(event.finding.sentence if event.finding else ""),
    )
    g.charged(0)
    g.charged(0)
    g.charged(0)
    call(g, hooks_for(g), payload("UserPromptSubmit"))
    assert "The model cannot be changed here: the session keeps the one it has." in said


@pytest.mark.slow
def test_a_real_session_is_stopped_at_its_limit(tmp_path: Path) -> None:
    """The client that the SDK brings, on a model that never comes to an end. Hooks may be one call late."""
    home = tmp_path / "home"
    home.mkdir()

    async def run(url: str) -> ResultMessage:
        env = {
            "HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / ".claude"), "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "sk-none",
            "DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
        }  # fmt: skip
        async with Governor(limits(iterations=3), environ={}) as g:
            options = ClaudeAgentOptions(hooks=hooks_for(g), env=env, cwd=str(home), allowed_tools=["Bash"])
            ended = [one async for one in query(prompt="Count.", options=options) if isinstance(one, ResultMessage)]
            assert g.totals.tokens == g.totals.iterations * (IN + OUT)
            with pytest.raises(BudgetExceeded):
                g.check()
        return ended[-1]

    with loopback_claude() as api:
        result = asyncio.run(run(api.url))
        assert api.answers in {3, 4}
    assert (result.subtype, result.result) == ("success", "")
