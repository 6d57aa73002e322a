"""Usage as the vendors' packages tell it: every kind of token where it belongs, from objects and from dictionaries."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anthropic.types
import openai.types
import openai.types.responses
import pytest
from google.genai import types as google
from langchain_core.messages import AIMessage

from tabstop.library.vendor_usage import UnknownUsageError, read_told
from tabstop.usage import Tokens
from tests.library.fake_api import anthropic_message, chat, gemini, response

ANTHROPIC = {
    "input_tokens": 5,
    "cache_read_input_tokens": 7,
    "cache_creation_input_tokens": 30,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    "output_tokens": 3,
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
}
CHAT = {
    "prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
}  # fmt: skip
RESPONSES = {
    "input_tokens": 100, "output_tokens": 9, "total_tokens": 109,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 4},
}  # fmt: skip
GEMINI = {
    "promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 5, "thoughtsTokenCount": 6,
    "toolUsePromptTokenCount": 8, "totalTokenCount": 119,
}  # fmt: skip
LANGCHAIN: Any = {
    "input_tokens": 100, "output_tokens": 9, "total_tokens": 109, "input_token_details": {"cache_read": 60, "cache_creation": 10},
}  # fmt: skip

USAGES: list[tuple[Any, Tokens]] = [
    (ANTHROPIC, Tokens(5, 7, 10, 20, 3)),
    (anthropic.types.Usage.model_validate(ANTHROPIC), Tokens(5, 7, 10, 20, 3)),
    (CHAT, Tokens(30, 60, 10, 0, 9)),
    (openai.types.CompletionUsage.model_validate(CHAT), Tokens(30, 60, 10, 0, 9)),
    (RESPONSES, Tokens(40, 60, 0, 0, 9)),
    (openai.types.responses.ResponseUsage.model_validate(RESPONSES), Tokens(40, 60, 0, 0, 9)),
    (GEMINI, Tokens(68, 40, 0, 0, 11)),
    (google.GenerateContentResponseUsageMetadata.model_validate(GEMINI), Tokens(68, 40, 0, 0, 11)),
    (LANGCHAIN, Tokens(30, 60, 10, 0, 9)),
    ({"input_tokens": 4, "output_tokens": 1, "total_tokens": 5}, Tokens(4, 0, 0, 0, 1)),
    (SimpleNamespace(input_tokens=4, output_tokens=1), Tokens(4, 0, 0, 0, 1)),
    ({"input_tokens": 4, "output_tokens": 1, "iterations": [{"type": "compaction", "input_tokens": 6}, {"type": "message"}]},
     Tokens(10, 0, 0, 0, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("used", "tokens"), USAGES)
def test_every_kind_counts_once(used: Any, tokens: Tokens) -> None:
    """Anthropic's input leaves the cache out, the others' holds it; thoughts are output."""
    told = read_told(used)
    assert told.tokens == tokens
    assert (told.id, told.model, told.text) == ("", "", "")


def test_the_split_of_cache_writes_is_known_or_not() -> None:
    """Only Anthropic tells for how long a prefix is kept."""
    assert read_told(ANTHROPIC).cache_split_known
    assert read_told(ANTHROPIC).web_searches == 2
    assert not read_told({**ANTHROPIC, "cache_creation": None}).cache_split_known
    assert not read_told(CHAT).cache_split_known
    assert read_told(RESPONSES).cache_split_known


ANSWERS: list[tuple[Any, str, str]] = [
    (anthropic.types.Message.model_validate(anthropic_message(1)), "anthropic:msg:msg_1", "claude-opus-5-5"),
    (openai.types.chat.ChatCompletion.model_validate(chat(1)), "openai:chat:chatcmpl-1", "gpt-5.5"),
    (openai.types.responses.Response.model_validate(response(1)), "openai:resp:resp_1", "gpt-5.5"),
    (google.GenerateContentResponse.model_validate(gemini(1)), "google:resp:g1", "gemini-2.5-pro"),
    (gemini(1), "google:resp:g1", "gemini-2.5-pro"),
    (AIMessage(content="done", id="run-1", usage_metadata=LANGCHAIN, response_metadata={"model_name": "gpt-5.5"}),
     "langchain:resp:run-1", "gpt-5.5"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "key", "model"), ANSWERS)
def test_an_answer_names_itself_its_model_and_its_text(answer: Any, key: str, model: str) -> None:
    """So that it counts once, at its own price, and can be compared with the one before."""
    told = read_told(answer)
    assert (told.id, told.model, told.text) == (key, model, "done")
    assert told.tokens.total > 0


def test_an_answer_may_have_no_id_and_no_text() -> None:
    """A picture is no text; without an id each telling counts."""
    told = read_told({"usage": {"input_tokens": 1, "output_tokens": 1}, "content": [{"type": "image", "text": None}]})
    assert (told.id, told.model, told.text) == ("", "", "")


@pytest.mark.parametrize(
    ("further", "model"),
    [
        ({"speed": "fast"}, "claude-opus-5-5[fast]"),
        ({"service_tier": "batch"}, "claude-opus-5-5[batch]"),
        ({"service_tier": "standard"}, "claude-opus-5-5"),
        ({"inference_geo": "us"}, "claude-opus-5-5[us]"),
    ],
)
def test_how_a_model_was_served_is_part_of_its_price(further: dict[str, str], model: str) -> None:
    """Where it has a price of its own."""
    told = read_told({**anthropic_message(1), "usage": {"input_tokens": 1, "output_tokens": 1, **further}})
    assert told.model == model


def test_what_is_no_usage_says_what_would_be() -> None:
    """The error is what a person needs to go on."""
    with pytest.raises(UnknownUsageError, match=r"^int tells no usage; pass an answer or a usage of the anthropic"):
        read_told(5)
    with pytest.raises(UnknownUsageError, match=r"output_tokens is 1\.5, which is no count of tokens"):
        read_told({"input_tokens": 1, "output_tokens": 1.5})
