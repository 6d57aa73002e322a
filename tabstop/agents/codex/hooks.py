"""Codex's hooks: what their payloads tell, and how far they can be made to obey.

Tried on Codex 0.169: a hook can refuse a prompt and every tool, and replace what a tool answered; it cannot end a turn that
runs. So a stopped session refuses every tool, and tells the model to end its turn; the model's own answers still cost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tabstop.agents.claude_code.rows import ident, mapping, text
from tabstop.agents.codex.rollout import RolloutFollower
from tabstop.agents.codex.rollout_rows import AGENT
from tabstop.agents.dialect import (
    HOOK_SECONDS,
    SILENCE,
    Cheaper,
    Heard,
    Payload,
    Spoken,
    UsageLog,
    advice_text,
    digest,
    short_wait,
    stop_text,
    waits,
)
from tabstop.governor.facts import Fact, Heartbeat, Paused, Resumed, SubagentSpawned, ToolFinished, ToolStarted
from tabstop.governor.orders import Act, Order, Step
from tabstop.verdict import Finding

CANNOT_END = "Codex cannot be ended by a hook: end your turn now. Every tool is refused from here on."

_SPAWNS = re.compile(r"(?:^|[._])spawn_agent$")
_EXIT_CODE = re.compile(r"\s*Exit code: (\d+)")


class CodexHooks:
    """See `tabstop.agents.dialect.Dialect`."""

    agent = AGENT
    events: Mapping[str, int] = {
        "SessionStart": HOOK_SECONDS,
        "UserPromptSubmit": HOOK_SECONDS,
        "PreToolUse": HOOK_SECONDS,
        "PostToolUse": HOOK_SECONDS,
        "Stop": HOOK_SECONDS,
        "SessionEnd": 3,  # Codex allows no more, and says so in the session when asked for more
    }
    firmness = "At a limit every tool and new prompt is refused; a hook cannot end a turn that runs."
    ends_turns = False
    can = frozenset({Step.NO_TOOLS})

    def read(self, event: str, payload: Payload, at: datetime, key: bytes) -> Heard:
        """See `Dialect.read`."""
        return Heard(
            event=event,
            payload=payload,
            session=ident(payload.get("session_id")),
            cwd=text(payload.get("cwd"), 4096),
            log=text(payload.get("transcript_path"), 4096),
            facts=_facts(event, payload, at, key),
        )

    def reply(self, heard: Heard, order: Order, fresh: tuple[Finding, ...], cheaper: Cheaper) -> Spoken:  # noqa: ARG002 - no hook switches its model
        """See `Dialect.reply`."""
        if order.act.ends_turn:
            return Spoken(_stop(heard.event, order))
        if heard.event == "UserPromptSubmit":
            if order.summary_tokens:
                return Spoken({"decision": "block", "reason": stop_text(order)})
            said = advice_text(fresh)
            body = {"hookSpecificOutput": {"hookEventName": heard.event, "additionalContext": said}} if said else None
            return Spoken(body, short_wait(order), told=True)
        if heard.event == "PreToolUse":
            spawns = _SPAWNS.search(str(heard.payload.get("tool_name")))
            if order.act is Act.DENY or (spawns and order.summary_tokens) or Step.NO_TOOLS in order.steps:
                return Spoken(_deny(stop_text(order)), short_wait(order))
            return Spoken(None, short_wait(order))
        return SILENCE

    def standing(self, order: Order) -> dict[str, Payload]:
        """See `Dialect.standing`."""
        return {event: body for event in self.events if (body := _stop(event, order)) is not None}

    def usage_log(self, heard: Heard, key: bytes) -> UsageLog | None:  # noqa: ARG002 - a rollout's tools are not read
        """See `Dialect.usage_log`."""
        return RolloutFollower(Path(heard.log)) if heard.log else None


def _facts(event: str, payload: Payload, at: datetime, key: bytes) -> tuple[Fact, ...]:
    name, arguments = ident(payload.get("tool_name")) or "tool", digest(key, payload.get("tool_input"))
    call, wait = ident(payload.get("tool_use_id")), waits(payload.get("tool_input"))
    match event:
        case "SessionStart" if payload.get("source") != "compact":
            return (Resumed(at),)
        case "SessionEnd":
            return (Paused(at),)
        case "PreToolUse":
            started = ToolStarted(at, name, arguments, "", call, wait)
            kind = ident(mapping(payload.get("tool_input")).get("agent_type"))
            return (started, SubagentSpawned(at, "", kind)) if _SPAWNS.search(name) else (started,)
        case "PostToolUse":
            failed = _failed(payload.get("tool_response"))
            return (ToolFinished(at, name, arguments, failed, "", call, waits=wait),)
    return (Heartbeat(at),)


def _failed(response: object) -> bool:
    """Some tools begin their answer with their exit code; what the others say of failure cannot be told from their output."""
    if isinstance(response, dict):
        return response.get("success") is False or response.get("is_error") is True
    found = _EXIT_CODE.match(response) if isinstance(response, str) else None
    return found is not None and int(found[1]) != 0


def _stop(event: str, order: Order) -> dict[str, Any] | None:
    if event == "UserPromptSubmit":
        return {"decision": "block", "reason": stop_text(order)}
    if event == "PreToolUse":
        return _deny(stop_text(order, CANNOT_END))
    if event == "PostToolUse":
        return {"decision": "block", "reason": stop_text(order, CANNOT_END)}
    return {"systemMessage": stop_text(order)} if event == "SessionStart" else None


def _deny(said: str) -> dict[str, Any]:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": said,
        }
    }
