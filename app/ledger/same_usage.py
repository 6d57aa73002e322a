"""Which reports are the same usage: rows that share a key, within a batch and with what is stored.

What two reports say of one response is joined part by part: the largest count, the more exact model, the earliest time.
Joining is commutative and repeating it changes nothing, so neither order nor number of reports matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from app.ledger.books import KnownUsage, UsageRow
from app.ledger.told import as_kept, fuller
from tabstop.evidence import NOWHERE, Evidence
from tabstop.usage import Tokens, Usage


class Said(NamedTuple):
    """What a report, or what is stored, says of one response."""

    tokens: Tokens
    cache_split_known: bool
    web_searches: int
    tool_calls: int
    model: str
    occurred_at: datetime
    evidence: Evidence = NOWHERE


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch sorted out.

    new: usages nobody has reported, each once. fuller: for stored usages (by id) of which a report says
    more than is stored, what it says. merged: stored usages found to be one (id to drop → id to keep). keys: new keys
    of stored usages. repeated: how many reports were of usages already stored, or twice in the batch.
    """

    new: tuple[Usage, ...]
    fuller: Mapping[int, Said]
    merged: Mapping[int, int]
    keys: Mapping[str, int]
    repeated: int


def sort_out(
    usages: Sequence[Usage], known: Mapping[str, KnownUsage], evidence: Mapping[int, Evidence] | None = None
) -> Sorted:
    """Sort a batch against what is stored. evidence: of the stored usages, by its id."""
    told = evidence or {}
    if not known and _all_keys_differ(usages):  # the usual case
        return Sorted(tuple(usages), {}, {}, {}, 0)
    fresh = [usage for usage in usages if not _already_said(usage, known, told)]
    if not fresh:  # the usual case of a repeated batch
        return Sorted((), {}, {}, {}, len(usages))
    new: list[Usage] = []
    fuller: dict[int, Said] = {}
    merged: dict[int, int] = {}
    keys: dict[str, int] = {}
    for members in _one_per_response(fresh, known):
        stored = {found.id: found for usage in members for key in usage.keys if (found := known.get(key)) is not None}
        if not stored:
            new.append(members[0] if len(members) == 1 else _together(members))
            continue
        keep = min(stored)
        for usage in members:
            for key in usage.keys:
                if key not in known:
                    keys[key] = keep
        if len(stored) > 1 or not all(_says_no_more(usage, stored[keep], told) for usage in members):
            fuller[keep] = _joined_all([said_of(member) for member in members])
            merged.update((other, keep) for other in stored if other != keep)
    return Sorted(tuple(new), fuller, merged, keys, len(usages) - len(new))


def joined(one: Said, other: Said) -> Said:
    """What both together say.

    Cache writes whose time to live is known stand in place of those where it is not: they are the same tokens.
    """
    a, b = one.tokens, other.tokens
    if one.cache_split_known == other.cache_split_known:
        writes = (max(a.cache_write_5m, b.cache_write_5m), max(a.cache_write_1h, b.cache_write_1h))
    else:
        exact = a if one.cache_split_known else b
        writes = (exact.cache_write_5m, exact.cache_write_1h)
    return Said(
        Tokens(max(a.input, b.input), max(a.cache_read, b.cache_read), *writes, max(a.output, b.output)),
        one.cache_split_known or other.cache_split_known,
        max(one.web_searches, other.web_searches),
        max(one.tool_calls, other.tool_calls),
        max(one.model, other.model, key=lambda model: (len(model), model)),
        min(one.occurred_at, other.occurred_at),
        fuller(one.evidence, other.evidence),
    )


def said_of(usage: Usage) -> Said:
    """What a report says."""
    where = as_kept(usage.evidence)
    calls = len(usage.tool_calls)
    return Said(usage.tokens, usage.cache_split_known, usage.web_searches, calls, usage.model, usage.occurred_at, where)


def said_by(row: UsageRow, evidence: Mapping[int, Evidence]) -> Said:
    """What a stored row says. evidence: of the stored usages, by its id."""
    where = NOWHERE if row.evidence_id is None else evidence[row.evidence_id]
    searches, calls = row.web_searches, row.tool_calls
    return Said(row.tokens, row.cache_split_known, searches, calls, row.model, row.occurred_at, where)


def _together(members: Sequence[Usage]) -> Usage:
    """Several reports of one response as one."""
    said = _joined_all([said_of(member) for member in members])
    earliest = min(members, key=lambda usage: usage.occurred_at)
    return replace(
        earliest,
        keys=tuple(dict.fromkeys(key for member in members for key in member.keys)),
        tokens=said.tokens,
        cache_split_known=said.cache_split_known,
        web_searches=said.web_searches,
        tool_calls=max((member.tool_calls for member in members), key=len),
        model=said.model,
        occurred_at=said.occurred_at,
        evidence=said.evidence,
    )


def _joined_all(parts: Sequence[Said]) -> Said:
    whole = parts[0]
    for part in parts[1:]:
        whole = joined(whole, part)
    return whole


def _already_said(usage: Usage, known: Mapping[str, KnownUsage], evidence: Mapping[int, Evidence]) -> bool:
    """Whether every key of a report is one stored usage's, which says as much: it joins nothing and changes nothing."""
    first = known.get(usage.keys[0])
    if first is None:
        return False
    for key in usage.keys:
        other = known.get(key)
        if other is None or other.id != first.id:
            return False
    return _says_no_more(usage, first, evidence)


def _says_no_more(usage: Usage, stored: KnownUsage, evidence: Mapping[int, Evidence]) -> bool:
    """Whether joining this report to what is stored would change nothing; the usual case, so without building values."""
    said = usage.tokens
    return (
        said.input <= stored.input
        and said.cache_read <= stored.cache_read
        and said.output <= stored.output
        and _writes_no_more(usage, stored)
        and usage.web_searches <= stored.web_searches
        and len(usage.tool_calls) <= stored.tool_calls
        and (usage.model == stored.model or (len(usage.model), usage.model) <= (len(stored.model), stored.model))
        and usage.occurred_at >= stored.occurred_at
        and (usage.evidence is NOWHERE or _tells_no_more(usage.evidence, stored.evidence_id, evidence))
    )


def _tells_no_more(told: Evidence, stored: int | None, evidence: Mapping[int, Evidence]) -> bool:
    before = NOWHERE if stored is None else evidence[stored]
    return fuller(before, as_kept(told)) == before


def _writes_no_more(usage: Usage, stored: KnownUsage) -> bool:
    if usage.cache_split_known != stored.cache_split_known:
        return stored.cache_split_known
    return usage.tokens.cache_write_5m <= stored.cache_write_5m and usage.tokens.cache_write_1h <= stored.cache_write_1h


def _all_keys_differ(usages: Sequence[Usage]) -> bool:
    keys = [key for usage in usages for key in usage.keys]
    return len(set(keys)) == len(keys)


def _one_per_response(usages: Sequence[Usage], known: Mapping[str, KnownUsage]) -> list[list[Usage]]:
    """Join reports that share a key or a stored usage, also through a third."""
    first_with: dict[str | int, int] = {}
    joins: list[tuple[int, int]] = []
    for number, usage in enumerate(usages):
        for key in usage.keys:
            other = first_with.setdefault(key, number)
            if other != number:
                joins.append((other, number))
            found = known.get(key)
            if found is not None:
                other = first_with.setdefault(found.id, number)
                if other != number:
                    joins.append((other, number))
    if not joins:
        return [[usage] for usage in usages]
    groups = {number: [number] for number in range(len(usages))}
    for one, other in joins:
        larger, smaller = sorted((groups[one], groups[other]), key=len, reverse=True)
        if larger is not smaller:
            larger += smaller
            groups.update(dict.fromkeys(smaller, larger))
    distinct = {id(group): group for group in groups.values()}
    return [[usages[number] for number in sorted(group)] for group in distinct.values()]
