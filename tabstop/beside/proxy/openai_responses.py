"""OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses. What Codex speaks."""

from __future__ import annotations

import json
import re
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
    several,
    written,
)
from tabstop.beside.proxy.thinking import least_effort
from tabstop.usage import Tokens

IMAGE = 50_000
"""Tokens of the largest image on the dearest of all models' scales."""

HIDDEN = 2_000
"""Tokens of the vendor's own words around a prompt and its tools, at most."""

BUILT_IN_TOOL = 2_000

_AT_THE_CLIENT = frozenset({"function", "custom", "local_shell", "apply_patch"})
"""Tools that run where the request comes from; all others run at the vendor, unseen."""

_ELSEWHERE = {
    "conversation": "a conversation kept by the vendor",
    "prompt": "a prompt kept by the vendor",
    "background": "an answer that is fetched later",
}
_SEARCHES = re.compile(r"\bgpt-\S*-search(?:-|$)")
_EXIT_CODE = re.compile(r"\s*(?:Exit code:|Process exited with code) (\d+)")


class OpenAiResponses:
    """See `tabstop.beside.proxy.call.Api`."""

    provider = "openai"

    def read(self, path: str, body: Body) -> Call:
        """See `Api.read`. `…/responses/compact` is such a call too; the length of its answer cannot be set."""
        items = body.get("input")
        items = [{"role": "user", "content": items}] if isinstance(items, str) else listed(items, "input")
        tools = listed(body.get("tools"), "tools")
        rest = {name: value for name, value in body.items() if name not in {"input", "tools", "instructions"}}
        unbounded = [what for name, what in _ELSEWHERE.items() if body.get(name)]
        if searches_by_itself(body):
            unbounded.append("web search, which the vendor runs")
        if any(str(edit.get("type")).startswith("compact") for edit in objects(body.get("context_management"))):
            unbounded.append("compaction at the vendor")
        unbounded += (
            f"the tool {ident(tool.get('type'))}, which the vendor runs" for tool in tools if not _at_the_client(tool)
        )
        parts = [Part(rest, HIDDEN), Part(body.get("instructions") or "")]
        parts += (Part(tool, 0 if str(tool.get("type")) in {"function", "custom"} else BUILT_IN_TOOL) for tool in tools)
        parts += (Part(item, _extra(item, unbounded)) for item in items)
        tier = body.get("service_tier")
        return Call(
            model=ident(body.get("model")),
            stream=body.get("stream") is True,
            output=longest(body.get("max_output_tokens"), "max_output_tokens"),
            write="cache_write_5m",
            parts=tuple(parts),
            basis=hash(written([body.get("reasoning"), body.get("truncation"), body.get("previous_response_id")])),
            fresh=newer(items, _by_the_model),
            unbounded=tuple(dict.fromkeys(unbounded)),
            results=_results(items),
            after=ident(body.get("previous_response_id")),
            variants=("priority",) if tier in (None, "auto", "priority") else (),
            has_tools=bool(tools),
            can_be_shortened=not path.rstrip("/").endswith("/compact"),
        )

    def change(self, path: str, body: Body, change: Change) -> tuple[str, Body]:
        """See `Api.change`."""
        body = dict(body)
        if change.output is not None:
            body["max_output_tokens"] = change.output
        if change.model:
            body["model"] = change.model
        if change.no_tools and body.get("tools"):
            body["tool_choice"] = "none"
        if change.little_thinking and (effort := least_effort(str(body.get("model")))):
            body["reasoning"] = {**mapping(body.get("reasoning")), "effort": effort}
        if change.say:
            items = body.get("input")
            before = [{"role": "user", "content": items}] if isinstance(items, str) else several(items)
            content = [{"type": "input_text", "text": change.say}]
            body["input"] = [*before, {"type": "message", "role": "developer", "content": content}]
        return path, body

    def reader(self) -> ResponseReader:
        """See `Api.reader`."""
        return ResponseReader()

    def error(self, status: int, sentence: str) -> Body:
        """See `Api.error`."""
        return error(status, sentence)

    def error_event(self, sentence: str) -> bytes:
        """See `Api.error_event`."""
        told = {"type": "error", **error(500, sentence)["error"]}
        return f"event: error\ndata: {json.dumps(told)}\n\n".encode()


class ResponseReader:
    """See `tabstop.beside.proxy.call.Reader`."""

    def __init__(self) -> None:
        """Nothing is heard yet."""
        self.heard = Heard()

    def event(self, event: Body) -> None:
        """See `Reader.event`."""
        kind = event.get("type")
        response = event.get("response")
        if isinstance(response, dict):
            self._head(response)
        if kind == "response.output_text.delta":
            self.heard.say(event.get("delta"))
        elif kind == "response.output_item.done" and isinstance(item := event.get("item"), dict):
            self._item(item)
        elif kind in ("response.completed", "response.incomplete", "response.failed") and isinstance(response, dict):
            self._told(response.get("usage"))
            self.heard.complete = True
            self._error(response.get("error"))
        elif kind == "error":
            self._error(event)

    def whole(self, answer: Body) -> None:
        """See `Reader.whole`."""
        if answer.get("object") not in ("response", "response.compaction") and "output" not in answer:
            return
        self._head(answer)
        for item in objects(answer.get("output")):
            self._item(item)
            for content in objects(item.get("content")):
                self.heard.say(content.get("text"))
        self._told(answer.get("usage"))
        self._error(answer.get("error"))
        self.heard.complete = answer.get("status") not in ("queued", "in_progress")

    def _head(self, response: Body) -> None:
        self.heard.model = ident(response.get("model")) or self.heard.model
        if one := ident(response.get("id")):
            self.heard.known_as(f"openai:resp:{one}")
        tier = response.get("service_tier")
        self.heard.variant = tier if tier in ("flex", "priority") else ""

    def _item(self, item: Body) -> None:
        kind = item.get("type")
        if kind == "web_search_call":
            self.heard.web_searches += 1
        elif kind in ("function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call"):
            self.heard.wants(item.get("call_id"))

    def _told(self, used: object) -> None:
        self.heard.tokens = tokens_of(used, "input_tokens", "output_tokens")
        self.heard.cache_split_known = not (self.heard.tokens and self.heard.tokens.cache_write_5m)

    def _error(self, error: object) -> None:
        if isinstance(error, dict):
            self.heard.error = ident(error.get("code")) or ident(error.get("type")) or "error"


def error(status: int, sentence: str) -> Body:
    """An error as OpenAI tells it. Codex ends its turn at a 400, and tries other codes again."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    code = "tabstop_refused" if status < 500 else "tabstop_upstream"
    return {"error": {"message": sentence, "type": kind, "param": None, "code": code}}


def searches_by_itself(body: Body) -> bool:
    """Whether it asks a model that searches the web unasked, such as `gpt-4o-search-preview`
    (https://platform.openai.com/docs/guides/tools-web-search).
    """
    return _SEARCHES.search(ident(body.get("model")).lower()) is not None


def tokens_of(used: object, prompt: str, output: str) -> Tokens | None:
    """OpenAI's prompt holds what was read from and written to the cache; its output holds the reasoning.

    prompt, output: what the counts are called. None where there are none, or what stands there is no count.
    """
    row = mapping(used)
    details = mapping(row.get(f"{prompt}_details"))
    try:
        cached, written_to = count(details, "cached_tokens"), count(details, "cache_write_tokens")
        tokens = Tokens(
            input=max(0, count(row, prompt) - cached - written_to),
            cache_read=cached,
            cache_write_5m=written_to,
            output=count(row, output),
        )
    except RowError:
        return None
    return tokens if tokens.total else None


def _at_the_client(tool: Body) -> bool:
    """Whether it runs where the request comes from: OpenAI also runs a shell of its own, and searches for tools itself unless told
    not to (https://platform.openai.com/docs/guides/tools).
    """
    match tool.get("type"):
        case "shell":
            return not str(mapping(tool.get("environment")).get("type")).startswith("container")
        case "tool_search":
            return tool.get("execution") == "client"
        case "namespace":
            return all(_at_the_client(one) for one in objects(tool.get("tools")))
    return str(tool.get("type")) in _AT_THE_CLIENT


def _kept_by_the_vendor(item: Body) -> bool:
    """An item that only names what the vendor has kept."""
    match item.get("type"):
        case "item_reference":
            return True
        case "reasoning":
            return bool(item.get("id")) and not item.get("encrypted_content")
        case "image_generation_call":
            return bool(item.get("id")) and not item.get("result")
    return False


def _extra(item: Body, unbounded: list[str]) -> int:
    """Tokens of an item that its bytes do not show; what cannot be bounded goes to `unbounded`."""
    if _kept_by_the_vendor(item):
        unbounded.append("an item kept by the vendor")
    extra = 0
    for content in [*listed(item.get("content"), "content"), *objects(item.get("output"))]:
        kind = content.get("type")
        if kind in ("input_image", "computer_screenshot"):
            extra += IMAGE
            if content.get("file_id"):
                unbounded.append("a file by its id")
        elif kind == "input_file":
            unbounded.append("a file")
        elif kind == "input_audio":
            unbounded.append("audio")
    return extra


def _results(items: list[Body]) -> tuple[ToolResult, ...]:
    """Results at the end of the conversation, with the calls they answer."""
    asked = {str(item.get("call_id")): item for item in items if _asks(item)}
    found: list[ToolResult] = []
    for item in reversed(items):
        if not str(item.get("type")).endswith("_output"):
            if _by_the_model(item):
                break
            continue
        call = ident(item.get("call_id"))
        use = asked.get(str(item.get("call_id")), {})
        name = ident(use.get("name")) or str(item.get("type")).removesuffix("_call_output").removesuffix("_output")
        found.append(ToolResult(call, name, arguments_of(use), _failed(item.get("output"))))
    return tuple(reversed(found))


def _asks(item: Body) -> bool:
    return str(item.get("type")).endswith("_call") and bool(item.get("call_id"))


def _by_the_model(item: Body) -> bool:
    return _asks(item) or item.get("role") == "assistant" or item.get("type") == "reasoning"


def arguments_of(use: Body) -> object:
    """A call's arguments. They come as text; equal arguments in other spelling are the same."""
    for name in ("arguments", "input", "action", "operation"):
        given: Any = use.get(name)
        if isinstance(given, str):
            try:
                return json.loads(given)
            except (ValueError, RecursionError):
                return given
        if given is not None:
            return given
    return None


def _failed(output: object) -> bool:
    """Codex's tools begin their answer with their exit code."""
    if isinstance(output, dict):
        return output.get("success") is False
    if isinstance(output, list):
        output = next((one.get("text") for one in objects(output) if isinstance(one.get("text"), str)), "")
    found = _EXIT_CODE.search(output[:400]) if isinstance(output, str) else None
    return found is not None and int(found[1]) != 0
