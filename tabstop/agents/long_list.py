"""A long list at the end of a JSON object, read element by element: what is cut or broken behind one costs none before it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tabstop.agents.claude_code.rows import LONGEST_ROW, Row, RowError, parse_row

_DECODER = json.JSONDecoder()
_BEGINS = re.compile(r"[^ \t\r\n,]")
_LENGTHS = (512, 16 * 1024, 512 * 1024, LONGEST_ROW)
"""Characters that are looked at for an element; more where it does not end in them, so that a small one costs little."""


def parts_of(content: bytes, name: str) -> Iterator[Row]:
    """First the fields that stand before the list, then each element of it; one that is no object is empty. name: the list's.

    Raises `RowError` where reading cannot go on. Memory: that of the text, and of one element of at most 8 MiB.
    """
    text = content.decode("utf-8", "replace")
    # Inside of a text its quotation marks would have `\` before them.
    found = re.search(rf'(?<!\\)"{name}"\s*:\s*\[', text)
    before = text if found is None else f"{text[: found.start()].rstrip().removesuffix(',')}}}"
    if len(before) > LONGEST_ROW:
        raise RowError("longer than 8 MiB")
    yield parse_row(before)
    if found is not None:
        yield from _objects(text, found.end())


def _objects(text: str, at: int) -> Iterator[Row]:
    while found := _BEGINS.search(text, at):
        if found[0] == "]":
            return
        value, at = _element(text, found.start())
        yield value if isinstance(value, dict) else {}
    raise RowError("half-written")


def _element(text: str, at: int) -> tuple[Any, int]:
    for size in _LENGTHS:
        try:
            value, length = _DECODER.raw_decode(text[at : at + size])
        except RecursionError as error:
            raise RowError("nested too deeply") from error
        except ValueError:
            continue
        return value, at + length
    raise RowError("half-written" if at + LONGEST_ROW >= len(text) else "not JSON, or longer than 8 MiB")
