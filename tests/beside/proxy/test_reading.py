"""Requests and answers, API by API, without a network: what is read of them, and what they say of tools, images and failures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp.web import Request

from tabstop.beside.proxy.anthropic_messages import IMAGE, AnthropicMessages, MessageReader
from tabstop.beside.proxy.call import Api, Call, Change, Heard, NotReadError, Part, longest, objects, written
from tabstop.beside.proxy.gemini_generate import ContentReader, GeminiGenerate
from tabstop.beside.proxy.openai_chat import ChatReader, OpenAiChat
from tabstop.beside.proxy.openai_responses import OpenAiResponses, ResponseReader
from tabstop.beside.proxy.requests import cut_off
from tabstop.beside.proxy.streams import Passing
from tabstop.usage import Tokens

ANTHROPIC, RESPONSES, CHAT, GEMINI = AnthropicMessages(), OpenAiResponses(), OpenAiChat(), GeminiGenerate()
GEMINI_PATH = "/v1beta/models/g:generateContent"


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def size(call: Call) -> int:
    return sum(part.size for part in call.parts)


def test_parts_are_bounded_by_their_bytes() -> None:
    """UTF-8, as short as JSON can be, and what no byte shows on top."""
    assert Part("äö").size == 6
    assert Part({"a": 1}, 10).size == 17
    assert Part({"a": 1}).key == Part({"a": 1}).key != Part({"a": 2}).key


def test_nesting_without_end_is_not_read() -> None:
    """It is refused rather than followed."""
    deep: Any = []
    for _ in range(200_000):
        deep = [deep]
    for read in (Part, written):
        with pytest.raises(NotReadError, match="nested too deeply"):
            read(deep)
    while deep:  # taken apart from outside: Python's own destructor would recurse
        deep = deep[0]


@pytest.mark.parametrize(("value", "expected"), [(None, None), (5, 5), (5.0, 5), (0, 0)])
def test_a_limit_that_a_request_names(value: object, expected: int | None) -> None:
    """Whole numbers, in either spelling of JSON."""
    assert longest(value, "max_tokens") == expected


@pytest.mark.parametrize("value", [-1, True, "5", 5.5, [], float("inf")])
def test_a_limit_that_is_none(value: object) -> None:
    """Nobody knows what the vendor would make of it."""
    with pytest.raises(NotReadError, match="`n` is not a whole number"):
        longest(value, "n")


def test_lists_of_anything() -> None:
    """Only objects are looked at, also where one stands alone."""
    assert objects([{}, 1, "x", None]) == [{}]
    assert objects({"a": 1}) == [{"a": 1}]
    assert objects("x") == []


LONG = "x" * 1_000_000


@pytest.mark.parametrize(
    "alone", [LONG, {"text": LONG}, [LONG], {"parts": {"text": LONG}}, {"content": {"text": LONG}}]
)
@pytest.mark.parametrize(
    ("api", "name"),
    [
        (ANTHROPIC, "messages"),
        (ANTHROPIC, "tools"),
        (ANTHROPIC, "system"),
        (RESPONSES, "input"),
        (RESPONSES, "tools"),
        (RESPONSES, "instructions"),
        (CHAT, "messages"),
        (CHAT, "tools"),
        (GEMINI, "contents"),
        (GEMINI, "tools"),
        (GEMINI, "systemInstruction"),
        (GEMINI, "system_instruction"),
    ],
)
def test_what_stands_alone_counts(api: Api, name: str, alone: object) -> None:
    """A vendor may read it as a list of one, so every byte of it counts."""
    assert size(api.read(GEMINI_PATH, {name: alone})) > len(LONG)


@pytest.mark.parametrize("value", [5, True, [None], [[{"text": "a"}]], [{}, 1]])
@pytest.mark.parametrize(
    ("api", "name"),
    [
        (ANTHROPIC, "messages"),
        (ANTHROPIC, "tools"),
        (ANTHROPIC, "system"),
        (RESPONSES, "input"),
        (RESPONSES, "tools"),
        (CHAT, "messages"),
        (CHAT, "tools"),
        (GEMINI, "contents"),
        (GEMINI, "tools"),
        (GEMINI, "system_instruction"),
    ],
)
def test_other_shapes_are_not_read(api: Api, name: str, value: object) -> None:
    """What would be passed over would not be counted."""
    with pytest.raises(NotReadError, match="is not a list of objects"):
        api.read(GEMINI_PATH, {name: value})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"contents": [{"parts": 5}]}, "`parts` is not a list of objects"),
        ({"contents": {"parts": {"inline_data": "x"}}}, "`inlineData` is not an object"),
        ({"contents": {"parts": {"functionResponse": []}}}, "`functionResponse` is not an object"),
        ({"generation_config": []}, "`generationConfig` is not an object"),
        ({"generationConfig": {"responseModalities": {}}}, "`responseModalities` is not a list of words"),
        ({"generationConfig": {}, "generation_config": {}}, "both `generationConfig` and `generation_config`"),
        (
            {"generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 9}},
            "both `maxOutputTokens` and `max_output_tokens`",
        ),
    ],
)
def test_shapes_of_gemini_that_are_not_read(body: dict[str, Any], why: str) -> None:
    """Nobody knows what the vendor would make of them."""
    with pytest.raises(NotReadError, match=why):
        GEMINI.read(GEMINI_PATH, body)


@pytest.mark.parametrize(
    ("api", "body", "name"),
    [
        (ANTHROPIC, {"messages": user({"type": "text", "text": "a"})}, "messages"),
        (RESPONSES, {"input": {"role": "user", "content": "a"}}, "input"),
        (CHAT, {"messages": {"role": "user", "content": "a"}}, "messages"),
        (GEMINI, {"contents": {"parts": {"text": "a"}}}, "contents"),
    ],
)
def test_a_line_for_the_model_comes_behind_what_stands_alone(api: Api, body: dict[str, Any], name: str) -> None:
    """The message is kept."""
    changed = api.change(GEMINI_PATH, body, Change(say="Go."))[1][name]
    assert isinstance(changed, list)
    assert '"a"' in written(changed[0])
    assert "Go." in written(changed[-1])


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


def test_marks_for_the_cache_do_not_make_a_message_new() -> None:
    """Claude Code moves them from message to message."""
    plain = {"messages": [user({"type": "text", "text": "a"})]}
    for mark in ({"type": "ephemeral"}, None):
        marked = {"messages": [user({"type": "text", "text": "a", "cache_control": mark})]}
        assert [part.key for part in ANTHROPIC.read("", plain).parts] == [
            part.key for part in ANTHROPIC.read("", marked).parts
        ]


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


def test_gemini_needs_a_model_in_its_path() -> None:
    """Without one there is no price."""
    with pytest.raises(NotReadError, match="names no model"):
        GEMINI.read("/v1beta/models", {})


def results(call: Call) -> list[tuple[str, str, object, bool]]:
    return [(one.call, one.name, one.arguments, one.failed) for one in call.results]


def test_tool_results_of_each_api() -> None:
    """Those since the model's last answer, with what was asked."""
    assert results(
        ANTHROPIC.read(
            "",
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "old", "name": "Bash", "input": {}}]},
                    user({"type": "tool_result", "tool_use_id": "old", "content": "x"}),
                    {
                        "role": "assistant",
                        "content": [{"type": "tool_use", "id": "a", "name": "Bash", "input": {"c": 1}}],
                    },
                    user(
                        {"type": "tool_result", "tool_use_id": "a", "is_error": True},
                        {"type": "tool_result", "tool_use_id": "unknown"},
                        {"type": "text", "text": "t"},
                    ),
                ]
            },
        )
    ) == [("a", "Bash", {"c": 1}, True)]
    assert results(
        RESPONSES.read(
            "",
            {
                "input": [
                    {"type": "function_call", "call_id": "old", "name": "x", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "old", "output": "Exit code: 1\n"},
                    {"type": "reasoning"},
                    {"type": "function_call", "call_id": "a", "name": "exec", "arguments": '{"c": 1}'},
                    {"type": "custom_tool_call", "call_id": "b", "name": "patch", "input": "raw ["},
                    {"type": "local_shell_call", "call_id": "c", "action": {"command": ["ls"]}},
                    {"type": "function_call_output", "call_id": "a", "output": "Exit code: 2\nWall time"},
                    {"type": "custom_tool_call_output", "call_id": "b", "output": {"success": False}},
                    {
                        "type": "local_shell_call_output",
                        "call_id": "c",
                        "output": [{"text": "Process exited with code 0"}],
                    },
                    {"type": "function_call_output", "call_id": "d", "output": 5},
                ]
            },
        )
    ) == [
        ("a", "exec", {"c": 1}, True),
        ("b", "patch", "raw [", True),
        ("c", "local_shell", {"command": ["ls"]}, False),
        ("d", "function", None, False),
    ]
    assert results(
        CHAT.read(
            "",
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]},
                    {"role": "tool", "tool_call_id": "a", "content": "x"},
                    {"role": "tool", "tool_call_id": "b", "content": "x"},
                ]
            },
        )
    ) == [("a", "f", {}, False)]
    gemini = GEMINI.read(
        GEMINI_PATH,
        {
            "contents": [
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"c": 1}}}, {"functionCall": {"name": "g", "id": "i", "args": {}}}]},
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"name": "f", "response": {"output": "Exit Code: 3\n"}}},
                        {"functionResponse": {"name": "g", "id": "i", "response": {"error": "no"}}},
                        {"functionResponse": {"name": "h", "response": "?"}},
                    ],
                },
            ]
        },
    )  # fmt: skip
    assert [one[1:] for one in results(gemini)] == [("f", {"c": 1}, True), ("g", {}, True), ("h", None, False)]
    assert gemini.results[1].call == "i"
    assert len({one.call for one in gemini.results}) == 3


@pytest.mark.parametrize(
    "call", [ANTHROPIC.read("", {}), CHAT.read("", {}), RESPONSES.read("", {}), GEMINI.read(GEMINI_PATH, {})]
)
def test_nothing_asked_nothing_answered(call: Call) -> None:
    """An empty request tells nothing, and is no error."""
    assert call.results == ()


ODD: tuple[object, ...] = ([], {"a": 1}, None, 5, "")


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("other", ODD)
def test_ids_of_any_shape_are_read(odd: object, other: object) -> None:
    """The vendor refuses them, or knows what they mean; here they are no reason to fail."""
    use, result = {"type": "tool_use", "id": odd}, {"type": "tool_result", "tool_use_id": other}
    assert ANTHROPIC.read("", {"messages": [{"role": "assistant", "content": use}, user(result)]}).model == ""
    call, output = {"type": "x_call", "call_id": odd}, {"type": "x_output", "call_id": other}
    assert RESPONSES.read("", {"input": [call, output], "tools": [{"type": odd}]}).model == ""
    asked = {"role": "assistant", "tool_calls": [{"id": odd, "function": {}}]}
    assert CHAT.read("", {"messages": [asked, {"role": "tool", "tool_call_id": other}]}).model == ""


def test_changes_of_each_api() -> None:
    """Only what is asked for changes; what was there stays beside it."""
    change = Change(output=9, model="n", no_tools=True, say="Go.")
    assert ANTHROPIC.change("/p", {"messages": [], "tools": [{}]}, change) == (
        "/p",
        {"messages": [user({"type": "text", "text": "Go."})], "tools": [{}], "max_tokens": 9, "model": "n", "tool_choice": {"type": "none"}},
    )  # fmt: skip
    assert RESPONSES.change("/p", {"input": "hi"}, change)[1]["input"][0] == {"role": "user", "content": "hi"}
    assert RESPONSES.change("/p", {"input": [1]}, change)[1]["input"][0] == 1
    both = CHAT.change("/p", {"max_tokens": 1, "max_completion_tokens": 1}, Change(9))[1]
    assert both == {"max_tokens": 9, "max_completion_tokens": 9}
    assert CHAT.change("/p", {}, Change(9))[1] == {"max_completion_tokens": 9}
    assert CHAT.change("/p", {"stream_options": {"x": 1}}, Change(ask_usage=True))[1]["stream_options"] == {
        "x": 1,
        "include_usage": True,
    }
    path, body = GEMINI.change(
        "/v1beta/models/g:streamGenerateContent",
        {"generation_config": {"max_output_tokens": 1}, "tools": [{}], "tool_config": {}},
        change,
    )
    assert path == "/v1beta/models/n:streamGenerateContent"
    assert body["generation_config"] == {"max_output_tokens": 9}
    assert body["tool_config"] == {"functionCallingConfig": {"mode": "NONE"}}
    assert not Change()
    assert change


def heard(reader: Any, *events: dict[str, Any]) -> Heard:
    for event in events:
        reader.event(event)
    found: Heard = reader.heard
    return found


def test_what_answers_tell_besides() -> None:
    """How they were served, searches, what the vendor left out or compacted, and what went wrong."""
    usage = {
        "input_tokens": 5, "output_tokens": 7, "cache_creation_input_tokens": 3, "speed": "fast",
        "server_tool_use": {"web_search_requests": 2}, "iterations": [{"type": "compaction", "input_tokens": 100, "output_tokens": 10}, {"type": "message"}],
    }  # fmt: skip
    edits = {"applied_edits": [{"cleared_input_tokens": 40}]}
    one = heard(
        MessageReader(), {"type": "message_delta", "usage": usage, "context_management": edits}, {"type": "ping"}
    )
    assert one.tokens == Tokens(105, 0, 3, 0, 17)
    assert (one.variant, one.web_searches, one.cleared, one.cache_split_known) == ("fast", 2, 40, False)
    reader = MessageReader()
    reader.whole(
        {
            "type": "message",
            "id": "m",
            "usage": {"input_tokens": 1, "output_tokens": 1, "service_tier": "batch"},
            "context_management": edits,
            "content": [{"type": "tool_use"}],
        }
    )
    assert (reader.heard.variant, reader.heard.wants_tools, reader.heard.complete) == ("batch", True, True)
    assert (
        heard(MessageReader(), {"type": "message_delta", "usage": {"output_tokens": 1, "inference_geo": "us"}}).variant
        == "us"
    )
    assert heard(MessageReader(), {"type": "error", "error": {"type": "overloaded_error"}}).error == "overloaded_error"
    assert heard(MessageReader(), {"type": "error"}).error == "error"
    nothing = MessageReader()
    nothing.whole({"type": "error"})
    assert not nothing.heard.complete

    done = {"type": "response.output_item.done", "item": {"type": "web_search_call"}}
    call = {"type": "response.output_item.done", "item": {"type": "custom_tool_call"}}
    failed = {
        "type": "response.failed",
        "response": {"id": "r", "model": "m", "service_tier": "flex", "error": {"code": "server_error"}},
    }
    two = heard(ResponseReader(), done, call, failed)
    assert (two.web_searches, two.wants_tools, two.error, two.variant, two.tokens) == (
        1,
        True,
        "server_error",
        "flex",
        None,
    )
    assert heard(ResponseReader(), {"type": "error", "message": "x"}).error == "error"
    whole = ResponseReader()
    whole.whole(
        {
            "object": "response.compaction",
            "usage": {"input_tokens": 3, "output_tokens": 4, "input_tokens_details": {"cache_write_tokens": 2}},
        }
    )
    assert (whole.heard.tokens, whole.heard.cache_split_known) == (Tokens(1, 0, 2, 0, 4), False)
    whole = ResponseReader()
    whole.whole({"error": {}})
    assert not whole.heard.complete

    assert heard(ChatReader(), {"error": {}, "service_tier": "priority"}).error == "error"
    strange = ChatReader()
    strange.whole({"error": {}})
    assert strange.heard.model == ""

    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}}
    assert heard(ContentReader(), blocked).tokens == Tokens(9)
    begun = heard(ContentReader(), {"usageMetadata": {"promptTokenCount": 9}}, {"error": {}})
    assert (begun.tokens, begun.began, begun.error) == (None, Tokens(9), "error")
    thought = {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"functionCall": {}}]}}]}
    assert heard(ContentReader(), thought).said == []
    tools = {
        "usageMetadata": {"promptTokenCount": 5, "toolUsePromptTokenCount": 4, "totalTokenCount": 20},
        "candidates": [{"finishReason": "STOP"}],
    }
    assert heard(ContentReader(), tools).tokens == Tokens(9, output=11)


def test_what_is_said_is_kept_no_longer_than_it_is_compared() -> None:
    """And never shown."""
    one = Heard()
    for _ in range(10):
        one.say("x" * 1_000)
    one.say(None)
    assert sum(map(len, one.said)) == 4_000
    assert "xxx" not in repr(one)


def test_answers_that_lack_what_they_should_have() -> None:
    """An id, a choice's message, a candidate: what is there is read, and nothing is made up."""
    whole = MessageReader()
    whole.whole({"type": "message", "usage": {"input_tokens": 1, "output_tokens": 2}})
    assert (whole.heard.keys, whole.heard.tokens) == ((), Tokens(1, output=2))
    chat = ChatReader()
    chat.whole({"choices": [{"index": 0}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    assert (chat.heard.said, chat.heard.tokens) == ([], Tokens(1, output=2))
    content = ContentReader()
    content.whole({"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1}})
    assert (content.heard.complete, content.heard.tokens) == (False, None)
    array = Passing(GEMINI, "application/json", "")
    array.feed(b'[7, {"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 9}}]')
    array.end()
    assert array.reader.heard.tokens == Tokens(9)


def test_a_client_that_has_gone_is_not_cut_off() -> None:
    """The vendor broke off too, a moment later."""
    aborted: list[bool] = []

    class Transport:
        def abort(self) -> None:
            aborted.append(True)

    for transport in (None, Transport()):
        cut_off(cast("Request", SimpleNamespace(transport=transport)))
    assert aborted == [True]
