"""What a prompt may cost at most: the dearest kind it may become, images behind small files, and what nobody can bound."""

from __future__ import annotations

from typing import Any

import pytest

from tabstop.beside.proxy.anthropic_messages import IMAGE
from tabstop.beside.proxy.call import Call
from tests.beside.proxy.apis import ANTHROPIC, CHAT, GEMINI, GEMINI_PATH, RESPONSES, size, user


@pytest.mark.parametrize(
    ("body", "write"),
    [
        ({}, "input"),
        ({"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]}, "cache_write_5m"),
        ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, "cache_write_1h"),
        (
            {
                "tools": [{"name": "t", "cache_control": {"ttl": "5m"}}],
                "messages": [
                    user({"type": "tool_result", "content": [{"type": "text", "cache_control": {"ttl": "1h"}}]})
                ],
            },
            "cache_write_1h",
        ),
        (
            {
                "messages": user(
                    {"type": "document", "source": {"type": "content", "content": [{"cache_control": {"ttl": "1h"}}]}}
                )
            },
            "cache_write_1h",
        ),
        ({"messages": {"role": "user", "content": {"type": "text", "cache_control": {}}}}, "cache_write_5m"),
    ],
)
def test_the_dearest_kind_a_prompt_may_become(body: dict[str, Any], write: str) -> None:
    """By its marks for the cache, wherever they are."""
    assert ANTHROPIC.read("", {"model": "m", "max_tokens": 1, **body}).write == write


@pytest.mark.parametrize(
    ("call", "more"),
    [
        (ANTHROPIC.read("", {"messages": [user({"type": "image", "source": {"type": "url", "url": "u"}})]}), IMAGE),
        (
            ANTHROPIC.read(
                "",
                {
                    "messages": [
                        user({"type": "tool_result", "content": [{"type": "image", "source": {"type": "base64"}}]})
                    ]
                },
            ),
            IMAGE,
        ),
        (RESPONSES.read("", {"input": [user({"type": "input_image", "image_url": "u"})]}), 50_000),
        (
            RESPONSES.read(
                "",
                {
                    "input": [
                        {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "u"}}
                    ]
                },
            ),
            50_000,
        ),
        (CHAT.read("", {"messages": [user({"type": "image_url", "image_url": {"url": "u"}})]}), 50_000),
        (ANTHROPIC.read("", {"messages": {"content": {"type": "image", "source": {"type": "base64"}}}}), IMAGE),
        (
            ANTHROPIC.read(
                "",
                {
                    "messages": [
                        user({"type": "document", "source": {"type": "content", "content": [{"type": "image"}]}})
                    ]
                },
            ),
            IMAGE,
        ),
        (RESPONSES.read("", {"input": {"content": {"type": "input_image"}}}), 50_000),
        (CHAT.read("", {"messages": {"content": {"type": "image_url"}}}), 50_000),
        (GEMINI.read(GEMINI_PATH, {"contents": {"parts": {"inline_data": {"mime_type": "image/png"}}}}), 50_000),
        (
            GEMINI.read(
                GEMINI_PATH, {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "x"}}]}]}
            ),
            50_000,
        ),
    ],
)
def test_a_small_file_may_be_a_large_image(call: Call, more: int) -> None:
    """It counts as the largest there is."""
    assert size(call) >= more
    assert call.unbounded == ()


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (ANTHROPIC.read("", {"messages": [user({"type": "document", "source": {"type": "base64"}})]}), "a PDF"),
        (
            ANTHROPIC.read("", {"messages": [user({"type": "document", "source": {"type": "file"}})]}),
            "a file by its id",
        ),
        (ANTHROPIC.read("", {"messages": [user({"type": "container_upload", "file_id": "f"})]}), "a file by its id"),
        (RESPONSES.read("", {"input": [user({"type": "input_file", "file_id": "f"})]}), "a file"),
        (RESPONSES.read("", {"input": [user({"type": "input_image", "file_id": "f"})]}), "a file by its id"),
        (RESPONSES.read("", {"input": [user({"type": "input_audio"})]}), "audio"),
        (RESPONSES.read("", {"input": [{"type": "item_reference", "id": "i"}]}), "an item kept by the vendor"),
        (CHAT.read("", {"messages": [user({"type": "file"}, {"type": "input_audio"})]}), "a file, audio"),
        (
            GEMINI.read(GEMINI_PATH, {"contents": [{"parts": [{"inline_data": {"mime_type": "video/mp4"}}]}]}),
            "video data",
        ),
        (
            GEMINI.read(
                GEMINI_PATH,
                {"contents": [{"parts": [{"functionResponse": {"parts": [{"fileData": {"fileUri": "u"}}]}}]}]},
            ),
            "a file by its address",
        ),
        (
            GEMINI.read(GEMINI_PATH, {"system_instruction": {"parts": [{"file_data": {"file_uri": "u"}}]}}),
            "a file by its address",
        ),
        (
            GEMINI.read(GEMINI_PATH, {"generation_config": {"response_modalities": ["IMAGE"]}}),
            "an answer that is image",
        ),
        (
            GEMINI.read(GEMINI_PATH, {"generationConfig": {"responseModalities": "AUDIO"}}),
            "an answer that is audio",
        ),
        (GEMINI.read(GEMINI_PATH, {"tools": {"google_search": {}}}), "google_search, which the vendor runs"),
        (GEMINI.read(GEMINI_PATH, {"contents": {"parts": {"fileData": {}}}}), "a file by its address"),
        (GEMINI.read(GEMINI_PATH, {"contents": [{"parts": {"file_data": "u"}}]}), "a file by its address"),
        (
            GEMINI.read(
                GEMINI_PATH, {"contents": {"parts": {"function_response": {"parts": {"file_data": {"file_uri": "u"}}}}}}
            ),
            "a file by its address",
        ),
        (GEMINI.read(GEMINI_PATH, {"systemInstruction": [{"parts": {"fileData": {}}}]}), "a file by its address"),
        (
            ANTHROPIC.read(
                "",
                {
                    "messages": [
                        user(
                            {
                                "type": "document",
                                "source": {
                                    "type": "content",
                                    "content": [{"type": "image", "source": {"type": "url", "url": "u"}}],
                                },
                            }
                        )
                    ]
                },
            ),
            "a document with an image by its URL",
        ),
        (
            ANTHROPIC.read("", {"context_management": {"edits": {"type": "compact_20260112"}}}),
            "compaction at the vendor",
        ),
        (
            RESPONSES.read("", {"context_management": [{"type": "compaction", "compact_threshold": 1_000}]}),
            "compaction at the vendor",
        ),
        (RESPONSES.read("", {"context_management": {"type": "compaction"}}), "compaction at the vendor"),
        (RESPONSES.read("", {"model": "gpt-5-search-api"}), "web search, which the vendor runs"),
        (CHAT.read("", {"model": "gpt-4o-mini-search-preview-2025-03-11"}), "web search, which the vendor runs"),
        (CHAT.read("", {"modalities": "audio"}), "an answer that is audio"),
        (RESPONSES.read("", {"input": [{"type": "reasoning", "id": "rs_1"}]}), "an item kept by the vendor"),
        (RESPONSES.read("", {"input": [{"type": "image_generation_call", "id": "i"}]}), "an item kept by the vendor"),
        (RESPONSES.read("", {"tools": [{"type": "tool_search"}]}), "the tool tool_search, which the vendor runs"),
        (
            RESPONSES.read("", {"tools": [{"type": "namespace", "tools": [{"type": "web_search"}]}]}),
            "the tool namespace, which the vendor runs",
        ),
        (
            RESPONSES.read("", {"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}),
            "the tool shell, which the vendor runs",
        ),
        (CHAT.read("", {"modalities": ["text", "audio"]}), "an answer that is audio"),
        (CHAT.read("", {"messages": [{"role": "assistant", "audio": {"id": "a"}}]}), "an earlier answer that is audio"),
        (ANTHROPIC.read("", {"container": {"skills": [{"skill_id": "xlsx"}]}}), "skills that the vendor runs"),
        (
            ANTHROPIC.read("", {"tools": [{"type": "tool_search_tool_bm25_20251119", "name": "t"}]}),
            "the tool tool_search_tool_bm25_20251119, which the vendor runs",
        ),
    ],
)
def test_what_nobody_can_bound(call: Call, what: str) -> None:
    """It is named, for people."""
    assert ", ".join(call.unbounded) == what


@pytest.mark.parametrize(
    "call",
    [
        ANTHROPIC.read("", {"messages": [user({"type": "document", "source": {"type": "text", "data": "t"}})]}),
        ANTHROPIC.read("", {"tools": [{"type": "bash_20250124", "name": "bash"}, {"name": "Read"}]}),
        ANTHROPIC.read("", {"container": "container_1"}),
        RESPONSES.read("", {"tools": [{"type": "function"}, {"type": "local_shell"}], "instructions": "i"}),
        RESPONSES.read("", {"tools": [{"type": "shell", "environment": {"type": "local"}}]}),
        RESPONSES.read("", {"tools": [{"type": "tool_search", "execution": "client"}]}),
        RESPONSES.read("", {"tools": [{"type": "namespace", "tools": [{"type": "function", "name": "f"}]}]}),
        RESPONSES.read("", {"input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAA"}]}),
        RESPONSES.read("", {"input": [{"type": "image_generation_call", "id": "i", "result": "aGk="}]}),
        RESPONSES.read("", {"model": "gpt-5-codex", "context_management": []}),
        ANTHROPIC.read("", {"messages": [user({"type": "document", "source": {"type": "content", "content": "t"}})]}),
        CHAT.read("", {"modalities": ["text"]}),
        GEMINI.read(GEMINI_PATH, {"generationConfig": {"responseModalities": "text"}}),
        GEMINI.read(GEMINI_PATH, {"generationConfig": {"responseModalities": ["TEXT"]}}),
        GEMINI.read(GEMINI_PATH, {"contents": [{"parts": [{"inlineData": {"mimeType": "text/csv", "data": "x"}}]}]}),
    ],
)
def test_what_can_be_bounded(call: Call) -> None:
    """Texts, and tools that run where the agent is."""
    assert call.unbounded == ()


@pytest.mark.parametrize(
    ("body", "variants"),
    [
        ({}, ("priority",)),
        ({"service_tier": "standard_only"}, ()),
        ({"service_tier": "standard_only", "speed": "fast", "inference_geo": "us"}, ("fast", "us")),
    ],
)
def test_ways_of_being_served_that_cost_more(body: dict[str, Any], variants: tuple[str, ...]) -> None:
    """They are what a request may turn out to cost."""
    assert ANTHROPIC.read("", body).variants == variants


def test_compaction_at_openai_is_a_call_that_cannot_be_shortened() -> None:
    """The length of its answer is the vendor's own affair."""
    assert not RESPONSES.read("/v1/responses/compact", {"model": "m"}).can_be_shortened
    assert RESPONSES.read("/v1/responses", {"model": "m"}).can_be_shortened
