"""What requests and answers tell besides tokens, API by API: results of tools, what was changed, failures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp.web import Request

from tabstop.beside.proxy.anthropic_messages import MessageReader
from tabstop.beside.proxy.call import Call, Change, Heard
from tabstop.beside.proxy.gemini_generate import ContentReader
from tabstop.beside.proxy.openai_chat import ChatReader
from tabstop.beside.proxy.openai_responses import ResponseReader
from tabstop.beside.proxy.requests import cut_off
from tabstop.beside.proxy.streams import Passing
from tabstop.usage import Tokens
from tests.beside.proxy.apis import ANTHROPIC, CHAT, GEMINI, GEMINI_PATH, RESPONSES, user


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
