"""Call table: the calls of one log file in columns, small enough to keep, with their keys as 8-byte hashes.

100,000 `Usage` objects take half a second to make and hundreds of bytes each; the same calls in columns take a tenth of both.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import chain

import msgspec

from tabstop.evidence import Evidence
from tabstop.usage import Tokens, Usage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Row = tuple[int, int, int, int, int, int, int, int, int, int]
"""at (microseconds since 1970 UTC), who, where, input, cache read, cache write 5 min and 1 h, output, web searches, split known."""

_HASH = 8
"""Bytes of a key's hash: among a billion keys, two are equal by chance once in forty machines."""

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
    column after the other, 8 bytes each. keys: a hash of every key; key_rows: the row of each. sums: of the same calls.
    """

    who: tuple[tuple[str, str], ...] = ()
    where: tuple[tuple[str, str, str, str], ...] = ()
    columns: bytes = b""
    keys: bytes = b""
    key_rows: bytes = b""
    sums: tuple[CallSum, ...] = ()

    def __len__(self) -> int:
        """How many calls."""
        return len(self.columns) // (8 * NUMBERS)

    def rows(self) -> Iterator[Row]:
        """The calls' numbers. Raises `ValueError` for columns of different lengths."""
        numbers = array("q")
        numbers.frombytes(self.columns)
        length, rest = divmod(len(numbers), NUMBERS)
        if rest:
            raise ValueError("the columns of a call table are not of one length")
        columns = [numbers[start : start + length] for start in range(0, length * NUMBERS, length or 1)][:NUMBERS]
        return zip(*columns, strict=True)

    def usages(self, agent: str, rows: Container[int] | None = None) -> Iterator[tuple[int, Usage]]:
        """Calls as usages, with their row's number; the keys are only hashes. rows: which; None for all."""
        keys: dict[int, list[str]] = {}
        for key, row in zip(hashes(self.keys), array("Q", self.key_rows), strict=True):
            if rows is None or row in rows:
                keys.setdefault(row, []).append(f"{key:016x}")
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


def call_table(who: Names, where: Names, rows: Sequence[tuple[Row, Sequence[str]]]) -> CallTable:
    """Put calls into columns. rows: each with its keys, as `Usage` has them."""
    keys = [of_row for _, of_row in rows]
    columns = array("q", chain.from_iterable(zip(*(row for row, _ in rows), strict=True)))
    return CallTable(
        who=tuple(who.given),  # type: ignore[arg-type]
        where=tuple(where.given),  # type: ignore[arg-type]
        columns=columns.tobytes(),
        keys=b"".join([blake2b(key.encode(), digest_size=_HASH).digest() for of_row in keys for key in of_row]),
        key_rows=array("Q", [place for place, of_row in enumerate(keys) for _ in of_row]).tobytes(),
        sums=sums_of(row for row, _ in rows),
    )


def sums_of(rows: Iterable[Row]) -> tuple[CallSum, ...]:
    """Add calls up."""
    held: dict[tuple[int, int, int], list[int]] = {}
    for at, who, where, fresh, read, five_minutes, an_hour, output, searches, split in rows:
        key = (who, where, at // QUARTER_MICROS)
        sums = held.get(key)
        if sums is None:
            sums = held[key] = [0, 0, 0, 0, 0, 0, 0, 0, 0]
        prompt = fresh + read + five_minutes + an_hour
        sums[0] += 1
        sums[1] += fresh
        sums[2] += read
        sums[3] += five_minutes
        sums[4] += an_hour
        sums[5] += output
        sums[6] += searches
        sums[7] = max(sums[7], prompt)
        if not split:
            sums[8] += 1
    return tuple(CallSum(*key, *sums) for key, sums in held.items())


def table_of(usages: Iterable[Usage]) -> CallTable:
    """The same calls in columns. Each usage must be there once."""
    who, where = Names(), Names()
    return call_table(who, where, [(_row(one, who, where), one.keys) for one in usages])


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
    return (at - _EPOCH) // _MICROSECOND


def hashes(keys: bytes) -> array[int]:
    """Hashes as numbers. Raises `ValueError` when bytes are missing."""
    return array("Q", keys)
