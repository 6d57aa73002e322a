"""Any request, by property: each API reads it or says that it cannot; nothing in it is a reason to fail."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.beside.proxy.anthropic_messages import AnthropicMessages
from tabstop.beside.proxy.call import Api, Change, NotReadError
from tabstop.beside.proxy.gemini_generate import GeminiGenerate
from tabstop.beside.proxy.openai_chat import OpenAiChat
from tabstop.beside.proxy.openai_responses import OpenAiResponses

PATH = "/v1beta/models/gemini-2.5-pro:generateContent"
IMAGE = {"type": "image", "source": {"type": "url"}}
BODIES: list[tuple[Api, dict[str, Any]]] = [
    (
        AnthropicMessages(),
        {
            "model": "claude-sonnet-4-5",
            "max_tokens": 100,
            "system": [{"type": "text", "text": "s", "cache_control": {"ttl": "1h"}}],
            "tools": [{"name": "Bash"}, {"type": "bash_20250124"}],
            "thinking": {"budget_tokens": 2_000},
            "context_management": {"edits": [{"type": "clear"}]},
            "messages": [
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}]},
                {"role": "user", "content": [{"type": "document", "source": {"type": "content", "content": [IMAGE]}}]},
            ],
        },
    ),
    (
        OpenAiResponses(),
        {
            "model": "gpt-5.5",
            "instructions": "x",
            "reasoning": {"effort": "high"},
            "tools": [{"type": "shell", "environment": {"type": "local"}}, {"type": "namespace", "tools": [{}]}],
            "context_management": [{"type": "compaction"}],
            "input": [
                {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": [{"text": "Exit code: 1"}]},
            ],
        },
    ),
    (
        OpenAiChat(),
        {
            "model": "gpt-5.5",
            "n": 2,
            "stream_options": {},
            "modalities": ["text"],
            "messages": [
                {"role": "user", "content": [{"type": "image_url"}]},
                {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "x"},
            ],
        },
    ),
    (
        GeminiGenerate(),
        {
            "generationConfig": {"maxOutputTokens": 5, "thinkingConfig": {"thinkingBudget": 5}, "candidateCount": 1},
            "systemInstruction": {"parts": [{"text": "x"}]},
            "tools": [{"functionDeclarations": []}],
            "contents": [
                {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png"}}]},
                {"role": "model", "parts": [{"functionCall": {"name": "f", "id": "1", "args": {}}}]},
                {"role": "user", "parts": [{"functionResponse": {"id": "1", "response": {}, "parts": [{}]}}]},
            ],
        },
    ),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "text", "user", "image", "\ud800"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "content", "id"]), inner),
    max_leaves=4,
)
CHANGES = (Change(output=5), Change(say="Go."), Change(no_tools=True, little_thinking=True), Change(ask_usage=True))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Everything that can be replaced: what holds it, and where in that it lies."""
    held = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in held for place in ((value, key), *places(one))]


@pytest.mark.parametrize(("api", "body"), BODIES)
@given(st.data())
@settings(deadline=None)
def test_it_is_read_or_refused(api: Api, body: dict[str, Any], data: st.DataObject) -> None:
    """Whatever stands anywhere in it; and what is read can be measured and changed."""
    body = copy.deepcopy(body)
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places(body)))
        holder[key] = data.draw(ANYTHING)
        if not places(body):
            break
    with suppress(NotReadError):
        call = api.read(PATH, body)
        assert sum(part.size for part in call.parts) > 0
        for change in CHANGES:
            changed = api.read(*api.change(PATH, body, change))
            assert not change.output or changed.output == change.output
