"""Local plausibility: calls in this machine's logs with more tokens than one response can have are left out, and told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from tabstop.agents.call_table import QUARTER_MICROS, CallTable, table_of
from tabstop.beside.file_memory import FileMemory
from tabstop.beside.local_prices import PricesHere
from tabstop.beside.usage_grouping import quarters_of
from tabstop.plausible import Most, most_of
from tabstop.usage import Usage

_LEAST = most_of(0)
"""What every model may have: a sum below it needs no look at its model."""

_Spot = tuple[int, int, int]
"""Who, where and quarter of an hour of a `CallSum`."""


class LeftOut(NamedTuple):
    """A call that cannot have been. which: its model and time, by which it is found in its log."""

    why: str
    which: str


class Plausible(NamedTuple):
    """The files without the calls that cannot have been, and those calls by the file's path."""

    files: Sequence[FileMemory]
    left_out: Mapping[str, Sequence[LeftOut]]


def plausible(files: Sequence[FileMemory], prices: PricesHere) -> Plausible:
    """Leave out what the server would refuse; see `tabstop.plausible`. Learns the prices of the models it doubts."""
    doubted = [(place, number) for place, file in enumerate(files) for number in _doubted(file)]
    prices.learn(quarters_of(files[place].tables[number] for place, number in doubted))
    found = list(files)
    left_out: dict[str, list[LeftOut]] = {}
    for place, number in doubted:
        file = found[place]
        table = file.tables[number]
        cannot = _cannot_be(table.calls, prices)
        if cannot:
            rows = set(range(len(table.calls))) - cannot.keys()
            kept = table_of(usage for _, usage in table.calls.usages(file.state.agent, rows))
            tables = list(file.tables)
            tables[number] = msgspec.structs.replace(table, calls=kept)
            found[place] = msgspec.structs.replace(file, tables=tables)
            left_out.setdefault(file.state.path, []).extend(cannot.values())
    return Plausible(found, left_out)


def _doubted(file: FileMemory) -> Iterable[int]:
    """Tables in which one call, or all of a quarter of an hour together, have more than every model may have."""
    for number, table in enumerate(file.tables):
        if any(one.longest > _LEAST.prompt or one.output > _LEAST.output for one in table.calls.sums):
            yield number


def _cannot_be(calls: CallTable, prices: PricesHere) -> dict[int, LeftOut]:
    """Rows that have too many tokens."""
    most: dict[_Spot, Most] = {}
    for one in calls.sums:
        price = prices.price(calls.who[one.who][0], one.quarter, calls.where[one.where][-1])
        most[one.who, one.where, one.quarter] = most_of(price.context_window if price else None)
    found: dict[int, str] = {}
    for number, (at, who, where, *tokens, output, _, _) in enumerate(calls.rows()):
        why = most[who, where, at // QUARTER_MICROS].why_not(sum(tokens), output)
        if why:
            found[number] = why
    return {number: LeftOut(found[number], _which(usage)) for number, usage in calls.usages("", found)}


def _which(usage: Usage) -> str:
    return f"{usage.model} at {usage.occurred_at.isoformat(timespec='seconds').replace('+00:00', 'Z')}"
