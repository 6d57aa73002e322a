"""What a fake model answers, in the shape of each vendor's API: whole, or as the events of a stream."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Used:
    """Tokens of one answer, by kind; reasoning is part of the output, but for Gemini, where it comes on top."""

    input: int = 10
    write_5m: int = 0
    write_1h: int = 0
    read: int = 0
    output: int = 150
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        return self.input + self.write_5m + self.write_1h + self.read


@dataclass(frozen=True)
class Step:
    """One answer. tools: (name, input). status other than 200: an error of this type instead. then: after one such error.

    hangs: after so many events of the stream, nothing more is said.
    """

    text: str = ""
    tools: tuple[tuple[str, Any], ...] = ()
    custom: tuple[tuple[str, str], ...] = ()
    used: Used = field(default_factory=Used)
    status: int = 200
    error: str = ""
    then: Step | None = None
    hangs: int | None = None


_numbers = itertools.count(1)


def new_id(prefix: str) -> str:
    return f"{prefix}{next(_numbers):024x}"


def anthropic(request: Json, step: Step) -> tuple[Json, list[Json]]:
    used = step.used
    usage = {
        "input_tokens": used.input,
        "cache_creation_input_tokens": used.write_5m + used.write_1h,
        "cache_read_input_tokens": used.read,
        "cache_creation": {"ephemeral_5m_input_tokens": used.write_5m, "ephemeral_1h_input_tokens": used.write_1h},
        "output_tokens": used.output,
        "service_tier": "standard",
    }
    content: list[Json] = [{"type": "text", "text": step.text}] if step.text or not step.tools else []
    content += [
        {"type": "tool_use", "id": new_id("toolu_"), "name": name, "input": given} for name, given in step.tools
    ]
    stop = "tool_use" if step.tools else "end_turn"
    message = {
        "id": new_id("msg_"), "type": "message", "role": "assistant", "model": request.get("model"),
        "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    start = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(content):
        empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        delta = (
            {"type": "text_delta", "text": block["text"]}
            if block["type"] == "text"
            else {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        )
        events += [
            {"type": "content_block_start", "index": index, "content_block": empty},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    ended = {"stop_reason": stop, "stop_sequence": None}
    events += [{"type": "message_delta", "delta": ended, "usage": usage}, {"type": "message_stop"}]
    return message, events


def responses(request: Json, step: Step) -> tuple[Json, list[Json]]:
    used = step.used
    items: list[Json] = []
    if step.text:
        text = {"type": "output_text", "text": step.text, "annotations": []}
        items.append(
            {"type": "message", "id": new_id("msg_"), "role": "assistant", "status": "completed", "content": [text]}
        )
    for name, given in step.tools:
        space, _, own_name = name.rpartition(".")
        call = {
            "type": "function_call",
            "id": new_id("fc_"),
            "call_id": new_id("call_"),
            "name": own_name,
            "status": "completed",
            **({"namespace": space} if space else {}),
        }
        items.append({**call, "arguments": json.dumps(given)})
    for name, given in step.custom:
        call = {
            "type": "custom_tool_call",
            "id": new_id("ctc_"),
            "call_id": new_id("call_"),
            "name": name,
            "input": given,
        }
        items.append({**call, "status": "completed"})
    usage = {
        "input_tokens": used.prompt,
        "input_tokens_details": {"cached_tokens": used.read},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.prompt + used.output,
    }
    base = {"id": new_id("resp_"), "object": "response", "created_at": 1, "model": request.get("model")}
    whole = {**base, "status": "completed", "output": items, "usage": usage}
    events: list[Json] = [{"type": "response.created", "response": {**base, "status": "in_progress", "output": []}}]
    for index, item in enumerate(items):
        events.append(
            {"type": "response.output_item.added", "output_index": index, "item": {**item, "status": "in_progress"}}
        )
        if item["type"] == "message":
            place = {"item_id": item["id"], "output_index": index, "content_index": 0}
            events.append({"type": "response.output_text.delta", **place, "delta": step.text})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return whole, events


def chat(request: Json, step: Step) -> tuple[Json, list[Json]]:
    used = step.used
    usage = {
        "prompt_tokens": used.prompt,
        "completion_tokens": used.output,
        "total_tokens": used.prompt + used.output,
        "prompt_tokens_details": {"cached_tokens": used.read},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
    }
    calls = [
        {
            "index": i,
            "id": new_id("call_"),
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(given)},
        }
        for i, (name, given) in enumerate(step.tools)
    ]
    message: Json = {"role": "assistant", "content": step.text or None, **({"tool_calls": calls} if calls else {})}
    base = {"id": new_id("chatcmpl-"), "created": 1, "model": request.get("model")}
    why = "tool_calls" if calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": why}
    whole = {**base, "object": "chat.completion", "usage": usage, "choices": [choice]}
    base["object"] = "chat.completion.chunk"
    events: list[Json] = [
        {**base, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": why}]},
    ]
    if (request.get("stream_options") or {}).get("include_usage"):
        events.append({**base, "choices": [], "usage": usage})
    return whole, events


def gemini(request: Json, step: Step) -> tuple[Json, list[Json]]:
    used = step.used
    config = request.get("generationConfig") or {}
    text = step.text
    if schema := config.get("responseJsonSchema"):  # the client's own side questions want JSON
        usual = {"number": 1, "integer": 1, "boolean": False}
        properties = schema.get("properties", {}).items()
        text = json.dumps({name: (one.get("enum") or [usual.get(one.get("type"), "x")])[0] for name, one in properties})
    parts: list[Json] = [{"text": text}] if text or not step.tools else []
    if not schema:
        parts += [{"functionCall": {"name": name, "args": given}} for name, given in step.tools]
    usage = {
        "promptTokenCount": used.prompt,
        "cachedContentTokenCount": used.read,
        "candidatesTokenCount": used.output,
        "thoughtsTokenCount": used.reasoning,
        "totalTokenCount": used.prompt + used.output + used.reasoning,
    }
    whole = {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": usage,
        "modelVersion": request.get("model"),
        "responseId": new_id("g"),
    }
    if step.hangs is None:
        return whole, [whole]
    told = {**usage, "candidatesTokenCount": 1, "thoughtsTokenCount": 0, "totalTokenCount": used.prompt + 1}
    begun = {"candidates": [{"content": {"role": "model", "parts": parts[:1]}, "index": 0}], "usageMetadata": told}
    return whole, [{**whole, **begun}, whole]


SHAPES: dict[str, Callable[[Json, Step], tuple[Json, list[Json]]]] = {
    "anthropic": anthropic,
    "responses": responses,
    "chat": chat,
    "gemini": gemini,
}


def error(api: str, step: Step) -> Json:
    if api == "anthropic":
        return {"type": "error", "error": {"type": step.error, "message": step.error}}
    if api == "gemini":
        return {"error": {"code": step.status, "message": step.error, "status": "UNAVAILABLE"}}
    return {"error": {"type": step.error, "message": step.error, "code": step.error}}


def frames(api: str, events: list[Json]) -> Iterator[bytes]:
    """Each event as it goes over the wire."""
    for event in events:
        name = f"event: {event['type']}\n" if api in ("anthropic", "responses") else ""
        yield f"{name}data: {json.dumps(event)}\n\n".encode()
    if api == "chat":
        yield b"data: [DONE]\n\n"
