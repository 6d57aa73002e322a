"""A model API in memory, in the shapes of Anthropic, OpenAI and Gemini: each answer used 1,000 tokens in and 100 out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

IN, OUT = 1_000, 100

_ANTHROPIC = {"input_tokens": IN, "output_tokens": OUT}
_CHAT = {"prompt_tokens": IN, "completion_tokens": OUT, "total_tokens": IN + OUT}
_RESPONSES = {
    "input_tokens": IN,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": OUT,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": IN + OUT,
}
_GEMINI = {"promptTokenCount": IN, "candidatesTokenCount": OUT, "totalTokenCount": IN + OUT}


class FakeApi:
    """A handler for `httpx.MockTransport` and `httpx2.MockTransport`. `library`: which of the two.

    `asked`: (path, request) of every call that arrived. `fails`: statuses to answer with first. `tells_usage`: whether answers do.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.fails: list[int] = []
        self.tells_usage = True

    def __call__(self, request: Any) -> Any:
        body = json.loads(request.content or b"{}")
        self.asked.append((request.url.path, body))
        self.headers.append(dict(request.headers))
        if self.fails:
            headers = {"retry-after": "7", "x-should-retry": "false"}
            return self._library.Response(self.fails.pop(0), headers=headers, json={"error": {"message": "too much"}})
        number, path = len(self.asked), request.url.path
        if path.endswith("/messages"):
            return self._answer(anthropic_events(number), anthropic_message(number), body.get("stream"), named=True)
        if path.endswith("/chat/completions"):
            wanted = (body.get("stream_options") or {}).get("include_usage") is True
            return self._answer(chat_events(number, usage=wanted), self._told(chat(number)), body.get("stream"))
        if path.endswith("/responses"):
            return self._answer(response_events(number), response(number), body.get("stream"), named=True)
        if "enerateContent" in path:
            return self._answer(gemini_events(number), gemini(number), "stream" in path)
        return self._library.Response(200, json={"data": []})

    def _told(self, answer: dict[str, Any]) -> dict[str, Any]:
        return answer if self.tells_usage else {name: one for name, one in answer.items() if name != "usage"}

    def _answer(
        self, events: list[dict[str, Any]], whole: dict[str, Any], stream: object, *, named: bool = False
    ) -> Any:
        if not stream:
            json_type = {"content-type": "application/json", "request-id": f"req_{len(self.asked)}"}
            return self._library.Response(200, headers=json_type, stream=_pieces(self._library, [json.dumps(whole)]))
        blocks = [(f"event: {one['type']}\n" if named else "") + f"data: {json.dumps(one)}\n\n" for one in events] + (
            ["data: [DONE]\n\n"] if "object" in events[0] else []
        )
        return self._library.Response(
            200, headers={"content-type": "text/event-stream"}, stream=_pieces(self._library, blocks)
        )


def _pieces(library: Any, blocks: list[str]) -> Any:
    """The stream in pieces that end anywhere, for threads and for tasks."""
    whole = "".join(blocks).encode()

    class Pieces(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            for at in range(0, len(whole), 37):
                yield whole[at : at + 37]

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in self:
                yield piece

    return Pieces()


def anthropic_message(number: int) -> dict[str, Any]:
    return {
        "id": f"msg_{number}", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": "done"}], "usage": _ANTHROPIC,
    }  # fmt: skip


def anthropic_events(number: int) -> list[dict[str, Any]]:
    begun = {
        **anthropic_message(number),
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": IN, "output_tokens": 1},
    }
    return [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "done"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": OUT},
        },
        {"type": "message_stop"},
    ]


def chat(number: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": "done", "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {
        "id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1, "model": "gpt-5.5", "choices": [choice], "usage": _CHAT,
    }  # fmt: skip


def chat_events(number: int, *, usage: bool) -> list[dict[str, Any]]:
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.5"}
    told = {"usage": None} if usage else {}
    events = [
        {
            **head,
            **told,
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": "done"}, "finish_reason": None}],
        },
        {**head, **told, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    return [*events, {**head, "choices": [], "usage": _CHAT}] if usage else events


def response(number: int, status: str = "completed") -> dict[str, Any]:
    text = {"type": "output_text", "text": "done", "annotations": []}
    message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    return {
        "id": f"resp_{number}", "object": "response", "created_at": 1, "status": status, "model": "gpt-5.5", "output": [message],
        "usage": _RESPONSES if status == "completed" else None, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip


def response_events(number: int) -> list[dict[str, Any]]:
    return [
        {"type": "response.created", "sequence_number": 0, "response": response(number, "in_progress")},
        {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "m", "output_index": 0, "content_index": 0,
         "delta": "done", "logprobs": []},
        {"type": "response.completed", "sequence_number": 2, "response": response(number)},
    ]  # fmt: skip


def gemini(number: int) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": "done"}]}
    return {
        "responseId": f"g{number}", "modelVersion": "gemini-2.5-pro", "candidates": [{"content": content, "finishReason": "STOP"}],
        "usageMetadata": _GEMINI,
    }  # fmt: skip


def gemini_events(number: int) -> list[dict[str, Any]]:
    whole = gemini(number)
    part = {"content": {"role": "model", "parts": [{"text": "do"}]}}
    return [{**whole, "candidates": [part], "usageMetadata": {"promptTokenCount": IN, "totalTokenCount": IN}}, whole]
