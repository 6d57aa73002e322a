"""OpenAI's Chat Completions API: https://platform.openai.com/docs/api-reference/chat. What many agents and libraries speak."""

from __future__ import annotations

import json

from tabstop.agents.claude_code.rows import ident, mapping
from tabstop.beside.proxy.call import (
    Body,
    Call,
    Change,
    Heard,
    Part,
    ToolResult,
    listed,
    longest,
    newer,
    objects,
    several,
    written,
)
from tabstop.beside.proxy.openai_responses import HIDDEN, IMAGE, arguments_of, error, searches_by_itself, tokens_of
from tabstop.beside.proxy.thinking import least_effort


class OpenAiChat:
    """See `tabstop.beside.proxy.call.Api`."""

    provider = "openai"

    def read(self, path: str, body: Body) -> Call:  # noqa: ARG002 - other vendors name the model there
        """See `Api.read`."""
        messages, tools = listed(body.get("messages"), "messages"), listed(body.get("tools"), "tools")
        rest = {name: value for name, value in body.items() if name not in {"messages", "tools"}}
        searches = body.get("web_search_options") is not None or searches_by_itself(body)
        unbounded = ["web search, which the vendor runs"] if searches else []
        if "audio" in several(body.get("modalities")):
            unbounded.append("an answer that is audio")
        parts = [Part(rest, HIDDEN), *(Part(tool) for tool in tools)]
        parts += (Part(message, _extra(message, unbounded)) for message in messages)
        said = longest(body.get("max_completion_tokens"), "max_completion_tokens")
        options = body.get("stream_options")
        stream = body.get("stream") is True
        return Call(
            model=ident(body.get("model")),
            stream=stream,
            output=longest(body.get("max_tokens"), "max_tokens") if said is None else said,
            copies=max(1, longest(body.get("n"), "n") or 1),
            write="cache_write_5m",
            parts=tuple(parts),
            basis=hash(written([body.get("reasoning_effort")])),
            fresh=newer(messages, lambda message: message.get("role") == "assistant"),
            unbounded=tuple(dict.fromkeys(unbounded)),
            results=_results(messages),
            variants=("priority",) if body.get("service_tier") in (None, "auto", "priority") else (),
            has_tools=bool(tools),
            tells_usage=not stream or (isinstance(options, dict) and options.get("include_usage") is True),
        )

    def change(self, path: str, body: Body, change: Change) -> tuple[str, Body]:
        """See `Api.change`. A request that names `max_tokens` keeps that name: not every server knows the newer one."""
        body = dict(body)
        if change.output is not None:
            body["max_tokens" if body.get("max_tokens") is not None else "max_completion_tokens"] = change.output
            if body.get("max_completion_tokens") is not None:
                body["max_completion_tokens"] = change.output
        if change.model:
            body["model"] = change.model
        if change.no_tools and body.get("tools"):
            body["tool_choice"] = "none"
        if change.little_thinking and (effort := least_effort(str(body.get("model")))):
            body["reasoning_effort"] = effort
        if change.say:
            body["messages"] = [*several(body.get("messages")), {"role": "system", "content": change.say}]
        if change.ask_usage:
            options = body.get("stream_options")
            body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        return path, body

    def reader(self) -> ChatReader:
        """See `Api.reader`."""
        return ChatReader()

    def error(self, status: int, sentence: str) -> Body:
        """See `Api.error`."""
        return error(status, sentence)

    def error_event(self, sentence: str) -> bytes:
        """See `Api.error_event`."""
        return f"data: {json.dumps(error(500, sentence))}\n\n".encode()


def is_usage_only(event: Body) -> bool:
    """Whether this event of a stream is there only because usage was asked for."""
    return event.get("choices") == [] and isinstance(event.get("usage"), dict)


class ChatReader:
    """See `tabstop.beside.proxy.call.Reader`."""

    def __init__(self) -> None:
        """Nothing is heard yet."""
        self.heard = Heard()

    def event(self, event: Body) -> None:
        """See `Reader.event`. The usage comes in a chunk of its own, or in the last one."""
        self._read(event, "delta")
        if "error" in event:
            self.heard.error = "error"

    def whole(self, answer: Body) -> None:
        """See `Reader.whole`."""
        if "choices" in answer:
            self._read(answer, "message")

    def _read(self, answer: Body, name: str) -> None:
        heard = self.heard
        heard.model = ident(answer.get("model")) or heard.model
        if one := ident(answer.get("id")):
            heard.known_as(f"openai:chat:{one}")
        tier = answer.get("service_tier")
        heard.variant = tier if tier in ("flex", "priority") else heard.variant
        for choice in objects(answer.get("choices")):
            message = choice.get(name)
            if isinstance(message, dict):
                heard.say(message.get("content"))
                for tool in objects(message.get("tool_calls")):
                    heard.wants(tool.get("id"))
        if (tokens := tokens_of(answer.get("usage"), "prompt_tokens", "completion_tokens")) is not None:
            heard.tokens, heard.cache_split_known = tokens, not tokens.cache_write_5m
            heard.complete = True


def _extra(message: Body, unbounded: list[str]) -> int:
    extra = 0
    if mapping(message.get("audio")).get("id"):
        unbounded.append("an earlier answer that is audio")
    for content in listed(message.get("content"), "content"):
        kind = content.get("type")
        if kind == "image_url":
            extra += IMAGE
        elif kind in ("file", "input_audio"):
            unbounded.append("a file" if kind == "file" else "audio")
    return extra


def _results(messages: list[Body]) -> tuple[ToolResult, ...]:
    """Results since the model's last answer. What a failed tool says differs from agent to agent, so none counts as failed."""
    last = next(
        (number for number in range(len(messages) - 1, -1, -1) if messages[number].get("role") == "assistant"), -1
    )
    if last < 0:
        return ()
    asked = {str(call.get("id")): call.get("function") for call in objects(messages[last].get("tool_calls"))}
    found = []
    for message in messages[last + 1 :]:
        use = asked.get(str(message.get("tool_call_id"))) if message.get("role") == "tool" else None
        if isinstance(use, dict):
            found.append(
                ToolResult(ident(message.get("tool_call_id")), ident(use.get("name")) or "tool", arguments_of(use))
            )
    return tuple(found)
