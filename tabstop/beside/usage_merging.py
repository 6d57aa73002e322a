"""Merging: the calls of all log files, each once, whichever files and agents tell of it, as priced groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from tabstop.agents.claude_code.responses import each_once
from tabstop.agents.log_table import LogTable
from tabstop.beside.file_memory import FileMemory
from tabstop.beside.local_prices import PricesHere
from tabstop.beside.usage_grouping import group_of, groups_of, quarter_of, quarters_of, session_of, without_branch
from tabstop.usage import Usage
from tabstop.usage_groups import UsageGroup

_NAMES = 9
"""Fields of a group that say what it is of; the others are counts."""


def merged(files: Sequence[FileMemory], prices: PricesHere) -> list[UsageGroup]:
    """Every call once, and what the clients counted beyond their calls; oldest first."""
    prices.learn(quarters_of(table for file in files for table in file.tables))
    shared = _shared(files)
    groups: list[UsageGroup] = []
    several: list[tuple[FileMemory, LogTable, set[int]]] = []
    for file in files:
        for table in file.tables:
            rows = _rows_of(table, shared)
            exact = without_branch(table.calls) - rows
            groups += groups_of(file.state.agent, table, prices, rows | exact)
            if exact:
                calls = table.calls.usages(file.state.agent, exact)
                groups += _combined(group_of(session_of(table, one.thread), one, prices) for _, one in calls)
            if rows:
                several.append((file, table, rows))
    groups += _told_by_several(several, prices)
    groups += _rests(files, groups, prices)
    groups.sort(key=lambda group: group.began)
    return groups


def _shared(files: Iterable[FileMemory]) -> set[int]:
    """Hashes of the keys that more than one table has. Within a table each key is there once."""
    every: list[int] = []
    for file in files:
        for table in file.tables:
            every += map(hash, table.calls.keys.splitlines())
    if len(set(every)) == len(every):
        return set()
    seen: set[int] = set()
    return {key for key in every if key in seen or seen.add(key)}  # type: ignore[func-returns-value]


def _rows_of(table: LogTable, shared: set[int]) -> set[int]:
    """Rows with a key among the shared. Were two hashes equal by chance, its row would only be looked at more closely."""
    if not shared:
        return set()
    return {row for key, row in table.calls.keyed() if hash(key) in shared}


def _told_by_several(several: Iterable[tuple[FileMemory, LogTable, set[int]]], prices: PricesHere) -> list[UsageGroup]:
    """Calls that several files tell of: the report that says most of each."""
    usages: list[Usage] = []
    sessions: dict[tuple[str, str], str] = {}
    for file, table, rows in several:
        for _, usage in table.calls.usages(file.state.agent, rows):
            usages.append(usage)
            of, thread = session_of(table, usage.thread), (usage.agent, usage.thread)
            sessions[thread] = min(of, sessions.get(thread, of))
    once = each_once(usages)
    prices.learn(_wanted(once))
    return _combined(group_of(sessions[usage.agent, usage.thread], usage, prices) for usage in once)


def _rests(files: Sequence[FileMemory], groups: Sequence[UsageGroup], prices: PricesHere) -> list[UsageGroup]:
    by_agent: dict[str, dict[str, list[LogTable]]] = {}
    for file in files:
        for table in file.tables:
            by_agent.setdefault(file.state.agent, {}).setdefault(table.session, []).append(table)
    if not any(table.checkpoints for file in files for table in file.tables):
        return []
    from tabstop.beside.session_rest import rests  # noqa: PLC0415 - it loads the wire, and with it half of tabstop

    found = [rest for agent, sessions in by_agent.items() for rest in rests(agent, sessions, groups)]
    prices.learn(_wanted(usage for _, usage in found))
    return [group_of(session, usage, prices) for session, usage in found]


def _wanted(usages: Iterable[Usage]) -> Mapping[str, set[int]]:
    wanted: dict[str, set[int]] = {}
    for usage in usages:
        wanted.setdefault(usage.model, set()).add(quarter_of(usage.occurred_at))
    return wanted


def _combined(groups: Iterable[UsageGroup]) -> list[UsageGroup]:
    """Groups of the same added up."""
    held: dict[tuple[object, ...], list[int]] = {}
    for group in groups:
        told = msgspec.structs.astuple(group)
        counts = held.setdefault(told[:_NAMES], [0] * (len(told) - _NAMES))
        for place, count in enumerate(told[_NAMES:]):
            counts[place] += count
    return list(_as_groups(held))


def _as_groups(held: Mapping[tuple[object, ...], Sequence[int]]) -> Iterator[UsageGroup]:
    for names, counts in held.items():
        yield UsageGroup(*names, *counts)  # type: ignore[arg-type]
