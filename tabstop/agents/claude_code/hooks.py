"""Claude Code's hooks: what their payloads tell, and which replies really stop, slow or degrade a session.

Which reply does what was tried on Claude Code 2.1.330: `continue: false` ends the turn after PostToolUse, PostToolBatch and, with
a denial, before a tool; a denial alone lets the model go on and pay; at SessionStart and SubagentStart nothing is obeyed.
Inside a subagent `continue: false` ends only the subagent; its parent is stopped at its own next hook.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tabstop.agents.claude_code.following import SessionFollower
from tabstop.agents.claude_code.rows import ident, mapping, text
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
from tabstop.governor.facts import (
    Fact,
    Heartbeat,
    Paused,
    Resumed,
    SubagentEnded,
    SubagentSpawned,
    ToolFinished,
    ToolStarted,
)
from tabstop.governor.orders import Act, Order, Step
from tabstop.verdict import Finding

SPAWNS = frozenset({"Agent", "Task"})
"""The tool that starts a subagent; older versions call it Task."""

_STOPPED_BY_REASON = ("UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "PostToolBatch")
_ALIASES = ("haiku", "sonnet", "opus")
"""What the Agent tool calls models."""


class ClaudeCodeHooks:
    """See `tabstop.agents.dialect.Dialect`."""

    agent = "claude-code"
    events: Mapping[str, int] = {
        "SessionStart": HOOK_SECONDS,
        "UserPromptSubmit": HOOK_SECONDS,
        "PreToolUse": HOOK_SECONDS,
        "PostToolUse": HOOK_SECONDS,
        "PostToolUseFailure": HOOK_SECONDS,
        "PostToolBatch": HOOK_SECONDS,
        "SubagentStart": HOOK_SECONDS,
        "SubagentStop": HOOK_SECONDS,
        "Stop": HOOK_SECONDS,
        "SessionEnd": HOOK_SECONDS,
    }
    firmness = "It is stopped by hooks, at most one model call late."
    ends_turns = True
    can = frozenset({Step.NO_SUBAGENTS, Step.NO_TOOLS, Step.FINISH_SUBTASK})

    def read(self, event: str, payload: Payload, at: datetime, key: bytes) -> Heard:
        """See `Dialect.read`."""
        thread = ident(payload.get("agent_id"))
        return Heard(
            event=event,
            payload=payload,
            session=ident(payload.get("session_id")),
            cwd=text(payload.get("cwd"), 4096),
            thread=thread,
            log=text(payload.get("transcript_path"), 4096),
            facts=_facts(event, payload, thread, at, key),
            call=ident(payload.get("tool_use_id")) if event == "PreToolUse" else "",
        )

    def reply(self, heard: Heard, order: Order, fresh: tuple[Finding, ...], cheaper: Cheaper) -> Spoken:
        """See `Dialect.reply`."""
        if order.act.ends_turn:
            return Spoken(_stop(heard.event, stop_text(order)))
        if heard.event == "UserPromptSubmit":
            if order.summary_tokens:
                return Spoken({"decision": "block", "reason": stop_text(order)})
            return _go_on(heard.event, order, fresh, {})
        if heard.event == "PreToolUse":
            spawns = ident(heard.payload.get("tool_name")) in SPAWNS
            if order.act is Act.DENY or (spawns and order.summary_tokens) or Step.NO_TOOLS in order.steps:
                return Spoken(_deny(stop_text(order)), short_wait(order))
            return _go_on(heard.event, order, fresh, _cheaper_subagent(heard, order, cheaper) if spawns else {})
        return SILENCE

    def standing(self, order: Order) -> dict[str, Payload]:
        """See `Dialect.standing`."""
        return {event: body for event in self.events if (body := _stop(event, stop_text(order))) is not None}

    def usage_log(self, heard: Heard, key: bytes) -> UsageLog | None:
        """See `Dialect.usage_log`."""
        return SessionFollower(Path(heard.log), key) if heard.log else None


def _facts(event: str, payload: Payload, thread: str, at: datetime, key: bytes) -> tuple[Fact, ...]:
    kind = ident(payload.get("agent_type"))
    match event:
        case "SessionStart" if payload.get("source") != "compact":
            return (Resumed(at),)
        case "SessionEnd":
            return (Paused(at),)
        case "PreToolUse":
            name, arguments, call = _tool(payload, key)
            started = ToolStarted(at, name, arguments, thread, call, waits(payload.get("tool_input")))
            if name not in SPAWNS:
                return (started,)
            kind = ident(mapping(payload.get("tool_input")).get("subagent_type"))
            return started, SubagentSpawned(at, "", kind, thread)
        case "PostToolUse":
            name, arguments, call = _tool(payload, key)
            failed = mapping(payload.get("tool_response")).get("is_error") is True
            return (ToolFinished(at, name, arguments, failed, thread, call, waits=waits(payload.get("tool_input"))),)
        case "PostToolUseFailure":
            name, arguments, call = _tool(payload, key)
            # A person who interrupts a tool says nothing about the tool.
            failed = payload.get("is_interrupt") is not True
            return (ToolFinished(at, name, arguments, failed, thread, call, waits=waits(payload.get("tool_input"))),)
        case "SubagentStart" if thread:
            return (SubagentSpawned(at, thread, kind),)
        case "SubagentStop" if thread:
            return (SubagentEnded(at, thread),)
    return (Heartbeat(at),)


def _tool(payload: Payload, key: bytes) -> tuple[str, str, str]:
    """Its name, the digest of its arguments, the id of the call."""
    name = ident(payload.get("tool_name")) or "tool"
    return name, digest(key, payload.get("tool_input")), ident(payload.get("tool_use_id"))


def _stop(event: str, said: str) -> dict[str, Any] | None:
    """The reply that ends the turn at this event; None where none does."""
    if event == "UserPromptSubmit":
        return {"decision": "block", "reason": said}
    if event == "PreToolUse":
        return {"continue": False, "stopReason": said, **_deny(said)}
    if event in _STOPPED_BY_REASON:
        # The reason is shown in a terminal only; the message also stands in the stream that CI keeps.
        return {"continue": False, "stopReason": said, "systemMessage": said}
    # Not obeyed there; people who start or resume the session read it all the same.
    return {"systemMessage": said} if event == "SessionStart" else None


def _deny(said: str) -> dict[str, Any]:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": said,
        }
    }


def _go_on(event: str, order: Order, fresh: tuple[Finding, ...], changed: dict[str, Any]) -> Spoken:
    """Let it go on, after a wait, with what the model and people are to know."""
    said = advice_text(fresh)
    specific = {**changed, **({"additionalContext": said} if said else {})}
    if not specific:
        return Spoken(None, short_wait(order), told=True)
    body: dict[str, Any] = {"hookSpecificOutput": {"hookEventName": event, **specific}}
    if said:
        body["systemMessage"] = said
    return Spoken(body, short_wait(order), told=True)


def _cheaper_subagent(heard: Heard, order: Order, cheaper: Cheaper) -> dict[str, Any]:
    """A subagent begins with an empty cache, so the cheaper model always pays for it. The tool wants its whole input back."""
    asked = heard.payload.get("tool_input")
    if Step.CHEAPER_MODEL not in order.steps or not isinstance(asked, dict):
        return {}
    model = cheaper(ident(asked.get("model")), True)
    alias = next((one for one in _ALIASES if one in model), "")
    if not alias or asked.get("model") == alias:
        return {}
    return {"permissionDecision": "allow", "updatedInput": {**asked, "model": alias}}
