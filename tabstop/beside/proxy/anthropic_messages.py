"""Anthropic's Messages API: https://docs.anthropic.com/en/api/messages. What Claude Code and OpenCode speak."""

from __future__ import annotations

import json
from typing import Any

from tabstop.agents.claude_code.rows import RowError, count, ident, mapping
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
    positive,
    several,
    written,
)
from tabstop.beside.proxy.thinking import always_thinks, without_thinking
from tabstop.usage import Tokens

IMAGE = 5_000
"""Tokens of the largest image, once it is scaled down; a small file may hold one."""

HIDDEN = 2_000
"""Tokens of instructions that the vendor puts before a prompt with tools, and its own words around messages, at most."""

BUILT_IN_TOOL = 1_500
"""Tokens of a tool that the vendor describes to the model itself, such as `bash_20250124`, at most."""

_CLIENT_TOOLS = ("bash_", "text_editor_", "computer_", "memory_")
"""Tools by Anthropic that run at the client; all others run at the vendor, unseen. So does its own search for tools: each round of
it reads the prompt again (https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool).
"""


class AnthropicMessages:
    """See `tabstop.beside.proxy.call.Api`."""

    provider = "anthropic"

    def read(self, path: str, body: Body) -> Call:  # noqa: ARG002 - other vendors name the model there
        """See `Api.read`."""
        messages, tools = listed(body.get("messages"), "messages"), listed(body.get("tools"), "tools")
        thinking = positive(mapping(body.get("thinking")).get("budget_tokens"))
        model = ident(body.get("model"))
        unbounded = _unbounded_tools(body, tools)
        lifetimes: set[str] = set()
        parts = _parts(body, messages, tools, unbounded, lifetimes)
        return Call(
            model=model,
            stream=body.get("stream") is True,
            output=longest(body.get("max_tokens"), "max_tokens"),
            thinking=thinking,
            least_thinking=thinking if always_thinks(model) else 0,
            write="cache_write_1h" if "1h" in lifetimes else "cache_write_5m" if lifetimes else "input",
            parts=parts,
            basis=hash(written([body.get("thinking"), body.get("context_management")])),
            fresh=newer(messages, lambda message: message.get("role") == "assistant"),
            unbounded=tuple(dict.fromkeys(unbounded)),
            results=_results(messages),
            variants=_variants(body),
            has_tools=bool(tools),
        )

    def change(self, path: str, body: Body, change: Change) -> tuple[str, Body]:
        """See `Api.change`. Tools stay listed: the API wants them where the conversation used any, and they are cached."""
        body = dict(body)
        if change.output is not None:
            body["max_tokens"] = change.output
        if change.model:
            body["model"] = change.model
        if change.no_tools and body.get("tools"):
            body["tool_choice"] = {"type": "none"}
        if change.little_thinking:
            body = without_thinking(body)
        if change.say:
            _say(body, change.say)
        return path, body

    def reader(self) -> MessageReader:
        """See `Api.reader`."""
        return MessageReader()

    def error(self, status: int, sentence: str) -> Body:
        """See `Api.error`. Claude Code ends its turn at a 400 and shows the sentence; it asks to log in at 401 and 403."""
        kind = "invalid_request_error" if status < 500 else "api_error"
        return {"type": "error", "error": {"type": kind, "message": sentence}}

    def error_event(self, sentence: str) -> bytes:
        """See `Api.error_event`."""
        return f"event: error\ndata: {json.dumps(self.error(500, sentence))}\n\n".encode()


class MessageReader:
    """See `tabstop.beside.proxy.call.Reader`."""

    def __init__(self) -> None:
        """Nothing is heard yet."""
        self.heard = Heard()
        self._used: dict[str, Any] = {}

    def event(self, event: Body) -> None:
        """See `Reader.event`. `message_start` tells the input, `message_delta` the rest, each so far."""
        match event.get("type"):
            case "message_start" if isinstance(message := event.get("message"), dict):
                self._head(message)
                self._usage(message.get("usage"))
                self.heard.began = _readable(self._used)
            case "content_block_start" if isinstance(block := event.get("content_block"), dict):
                self._block(block)
            case "content_block_delta" if isinstance(delta := event.get("delta"), dict):
                self.heard.say(delta.get("text"))
            case "message_delta":
                self._usage(event.get("usage"))
                self._cleared(event.get("context_management"))
                if isinstance(event.get("usage"), dict) and "output_tokens" in event["usage"]:
                    self._told()
            case "message_stop":
                self.heard.complete = True
            case "error":
                error = event.get("error")
                self.heard.error = ident(error.get("type")) if isinstance(error, dict) else "error"

    def whole(self, answer: Body) -> None:
        """See `Reader.whole`."""
        if answer.get("type") != "message":
            return
        self._head(answer)
        self._usage(answer.get("usage"))
        self._cleared(answer.get("context_management"))
        for block in objects(answer.get("content")):
            self._block(block)
        if "output_tokens" in self._used:
            self._told()
        self.heard.complete = True

    def _head(self, message: Body) -> None:
        self.heard.model = ident(message.get("model"))
        if one := ident(message.get("id")):
            self.heard.known_as(f"anthropic:msg:{one}")

    def _block(self, block: Body) -> None:
        self.heard.say(block.get("text"))
        if block.get("type") == "tool_use":
            self.heard.wants(block.get("id"))

    def _usage(self, used: object) -> None:
        if isinstance(used, dict):
            self._used.update({name: value for name, value in used.items() if value is not None})

    def _told(self) -> None:
        heard, used = self.heard, self._used
        heard.tokens = _readable(used)
        heard.cache_split_known = bool(used.get("cache_creation")) or not used.get("cache_creation_input_tokens")
        heard.web_searches = positive(mapping(used.get("server_tool_use")).get("web_search_requests"))
        tier = used.get("service_tier")
        heard.variant = (
            "fast"
            if used.get("speed") == "fast"
            else tier
            if tier in ("batch", "priority")
            else "us"
            if used.get("inference_geo") == "us"
            else ""
        )

    def _cleared(self, managed: object) -> None:
        if isinstance(managed, dict):
            edits = objects(managed.get("applied_edits"))
            self.heard.cleared = sum(positive(edit.get("cleared_input_tokens")) for edit in edits)


def _tokens(used: Body) -> Tokens:
    """What the answer itself used, and what compacting at the vendor used besides, which the sums leave out. Raises `RowError`."""
    split = mapping(used.get("cache_creation"))
    five, hour = count(split, "ephemeral_5m_input_tokens"), count(split, "ephemeral_1h_input_tokens")
    untold = max(0, count(used, "cache_creation_input_tokens") - five - hour)
    tokens = Tokens(
        input=count(used, "input_tokens"),
        cache_read=count(used, "cache_read_input_tokens"),
        cache_write_5m=five + untold,
        cache_write_1h=hour,
        output=count(used, "output_tokens"),
    )
    for step in objects(used.get("iterations")):
        if step.get("type") == "compaction":
            tokens += _tokens({name: value for name, value in step.items() if name != "iterations"})
    return tokens


def _readable(used: Body) -> Tokens | None:
    """None for counts that are none: what they stand for is not known then."""
    try:
        tokens = _tokens(used)
    except RowError:
        return None
    return tokens if tokens.total else None


def _parts(
    body: Body, messages: list[Body], tools: list[Body], unbounded: list[str], lifetimes: set[str]
) -> tuple[Part, ...]:
    system = body.get("system")
    blocks = listed(system or None, "system")
    rest = {name: value for name, value in body.items() if name not in {"messages", "tools", "system"}}
    found = [Part(_plain(rest, lifetimes), HIDDEN)]
    found += (Part(_plain(block, lifetimes)) for block in blocks)
    found += (Part(_plain(tool, lifetimes), BUILT_IN_TOOL if _is_built_in(tool) else 0) for tool in tools)
    found += (Part(_plain(message, lifetimes), _extra(message, unbounded)) for message in messages)
    return tuple(found)


def _plain(value: Body, lifetimes: set[str]) -> Body:
    """Without marks for the cache, which move from message to message and are no tokens; their lifetimes are kept."""
    for name in ("content", "source"):
        inner = value.get(name)
        if isinstance(inner, list | dict):
            found = [_plain(one, lifetimes) if isinstance(one, dict) else one for one in several(inner)]
            if found != several(inner):
                value = {**value, name: found if isinstance(inner, list) else found[0]}
    if "cache_control" in value:
        mark = value["cache_control"]
        if isinstance(mark, dict):
            lifetimes.add(str(mark.get("ttl") or "5m"))
        return {name: one for name, one in value.items() if name != "cache_control"}
    return value


def _extra(message: Body, unbounded: list[str]) -> int:
    """Tokens of a message that its bytes do not show; what cannot be bounded goes to `unbounded`."""
    extra = 0
    for block in listed(message.get("content"), "content"):
        match block.get("type"):
            case "image":
                extra += IMAGE
                if _source(block) == "file":
                    unbounded.append("a file by its id")
            case "document" if (kind := _source(block)) == "content":
                source = mapping(block.get("source"))
                extra += _extra(source, unbounded)
                if any(_source(one) == "url" for one in objects(source.get("content"))):
                    unbounded.append("a document with an image by its URL")
            case "document" if kind != "text":
                unbounded.append(
                    "a document by its URL" if kind == "url" else "a file by its id" if kind == "file" else "a PDF"
                )
            case "container_upload":
                unbounded.append("a file by its id")
        extra += _extra(block, unbounded)
    return extra


def _source(block: Body) -> object:
    source = block.get("source")
    return source.get("type") if isinstance(source, dict) else ""


def _unbounded_tools(body: Body, tools: list[Body]) -> list[str]:
    found = [
        f"the tool {ident(tool.get('type'))}, which the vendor runs"
        for tool in tools
        if _is_built_in(tool) and not str(tool.get("type")).startswith(_CLIENT_TOOLS)
    ]
    if body.get("mcp_servers"):
        found.append("MCP servers that the vendor asks")
    if mapping(body.get("container")).get("skills"):
        found.append("skills that the vendor runs")
    edits = objects(mapping(body.get("context_management")).get("edits"))
    if any(str(edit.get("type")).startswith("compact") for edit in edits):
        found.append("compaction at the vendor")
    return found


def _is_built_in(tool: Body) -> bool:
    return tool.get("type") not in (None, "custom")


def _variants(body: Body) -> tuple[str, ...]:
    found = []
    if body.get("speed") == "fast":
        found.append("fast")
    if body.get("inference_geo") == "us":
        found.append("us")
    if body.get("service_tier") in (None, "auto"):
        found.append("priority")
    return tuple(found)


def _results(messages: list[Body]) -> tuple[ToolResult, ...]:
    """Results since the model's last answer; what was asked is looked up in the conversation itself."""
    last = next(
        (number for number in range(len(messages) - 1, -1, -1) if messages[number].get("role") == "assistant"), -1
    )
    if last < 0:
        return ()
    asked = {
        str(block.get("id")): block
        for block in objects(messages[last].get("content"))
        if block.get("type") == "tool_use"
    }
    found = []
    for message in messages[last + 1 :]:
        for block in objects(message.get("content")):
            use = asked.get(str(block.get("tool_use_id"))) if block.get("type") == "tool_result" else None
            if use is not None:
                call, name = ident(block.get("tool_use_id")), ident(use.get("name")) or "tool"
                found.append(ToolResult(call, name, use.get("input"), block.get("is_error") is True))
    return tuple(found)


def _say(body: Body, line: str) -> None:
    """Behind everything else, so that what is cached stays so; results come first in a message, says the API."""
    messages = list(listed(body.get("messages"), "messages"))
    block = {"type": "text", "text": line}
    if messages and messages[-1].get("role") == "user":
        content = messages[-1].get("content")
        before = [{"type": "text", "text": content}] if isinstance(content, str) else several(content)
        messages[-1] = {**messages[-1], "content": [*before, block]}
    else:
        messages.append({"role": "user", "content": [block]})
    body["messages"] = messages
