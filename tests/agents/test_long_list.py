"""A long list in a JSON object, element by element: the same as reading it whole, and what stands before a cut."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.agents.claude_code.rows import LONGEST_ROW, RowError
from tabstop.agents.long_list import parts_of

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(['"messages": [', "\\", "]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=6), ANY, max_size=4)


def read(content: bytes) -> tuple[list[dict[str, Any]], str]:
    """What is read, and why no more."""
    found = []
    try:
        for part in parts_of(content, "messages"):
            found.append(part)  # noqa: PERF402 - what came before the error counts
    except RowError as error:
        return found, str(error)
    return found, ""


@given(about=st.text(max_size=9), messages=st.lists(OBJECTS, max_size=4), indent=st.sampled_from([None, 1]))
def test_it_is_what_stands_there(about: str, messages: list[dict[str, Any]], indent: int | None) -> None:
    """However it is written, and whatever its texts quote."""
    whole = {"sessionId": about, "messages": messages, "kind": "main"}
    for ascii_only in (True, False):
        content = json.dumps(whole, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        if b"\xed" not in content:  # half a character is no UTF-8
            assert read(content) == ([{"sessionId": about}, *messages], "")


@given(messages=st.lists(OBJECTS, min_size=1, max_size=4), data=st.data())
def test_what_stands_before_a_cut(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    """Is read, and no more."""
    content = json.dumps({"sessionId": "s", "messages": messages}).encode()
    cut = data.draw(st.integers(len(b'{"sessionId": "s", "messages": ['), len(content) - 3))
    found, why = read(content[:cut])
    assert found == [{"sessionId": "s"}, *messages][: len(found)]
    assert why == "half-written"


@pytest.mark.parametrize(
    ("content", "parts", "why"),
    [
        (b"", 0, "not JSON"),
        (b"{", 0, "not JSON"),
        (b"[]", 0, "not a JSON object"),
        (b"{}", 1, ""),
        (b'{"messages": []}', 1, ""),
        (b'{"messages": [7, null, {}]}', 4, ""),
        (b'{"messages": [{}, x' + b" " * LONGEST_ROW + b"]}", 2, "not JSON, or longer than 8 MiB"),
        (b'{"messages": [{}, ' + b"[" * 100_000, 2, "nested too deeply"),
        (b'{"a": "' + b"a" * LONGEST_ROW + b'"}', 0, "longer than 8 MiB"),
        (b'{"messages": [{"a": "' + b"a" * 600_000 + b'"}, {"b": "\xff"}]}', 3, ""),
    ],
)
def test_what_else_there_may_be(content: bytes, parts: int, why: str) -> None:
    """Whatever cannot be read ends it, with the reason."""
    found, told = read(content)
    assert (len(found), told) == (parts, why)


def test_memory_does_not_grow_with_the_list() -> None:
    """Read at once, a list of next to nothing becomes twenty times as much."""
    content = b'{"messages": [' + b"{}," * 400_000 + b"{}]}"
    tracemalloc.start()
    try:
        assert sum(1 for _ in parts_of(content, "messages")) == 400_002
        assert tracemalloc.get_traced_memory()[1] < 4 * len(content)
    finally:
        tracemalloc.stop()
