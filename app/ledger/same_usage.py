"""Which reports are the same usage: rows that share a key, within a batch and with what is stored.

What two reports say of one response is joined part by part: the largest count, the more exact model, the earliest time.
Joining is commutative, repeating it changes nothing, and neither prompt nor output gets shorter. Where reports do not contradict each
other, neither their order nor their number matters. What a report may not change is left as it is, see `app.ledger.one_response`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from app.ledger.books import KnownUsage, UsageRow
from app.ledger.disagreement import (
    Prompt,
    Told,
    disagree,
    is_told,
    longest,
    model_family,
    outdone_of,
    prompt_of,
    told_of,
    told_once,
    told_together,
)
from app.ledger.one_response import Bounds
from app.ledger.told import as_kept, fuller
from tabstop.evidence import NOWHERE, Evidence
from tabstop.usage import Grain, Tokens, Usage


class Said(NamedTuple):
    """What a report, or what is stored, says of one response. told: by everyone, where it can be compared; disputed: it contradicts itself.

    outdone: how a prompt splits of which this one, that does not tell, is longer.
    """

    tokens: Tokens
    cache_split_known: bool
    web_searches: int
    tool_calls: int
    model: str
    occurred_at: datetime
    evidence: Evidence = NOWHERE
    told: Told = ()
    disputed: bool = False
    outdone: Prompt | None = None

    @property
    def counted(self) -> tuple[Tokens, bool, int, str]:
        """What is charged of it."""
        return self.tokens, self.cache_split_known, self.web_searches, self.model


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch sorted out.

    new: usages nobody has reported, each once. several: what was said of those of them that were told several times, by
    their first key. fuller: for stored usages (by id) of which a report says
    more than is stored, what it says. merged: stored usages found to be one (id to drop → id to keep). keys: new keys
    of stored usages. refused: for stored usages (by id), what was said of them by reports that may not change them; disputed
    where it names several that are not one response. repeated: how many reports were of usages already stored, or twice in the batch.
    """

    new: tuple[Usage, ...]
    several: Mapping[str, Said] = field(default_factory=dict)
    fuller: Mapping[int, Said] = field(default_factory=dict)
    merged: Mapping[int, int] = field(default_factory=dict)
    keys: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[int, Said] = field(default_factory=dict)
    repeated: int = 0


def sort_out(
    usages: Sequence[Usage], known: Mapping[str, KnownUsage], bounds: Bounds, evidence: Mapping[int, Evidence]
) -> Sorted:
    """Sort a batch against what is stored, within the session's bounds. evidence: of the stored usages, by its id."""
    if not known and _all_keys_differ(usages):  # the usual case
        return Sorted(tuple(usages))
    fresh = [usage for usage in usages if not _already_said(usage, known, evidence)]
    if not fresh:  # the usual case of a repeated batch
        return Sorted((), repeated=len(usages))
    groups, refused = _within(bounds, fresh, known)
    new: list[Usage] = []
    several: dict[str, Said] = {}
    fuller: dict[int, Said] = {}
    merged: dict[int, int] = {}
    keys: dict[str, int] = {}
    for members in groups:
        stored = _named(members, known)
        if not stored:
            one = members[0]
            if len(members) > 1:
                said = _joined_all([said_of(member) for member in members])
                one = _together(members, said)
                several[one.keys[0]] = said
            new.append(one)
            continue
        keep = min(stored)
        for usage in members:
            for key in usage.keys:
                if key not in known:
                    keys[key] = keep
        if len(stored) > 1 or not all(_says_no_more(usage, stored[keep], evidence) for usage in members):
            fuller[keep] = _joined_all([said_of(member) for member in members])
            merged.update((other, keep) for other in stored if other != keep)
    return Sorted(tuple(new), several, fuller, merged, keys, refused, len(usages) - len(new))


def joined(one: Said, other: Said) -> Said:
    """What both together say.

    A prompt of which it is known what was cached, and for how long, stands in place of one of which it is not: they are the same
    tokens. A longer one stays, since some of it would not be accounted for; how the other splits is remembered.
    """
    told = told_together(one.told, other.told)
    both = (one, other)
    split = [prompt_of(said.tokens) if said.cache_split_known else said.outdone for said in both]
    known = [parts for parts in split if parts is not None]
    whole = max((prompt_of(said.tokens) for said in both if not said.cache_split_known), key=_in_order, default=None)
    best = longest(known) if known else None
    stands = whole if best is None or (whole is not None and sum(whole) > sum(best)) else best
    return Said(
        Tokens(
            *(stands or prompt_of(one.tokens)),
            max(one.tokens.output, other.tokens.output),
        ),
        stands is best,
        max(one.web_searches, other.web_searches),
        max(one.tool_calls, other.tool_calls),
        max(one.model, other.model, key=lambda model: (len(model), model)),
        min(one.occurred_at, other.occurred_at),
        fuller(one.evidence, other.evidence),
        told,
        one.disputed or other.disputed or disagree(told),
        None if stands is best else best,
    )


def _in_order(parts: Prompt) -> tuple[int, Prompt]:
    """Of prompts that do not tell how they split one stands as a whole: the longest."""
    return sum(parts), parts


def said_of(usage: Usage) -> Said:
    """What a report says."""
    where = as_kept(usage.evidence)
    calls, comparable = len(usage.tool_calls), usage.grain is Grain.CALL
    return Said(
        usage.tokens,
        usage.cache_split_known,
        usage.web_searches,
        calls,
        usage.model,
        usage.occurred_at,
        where,
        told_once(usage.model, usage.tokens, splits=usage.cache_split_known) if comparable else (),
    )


def said_by(row: UsageRow, evidence: Mapping[int, Evidence]) -> Said:
    """What a stored row says. evidence: of the stored usages, by its id."""
    where = NOWHERE if row.evidence_id is None else evidence[row.evidence_id]
    return Said(
        row.tokens,
        row.cache_split_known,
        row.web_searches,
        row.tool_calls,
        row.model,
        row.occurred_at,
        where,
        told_of(row),
        row.disputed,
        outdone_of(row),
    )


def _together(members: Sequence[Usage], said: Said) -> Usage:
    """Several reports of one response, which together say this, as one."""
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
        said.output <= stored.output
        and _prompt_says_no_more(usage, stored)
        and usage.web_searches <= stored.web_searches
        and len(usage.tool_calls) <= stored.tool_calls
        and (usage.model == stored.model or (len(usage.model), usage.model) <= (len(stored.model), stored.model))
        and usage.occurred_at >= stored.occurred_at
        and (usage.evidence is NOWHERE or _tells_no_more(usage.evidence, stored.evidence_id, evidence))
        and (stored.disputed or usage.grain is not Grain.CALL or _tells_the_same(usage, stored))
    )


def _tells_the_same(usage: Usage, stored: KnownUsage) -> bool:
    """Whether a call's counts and model are those stored, so that there is nothing to disagree about.

    Where it does not tell how its prompt splits, it is enough that its prompt is no longer.
    """
    said = usage.tokens
    if stored.told:
        return is_told(stored.told, told_once(usage.model, said, splits=usage.cache_split_known))
    return said.output == stored.output and (
        not usage.cache_split_known
        or (
            said.input == stored.input
            and said.cache_read == stored.cache_read
            and said.cache_write_5m == stored.cache_write_5m
            and said.cache_write_1h == stored.cache_write_1h
            and (usage.model == stored.model or model_family(usage.model) == model_family(stored.model))
        )
    )


def _tells_no_more(told: Evidence, stored: int | None, evidence: Mapping[int, Evidence]) -> bool:
    before = NOWHERE if stored is None else evidence[stored]
    return fuller(before, as_kept(told)) == before


def _prompt_says_no_more(usage: Usage, stored: KnownUsage) -> bool:
    said = usage.tokens
    if usage.cache_split_known != stored.cache_split_known:
        return stored.cache_split_known and said.prompt <= sum(stored.prompt)
    if not stored.cache_split_known:
        return _in_order(prompt_of(said)) <= _in_order(stored.prompt)
    return (
        said.input <= stored.input
        and said.cache_read <= stored.cache_read
        and said.cache_write_5m <= stored.cache_write_5m
        and said.cache_write_1h <= stored.cache_write_1h
    )


def _within(
    bounds: Bounds, usages: Sequence[Usage], known: Mapping[str, KnownUsage]
) -> tuple[list[list[Usage]], dict[int, Said]]:
    """Reports that are of one response, and by stored usage what was said of it that may not be. Those count as repeats."""
    allowed: list[Usage] = []
    refused: dict[int, Said] = {}

    def refuse(usage: Usage, named: Collection[int]) -> None:
        first, said = min(named), said_of(usage)
        said = said._replace(disputed=said.disputed or len(named) > 1)
        refused[first] = joined(refused[first], said) if first in refused else said

    for usage in usages:
        named = _named([usage], known)
        if bounds.allow(named):
            allowed.append(usage)
        else:
            refuse(usage, named)
    groups: list[list[Usage]] = []
    for members in _one_per_response(allowed, known):
        if bounds.may_be_one(_named(members, known)):
            groups.append(members)
        else:
            groups += _by_owner(members, known, refuse)
    return groups, refused


def _named(usages: Sequence[Usage], known: Mapping[str, KnownUsage]) -> dict[int, KnownUsage]:
    """The stored usages, by id, whose keys these reports have."""
    return {found.id: found for usage in usages for key in usage.keys if (found := known.get(key)) is not None}


def _by_owner(
    members: Sequence[Usage], known: Mapping[str, KnownUsage], refuse: Callable[[Usage, Collection[int]], None]
) -> list[list[Usage]]:
    """Reports that hang together by their keys, though what they name is not one response: those of each usage, and those of none.

    A report goes with the usage whose keys it has by then. One that turns out to name two is refused.
    """
    owner = {key: found.id for key, found in known.items()}
    parts: dict[int, list[Usage]] = {}
    waiting, before = list(members), 0
    while len(waiting) != before:
        before, rest = len(waiting), []
        for usage in waiting:
            owners = {owner[key] for key in usage.keys if key in owner}
            if len(owners) > 1:
                refuse(usage, owners)
            elif owners:
                parts.setdefault(min(owners), []).append(usage)
                owner |= dict.fromkeys(usage.keys, min(owners))
            else:
                rest.append(usage)
        waiting = rest
    return [*parts.values(), *_one_per_response(waiting, known)]


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
