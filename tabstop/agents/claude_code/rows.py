"""Rows of Claude Code's JSONL files, read with bounded memory and without trust: lines, fields, times, counts."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

LONGEST_ROW = 8 * 1024 * 1024
"""Bytes of the longest row that is read; rows with pasted images come near it, rows with usage stay far below."""

MOST_TOKENS = 10**12
"""A count above this is no count: the largest real context window is a million."""

_DETAILS = 50
_IDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/\[\]-]{0,199}")

is_ident = _IDENT.fullmatch
"""Whether a text is an id or a model's name as it may be stored and sent."""

Row = dict[str, Any]


class RowError(ValueError):
    """A row that cannot be used; the text says why, without quoting it."""


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A line that was not read, by its number in the file (from 1), and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Skips:
    """What was skipped: every reason counted, the first fifty lines kept."""

    reasons: Counter[str] = field(default_factory=Counter)
    first: list[SkippedRow] = field(default_factory=list)

    def add(self, line: int, reason: str) -> None:
        """Count one more."""
        self.reasons[reason] += 1
        if len(self.first) < _DETAILS:
            self.first.append(SkippedRow(line, reason))


class Lines(Protocol):
    """An open file, as far as it is needed here."""

    def readline(self, size: int, /) -> bytes:
        """Up to the next line's end, or so many bytes of it."""


def lines_of(stream: Lines, longest: int = LONGEST_ROW) -> Iterator[bytes | None]:
    """The lines of an open file, ends included; None in place of one that is longer than `longest` bytes."""
    while line := stream.readline(longest + 1):
        if len(line) <= longest or line.endswith(b"\n"):
            yield line
            continue
        while (rest := stream.readline(1 << 20)) and not rest.endswith(b"\n"):
            pass
        yield None


def rows_of(lines: Iterable[bytes | None], skips: Skips) -> Iterator[tuple[int, Row]]:
    """The JSON objects among the lines, each with its line's number; everything else goes to `skips`."""
    for number, line in enumerate(lines, start=1):
        if line is None:
            skips.add(number, "longer than 8 MiB")
        elif line.strip():
            try:
                yield number, parse_row(line)
            except RowError as error:
                # A row being written, or one cut off by the end of its process, has no line end yet.
                skips.add(number, str(error) if line.endswith(b"\n") else "half-written")


def parse_row(line: bytes | str) -> Row:
    """One JSON object. Bytes that are no UTF-8 spoil the text they are in, not its row. Raises `RowError`."""
    try:
        value = json.loads(line, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        return parse_row(str(error.object, errors="replace"))
    except RecursionError as error:
        raise RowError("nested too deeply") from error
    except ValueError as error:
        raise RowError("not JSON") from error
    if not isinstance(value, dict):
        raise RowError("not a JSON object")
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def ident(value: object) -> str:
    """An id or a model's name as it may be stored and sent; empty for anything else."""
    return value if isinstance(value, str) and _IDENT.fullmatch(value) else ""


def text(value: object, longest: int = 1_000) -> str:
    """A short printable text (a branch, a path); empty for anything else."""
    return value if isinstance(value, str) and len(value) <= longest and value.isprintable() else ""


def moment(value: object) -> datetime | None:
    """An ISO 8601 time with a zone, in UTC; None for anything else."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is UTC:
            return at
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def count(row: Row, name: str) -> int:
    """A count of tokens or requests; 0 when absent. Raises `RowError` for what is no count."""
    value = row.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        raise RowError(f"{name} is not a count")
    return value


def mapping(value: object) -> Row:
    """The object itself, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}
