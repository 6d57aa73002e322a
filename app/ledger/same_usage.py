"""Which reports are the same usage: rows that share a key, within a batch and with what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from app.ledger.books import KnownUsage
from tabstop.usage import Tokens, Usage


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch sorted out.

    new: usages nobody has reported. fuller: stored usages (by id) of which a report says more than is stored.
    merged: stored usages found to be one (id to drop → id to keep). keys: new keys of stored usages.
    repeated: how many reports said nothing new.
    """

    new: tuple[Usage, ...]
    fuller: Mapping[int, Usage]
    merged: Mapping[int, int]
    keys: Mapping[str, int]
    repeated: int


def sort_out(usages: Sequence[Usage], known: Mapping[str, KnownUsage]) -> Sorted:
    """Sort a batch against what is stored. The order of reports does not matter: of each kind the largest count stays."""
    new: list[Usage] = []
    fuller: dict[int, Usage] = {}
    merged: dict[int, int] = {}
    keys: dict[str, int] = {}
    groups = _one_per_response(usages)
    for usage in groups:
        stored = {known[key].id: known[key] for key in usage.keys if key in known}
        if not stored:
            new.append(usage)
            continue
        keep = min(stored)
        merged.update(dict.fromkeys((other for other in stored if other != keep), keep))
        keys.update({key: keep for key in usage.keys if key not in known})
        if usage.tokens.total > stored[keep].tokens or len(stored) > 1:
            fuller[keep] = _largest([usage, fuller[keep]]) if keep in fuller else usage
    return Sorted(tuple(new), fuller, merged, keys, len(usages) - len(new))


def largest_tokens(counts: Iterable[Tokens]) -> Tokens:
    """Of each kind the largest count."""
    found = list(counts)
    return Tokens(*(max(getattr(tokens, f.name) for tokens in found) for f in fields(Tokens)))


def _one_per_response(usages: Sequence[Usage]) -> list[Usage]:
    """Join reports that share a key, also through a third."""
    group_of: dict[str, int] = {}
    groups: dict[int, list[Usage]] = {}
    for number, usage in enumerate(usages):
        touched = sorted({group_of[key] for key in usage.keys if key in group_of})
        home = touched[0] if touched else number
        groups.setdefault(home, [])
        for other in touched[1:]:
            groups[home].extend(groups.pop(other))
        groups[home].append(usage)
        if len(touched) > 1:
            group_of.update({key: home for member in groups[home] for key in member.keys})
        else:
            group_of.update(dict.fromkeys(usage.keys, home))
    return [members[0] if len(members) == 1 else _largest(members) for members in groups.values()]


def _largest(members: Sequence[Usage]) -> Usage:
    best = max(members, key=lambda usage: (usage.tokens.total, usage.keys))
    return replace(
        best,
        keys=tuple(dict.fromkeys(key for member in members for key in member.keys)),
        tokens=largest_tokens(member.tokens for member in members),
        occurred_at=min(member.occurred_at for member in members),
        web_searches=max(member.web_searches for member in members),
    )
