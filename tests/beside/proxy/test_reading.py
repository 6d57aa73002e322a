"""Requests, API by API, without a network: what is read of them, every byte of it, and what cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from tabstop.beside.proxy.call import Api, Change, NotReadError, Part, longest, objects, written
from tests.beside.proxy.apis import ANTHROPIC, CHAT, GEMINI, GEMINI_PATH, RESPONSES, size, user


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


def test_marks_for_the_cache_do_not_make_a_message_new() -> None:
    """Claude Code moves them from message to message."""
    plain = {"messages": [user({"type": "text", "text": "a"})]}
    for mark in ({"type": "ephemeral"}, None):
        marked = {"messages": [user({"type": "text", "text": "a", "cache_control": mark})]}
        assert [part.key for part in ANTHROPIC.read("", plain).parts] == [
            part.key for part in ANTHROPIC.read("", marked).parts
        ]


def test_gemini_needs_a_model_in_its_path() -> None:
    """Without one there is no price."""
    with pytest.raises(NotReadError, match="names no model"):
        GEMINI.read("/v1beta/models", {})
