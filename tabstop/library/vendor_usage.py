"""Vendor usage: what answers of the Anthropic, OpenAI and Gemini APIs say they used, as SDK objects or as JSON.

Field names are those of the APIs' own references; objects are read by attribute, so that any version of an SDK will do, and
anything shaped alike. LangChain's messages are read too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tabstop.agents.claude_code.rows import MOST_TOKENS, ident
from tabstop.model_id import with_variant
from tabstop.usage import Tokens

SHAPES = (
    "an answer or a usage of the anthropic, openai or google-genai package, such as `response` or `response.usage`, "
    "the same as a dictionary, or tabstop's Usage or Tokens"
)


class UnknownUsageError(ValueError):
    """What was handed over tells no usage that is known here. It is not taken for zero."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one answer tells. id: `anthropic:msg:…`, empty when it has none. model: empty when it names none.

    text: of the answer, empty when there is none. It is compared with other answers here and kept nowhere.
    """

    tokens: Tokens
    id: str = ""
    model: str = ""
    cache_split_known: bool = True
    web_searches: int = 0
    text: str = ""


def read_told(answer: object) -> Told:
    """Read an answer or a usage. Raises `UnknownUsageError`."""
    used = used_by(answer)
    inside = used is not None
    used = answer if used is None else used
    vendor, tokens, split_known = _tokens(used)
    meta = pick(answer, "response_metadata") if vendor == "langchain" else None
    model = ident(pick(answer, "model", "model_version", "modelVersion") or pick(meta, "model_name", "model"))
    tier = pick(used, "service_tier") or pick(answer, "service_tier")
    return Told(
        tokens=tokens,
        id=_id(vendor, answer) if inside else "",
        model=_served(model, used, tier),
        cache_split_known=split_known,
        web_searches=_count(pick(used, "server_tool_use"), "web_search_requests"),
        text=text_of(answer) if inside else "",
    )


def used_by(answer: object) -> Any:
    """The usage inside an answer; None when it has none, as a usage itself."""
    return pick(answer, "usage", "usage_metadata", "usageMetadata")


def pick(one: object, *names: str) -> Any:
    """The first of these fields that it has and that is not None."""
    for name in names:
        value = one.get(name) if isinstance(one, Mapping) else getattr(one, name, None)
        if value is not None:
            return value
    return None


def text_of(answer: object) -> str:
    """The text of an answer, whichever API it came from; empty when there is none."""
    said = pick(answer, "output_text")  # the openai package joins it
    if isinstance(said, str):
        return said
    blocks: list[object] = [pick(answer, "content")]
    blocks += [pick(pick(one, "message"), "content") for one in _each(pick(answer, "choices"))]
    blocks += [pick(pick(one, "content"), "parts") for one in _each(pick(answer, "candidates"))]
    blocks += [pick(one, "content") for one in _each(pick(answer, "output"))]
    return "\n".join(text for block in blocks for text in _texts(block))


def _texts(block: object) -> Iterable[str]:
    if isinstance(block, str):
        yield block
    for one in _each(block):
        said = pick(one, "text")
        if isinstance(said, str):
            yield said


def _each(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else ()


def _tokens(used: object) -> tuple[str, Tokens, bool]:
    """The vendor by the shape of its usage, the tokens by kind, and whether the lifetime of cache writes is known."""
    if pick(used, "prompt_token_count", "promptTokenCount", "total_token_count", "totalTokenCount") is not None:
        return "google", _google(used), True
    if pick(used, "prompt_tokens") is not None:
        cached, written = _cached(pick(used, "prompt_tokens_details"))
        return "openai", _openai(used, "prompt_tokens", "completion_tokens", cached, written), not written
    if pick(used, "input_tokens") is None and pick(used, "output_tokens") is None:
        raise UnknownUsageError(f"{type(used).__name__} tells no usage; pass {SHAPES}, or a plain `cost`.")
    if pick(used, "input_token_details") is not None:  # LangChain's UsageMetadata: its input holds what was cached
        details = pick(used, "input_token_details")
        cached, written = _count(details, "cache_read"), _count(details, "cache_creation")
        return "langchain", _openai(used, "input_tokens", "output_tokens", cached, written), not written
    if pick(used, "total_tokens") is not None:
        kind = "langchain" if isinstance(used, Mapping) and "input_tokens_details" not in used else "openai"
        cached, written = _cached(pick(used, "input_tokens_details"))
        return kind, _openai(used, "input_tokens", "output_tokens", cached, written), not written
    return "anthropic", *_anthropic(used)


def _anthropic(used: object) -> tuple[Tokens, bool]:
    """Its input leaves out what was read from and written to the cache."""
    split = pick(used, "cache_creation")
    five_minutes, an_hour = _count(split, "ephemeral_5m_input_tokens"), _count(split, "ephemeral_1h_input_tokens")
    untold = max(0, _count(used, "cache_creation_input_tokens") - five_minutes - an_hour)
    tokens = Tokens(
        input=_count(used, "input_tokens"),
        cache_read=_count(used, "cache_read_input_tokens"),
        cache_write_5m=five_minutes + untold,
        cache_write_1h=an_hour,
        output=_count(used, "output_tokens"),
    )
    for step in _each(pick(used, "iterations")):
        if pick(step, "type") == "compaction":  # at the vendor; the sums leave it out
            tokens += _anthropic(step)[0]
    return tokens, untold == 0


def _cached(details: object) -> tuple[int, int]:
    return _count(details, "cached_tokens"), _count(details, "cache_write_tokens")


def _openai(used: object, asked: str, answered: str, cached: int, written: int) -> Tokens:
    """Its input holds what was cached, its output the reasoning."""
    plain = max(0, _count(used, asked) - cached - written)
    return Tokens(input=plain, cache_read=cached, cache_write_5m=written, output=_count(used, answered))


def _google(used: object) -> Tokens:
    """The prompt holds what was cached; thoughts are billed as output, and the results of its own tools as input."""
    cached = _count(used, "cached_content_token_count", "cachedContentTokenCount")
    prompt = _count(used, "prompt_token_count", "promptTokenCount")
    tools = _count(used, "tool_use_prompt_token_count", "toolUsePromptTokenCount")
    answer = _count(used, "candidates_token_count", "candidatesTokenCount")
    thoughts = _count(used, "thoughts_token_count", "thoughtsTokenCount")
    total = _count(used, "total_token_count", "totalTokenCount")
    output = max(answer + thoughts, total - prompt - tools)
    return Tokens(input=max(0, prompt - cached) + tools, cache_read=cached, output=output)


def _count(one: object, *names: str) -> int:
    value = None if one is None else pick(one, *names)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        raise UnknownUsageError(f"{names[0]} is {value!r}, which is no count of tokens")
    return value


def _id(vendor: str, answer: object) -> str:
    found = ident(pick(answer, "id", "response_id", "responseId"))
    if not found:
        return ""
    kind = {"anthropic": "msg", "openai": "chat" if found.startswith("chatcmpl") else "resp"}.get(vendor, "resp")
    return f"{vendor}:{kind}:{found}"


def _served(model: str, used: object, tier: object) -> str:
    """The model's id with how it was served behind it, where that has a price of its own."""
    if not model:
        return ""
    if pick(used, "speed") == "fast":
        return with_variant(model, "fast")
    if tier in ("batch", "flex", "priority"):
        return with_variant(model, str(tier))
    if pick(used, "inference_geo") == "us":
        return with_variant(model, "us")
    return model
