"""Call table: the calls of one log file in columns, small enough to keep.

100,000 `Usage` objects take half a second to make and hundreds of bytes each; the same calls in columns take a fifth of both.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from tabstop.evidence import Evidence
from tabstop.usage import Tokens, Usage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Row = tuple[int, int, int, int, int, int, int, int, int, int]
"""at (microseconds since 1970 UTC), who, where, input, cache read, cache write 5 min and 1 h, output, web searches, split known."""

NUMBERS = 10
"""Numbers of a row."""

QUARTER_MICROS = 900_000_000
"""Microseconds of a quarter of an hour."""


class CallSum(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Calls of one who and where in one quarter of an hour (counted from 1970 UTC), added up.

    longest: tokens of the longest prompt; unsplit: calls whose cache writes have no known lifetime. Both decide whether the sum has
    the same price as its calls.
    """

    who: int
    where: int
    quarter: int
    calls: int
    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int
    web_searches: int
    longest: int
    unsplit: int


class CallTable(msgspec.Struct, frozen=True, array_like=True):
    """Calls, each response once, in any order.

    who: (model, thread); where: (repository, branch, commit, folder); rows name both by index. columns: the numbers of `Row`, a
    column after the other, 8 bytes each. keys: every key, a line each; key_rows: the row of each, 8 bytes. sums: of the same calls.
    """

    who: tuple[tuple[str, str], ...] = ()
    where: tuple[tuple[str, str, str, str], ...] = ()
    columns: bytes = b""
    keys: str = ""
    key_rows: bytes = b""
    sums: tuple[CallSum, ...] = ()

    def __len__(self) -> int:
        """How many calls."""
        return len(self.columns) // (8 * NUMBERS)

    def rows(self) -> Iterator[Row]:
        """The calls' numbers."""
        numbers, length = array("q"), len(self)
        numbers.frombytes(self.columns)
        columns = [numbers[start : start + length] for start in range(0, length * NUMBERS, length or 1)]
        return zip(*columns, strict=True)

    def keyed(self) -> Iterator[tuple[str, int]]:
        """Every key with its row's number. Raises `ValueError` when bytes are missing."""
        return zip(self.keys.splitlines(), array("Q", self.key_rows), strict=True)

    def usages(self, agent: str, rows: Container[int] | None = None) -> Iterator[tuple[int, Usage]]:
        """Calls as usages, with their row's number. rows: which; None for all."""
        keys: dict[int, list[str]] = {}
        for key, row in self.keyed():
            if rows is None or row in rows:
                keys.setdefault(row, []).append(key)
        for number, one in enumerate(self.rows()):
            if rows is None or number in rows:
                at, who, where, *tokens, searches, split = one
                model, thread = self.who[who]
                yield (
                    number,
                    Usage(
                        keys=tuple(sorted(keys.get(number, ()))),
                        model=model,
                        tokens=Tokens(*tokens),
                        occurred_at=_EPOCH + at * _MICROSECOND,
                        agent=agent,
                        thread=thread,
                        web_searches=searches,
                        cache_split_known=bool(split),
                        evidence=Evidence(*self.where[where]),
                    ),
                )


@dataclass(slots=True)
class Names:
    """Numbers given to names in the order of their first appearance."""

    given: dict[tuple[str, ...], int] = field(default_factory=dict)

    def number(self, *name: str) -> int:
        """The number of this name."""
        return self.given.setdefault(name, len(self.given))


def call_table(
    who: Names, where: Names, rows: Sequence[Row], keys: Sequence[str], key_rows: Sequence[int]
) -> CallTable:
    """Put calls into columns. keys: as `Usage` has them, without line ends; key_rows: the row of each."""
    columns = list(zip(*rows, strict=True))
    return CallTable(
        who=tuple(who.given),  # type: ignore[arg-type]
        where=tuple(where.given),  # type: ignore[arg-type]
        columns=b"".join(array("q", column).tobytes() for column in columns),
        keys="\n".join(keys),
        key_rows=array("Q", key_rows).tobytes(),
        sums=_sums(columns) if columns else (),
    )


def sums_of(rows: Iterable[Row]) -> tuple[CallSum, ...]:
    """Add calls up."""
    columns = list(zip(*rows, strict=True))
    return _sums(columns) if columns else ()


def _sums(columns: Sequence[Sequence[int]]) -> tuple[CallSum, ...]:
    """Calls that follow each other are mostly of one sum: a column's part is added up at once."""
    at, who, where, *tokens, output, searches, split = columns
    prompts = list(map(sum, zip(*tokens, strict=True)))
    keys = list(zip(who, where, [one // QUARTER_MICROS for one in at], strict=True))
    held: dict[tuple[int, int, int], CallSum] = {}
    begin = 0
    for end in [*(place for place in range(1, len(keys)) if keys[place] != keys[place - 1]), len(keys)]:
        part = slice(begin, end)
        counts = [sum(column[part]) for column in (*tokens, output, searches)]
        last = [max(prompts[part]), end - begin - sum(split[part])]
        new = CallSum(*keys[begin], end - begin, *counts, *last)
        before = held.get(keys[begin])
        held[keys[begin]] = new if before is None else _added(before, new)
        begin = end
    return tuple(held.values())


def _added(one: CallSum, other: CallSum) -> CallSum:
    """Both together; of the same who, where and quarter."""
    return CallSum(
        one.who,
        one.where,
        one.quarter,
        one.calls + other.calls,
        one.input + other.input,
        one.cache_read + other.cache_read,
        one.cache_write_5m + other.cache_write_5m,
        one.cache_write_1h + other.cache_write_1h,
        one.output + other.output,
        one.web_searches + other.web_searches,
        max(one.longest, other.longest),
        one.unsplit + other.unsplit,
    )


def table_of(usages: Iterable[Usage]) -> CallTable:
    """The same calls in columns. Each usage must be there once."""
    who, where = Names(), Names()
    rows: list[Row] = []
    keys: list[str] = []
    key_rows: list[int] = []
    for number, one in enumerate(usages):
        rows.append(_row(one, who, where))
        keys += map(_in_a_line, one.keys)
        key_rows += [number] * len(one.keys)
    return call_table(who, where, rows, keys, key_rows)


def _in_a_line(key: str) -> str:
    """A key that names a file may hold anything that a file's name may."""
    return key if key.isascii() and key.isprintable() else ascii(key)


def _row(usage: Usage, who: Names, where: Names) -> Row:
    tokens, told = usage.tokens, usage.evidence
    return (
        micros(usage.occurred_at),
        who.number(usage.model, usage.thread),
        where.number(told.repository, told.branch, told.commit, told.folder),
        tokens.input,
        tokens.cache_read,
        tokens.cache_write_5m,
        tokens.cache_write_1h,
        tokens.output,
        usage.web_searches,
        int(usage.cache_split_known),
    )


def micros(at: datetime) -> int:
    """Microseconds since 1970 of a timezone-aware time."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds  # half the time of a division
