"""Responses, each once: the same model response is written down several times, and by several files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tabstop.evidence import Evidence
from tabstop.usage import Usage


class Responses:
    """Usages by every key they are known under. Adding one twice, or in another order, changes nothing.

    A transcript repeats a response's usage in each of its content blocks, early ones with smaller counts; a fork copies
    rows of its parent with the same ids. Of several reports the one with the most tokens counts.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._place: dict[str, int] = {}
        self._held: dict[int, Usage] = {}

    def __contains__(self, keys: tuple[str, ...]) -> bool:
        """Whether any of the keys is known."""
        return any(key in self._place for key in keys)

    def add(self, usage: Usage) -> None:
        """Take in one report. Reports that share a key are one response."""
        places = {self._place[key] for key in usage.keys if key in self._place}
        for place in sorted(places):
            usage = _joined(self._held.pop(place), usage)
        target = min(places, default=len(self._place))
        self._held[target] = usage
        for key in usage.keys:
            self._place[key] = target

    def usages(self) -> tuple[Usage, ...]:
        """Every response once, oldest first."""
        return tuple(sorted(self._held.values(), key=lambda u: (u.occurred_at, u.keys)))


def each_once(usages: Iterable[Usage]) -> tuple[Usage, ...]:
    """Every response once, oldest first."""
    responses = Responses()
    for usage in usages:
        responses.add(usage)
    return responses.usages()


def _joined(one: Usage, other: Usage) -> Usage:
    best = max(one, other, key=_weight)
    return replace(
        best,
        keys=tuple(sorted({*one.keys, *other.keys})),
        occurred_at=max(one.occurred_at, other.occurred_at),
        web_searches=max(one.web_searches, other.web_searches),
        tool_calls=max(one.tool_calls, other.tool_calls, key=lambda calls: (len(calls), repr(calls))),
        evidence=max(one.evidence, other.evidence, key=_told),
    )


def _told(evidence: Evidence) -> tuple[object, ...]:
    """What says more wins; the rest makes the choice the same in any order."""
    said = (evidence.repository, evidence.branch, evidence.commit, evidence.folder)
    return (sum(map(bool, said)), said)


def _weight(usage: Usage) -> tuple[object, ...]:
    """More output is later; the rest makes the choice the same in any order."""
    tokens = usage.tokens
    kinds = (tokens.input, tokens.cache_read, tokens.cache_write_1h)
    return (tokens.output, tokens.total, usage.cache_split_known, kinds, usage.model, usage.thread)
