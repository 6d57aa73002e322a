"""Gemini CLI's hooks: what their payloads tell, and how they are obeyed.

Tried on Gemini CLI 0.61: `continue: false` before a model call or a tool stops at once; a model named before a model call
replaces the session's for that call; AfterModel tells what a call used, without what of it was cached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tabstop.agents.claude_code.rows import RowError, count, ident, mapping, moment, text
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
from tabstop.evidence import Evidence
from tabstop.governor.facts import Fact, Heartbeat, Paused, Resumed, ToolFinished, ToolStarted
from tabstop.governor.orders import Act, Order, Step
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Finding

AGENT = "gemini-cli"

TOLD_BY_HOOKS = "google:hook:"
"""How the keys of answers begin that hooks told."""

_EXIT_CODE = re.compile(r"^Exit Code: (?!0$)\d+$", re.MULTILINE)
_CALLS_KEPT = 64
_STOPPING = ("BeforeAgent", "BeforeModel", "BeforeTool")


@dataclass(frozen=True, slots=True)
class _Call:
    """A model call that was begun. model: the one it was switched to; empty when it was not."""

    began: str
    model: str = ""


class GeminiHooks:
    """See `tabstop.agents.dialect.Dialect`. One for each session: it remembers the calls that were begun."""

    agent = AGENT
    events: Mapping[str, int] = {
        "SessionStart": HOOK_SECONDS,
        "BeforeAgent": HOOK_SECONDS,
        "BeforeModel": HOOK_SECONDS,
        "AfterModel": HOOK_SECONDS,
        "BeforeTool": HOOK_SECONDS,
        "AfterTool": HOOK_SECONDS,
        "SessionEnd": HOOK_SECONDS,
    }
    firmness = "It is stopped by hooks before its next model call."
    ends_turns = True
    can = frozenset({Step.CHEAPER_MODEL, Step.NO_TOOLS})

    def __init__(self) -> None:
        """No call has begun."""
        self._calls: dict[str, _Call] = {}
        self._key = b""

    def read(self, event: str, payload: Payload, at: datetime, key: bytes) -> Heard:
        """See `Dialect.read`."""
        self._key = key
        session = ident(payload.get("session_id"))
        usages: tuple[Usage, ...] = ()
        if event == "BeforeModel":
            # The same request sent again is another call: what tells them apart is when each began.
            self._remember(payload, _Call(ident(payload.get("timestamp"))))
        elif event == "AfterModel":
            usages = self._usage(payload, session, at)
        return Heard(
            event=event,
            payload=payload,
            session=session,
            cwd=text(payload.get("cwd"), 4096),
            facts=_facts(event, payload, at, key),
            usages=usages,
        )

    def reply(self, heard: Heard, order: Order, fresh: tuple[Finding, ...], cheaper: Cheaper) -> Spoken:
        """See `Dialect.reply`. After a model call nothing is stopped: its answer is paid, and people may want to read it."""
        event = heard.event
        if order.act.ends_turn:
            return Spoken(_stop(event, stop_text(order)))
        if event == "BeforeAgent":
            if order.summary_tokens:
                return Spoken(_stop(event, stop_text(order)))
            said = advice_text(fresh)
            context = {"hookEventName": event, "additionalContext": said}
            body = {"hookSpecificOutput": context, "systemMessage": said} if said else None
            return Spoken(body, short_wait(order), told=True)
        if event == "BeforeModel":
            body = self._switch(heard.payload, cheaper) if Step.CHEAPER_MODEL in order.steps else None
            return Spoken(body, short_wait(order))
        if event == "BeforeTool":
            denied = order.act is Act.DENY or Step.NO_TOOLS in order.steps
            return Spoken({"decision": "deny", "reason": stop_text(order)} if denied else None, short_wait(order))
        return SILENCE

    def standing(self, order: Order) -> dict[str, Payload]:
        """See `Dialect.standing`."""
        return {event: body for event in self.events if (body := _stop(event, stop_text(order))) is not None}

    def usage_log(self, heard: Heard, key: bytes) -> UsageLog | None:  # noqa: ARG002 - AfterModel tells it all
        """See `Dialect.usage_log`."""
        return None

    def _which(self, payload: Payload) -> str:
        return digest(self._key, mapping(payload.get("llm_request")).get("messages"))[:32]

    def _remember(self, payload: Payload, call: _Call) -> None:
        which = self._which(payload)
        self._calls.pop(which, None)
        self._calls[which] = call
        if len(self._calls) > _CALLS_KEPT:
            del self._calls[next(iter(self._calls))]

    def _switch(self, payload: Payload, cheaper: Cheaper) -> dict[str, Any] | None:
        model = cheaper(ident(mapping(payload.get("llm_request")).get("model")), False)
        if not model:
            return None
        self._remember(payload, _Call(ident(payload.get("timestamp")), model))
        return {"hookSpecificOutput": {"hookEventName": "BeforeModel", "llm_request": {"model": model}}}

    def _usage(self, payload: Payload, session: str, at: datetime) -> tuple[Usage, ...]:
        """A streamed answer is told in parts, each with all it has used so far: one key, growing."""
        used = mapping(mapping(payload.get("llm_response")).get("usageMetadata"))
        which = self._which(payload)
        call = self._calls.get(which, _Call(""))
        try:
            tokens = read_tokens(used)
        except RowError:
            return ()
        model = call.model or ident(mapping(payload.get("llm_request")).get("model"))
        if not tokens.total or not model:
            return ()
        key = f"{TOLD_BY_HOOKS}{session}/{which}/{call.began}"
        occurred = moment(payload.get("timestamp")) or at
        where = Evidence(folder=text(payload.get("cwd"), 4096))
        return (Usage((key,), model, tokens, occurred, AGENT, session, cache_split_known=False, evidence=where),)


def read_tokens(used: Mapping[str, Any]) -> Tokens:
    """What of the prompt was read from the cache is not told, so all of it counts as input. Raises `RowError`.

    The total holds the thoughts, which are billed as output; candidates alone leave them out.
    """
    prompt, candidates = count(dict(used), "promptTokenCount"), count(dict(used), "candidatesTokenCount")
    return Tokens(input=prompt, output=max(candidates, count(dict(used), "totalTokenCount") - prompt))


def _facts(event: str, payload: Payload, at: datetime, key: bytes) -> tuple[Fact, ...]:
    name, arguments = ident(payload.get("tool_name")) or "tool", digest(key, payload.get("tool_input"))
    wait = waits(payload.get("tool_input"))
    match event:
        case "SessionStart":
            return (Resumed(at),)
        case "SessionEnd":
            return (Paused(at),)
        case "BeforeTool":
            return (ToolStarted(at, name, arguments, waits=wait),)
        case "AfterTool":
            failed = _failed(mapping(payload.get("tool_response")))
            return (ToolFinished(at, name, arguments, failed, waits=wait),)
    return (Heartbeat(at),)


def _failed(response: Mapping[str, Any]) -> bool:
    said = response.get("llmContent")
    return bool(response.get("error")) or (isinstance(said, str) and _EXIT_CODE.search(said) is not None)


def _stop(event: str, said: str) -> dict[str, Any] | None:
    if event in _STOPPING:
        return {"continue": False, "stopReason": said, "decision": "deny", "reason": said}
    return {"systemMessage": said} if event == "SessionStart" else None
