"""Alike: calls whose sources know no id in common, found to be one by what they used, in which session, and when.

Gemini CLI's chats and hooks, and OpenCode's database, do not keep the vendor's response id. Two reports are taken for one call where
they tell the same length of prompt and of answer and about the same time, and no id tells them apart: a source names each of its
calls differently, so two calls that one source tells are two, however alike they are. Reports of several sources are then joined
one to one, and there are as many calls as the source that saw most of them has; in which order they arrive makes no difference.
See docs/decisions/0090-calls-without-a-common-id.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from tabstop.usage import Grain, Usage

NEAR = timedelta(seconds=10)
"""How far apart sources may time one call: hooks take their time, and a chat is written when they are done."""

_SPAN = 60
"""Seconds; more than `NEAR`, so that what is near lies in one span or in two."""

MOST = 16
"""Calls that look the same in one span of time. Of more, no pairs are made: each is a call of its own."""

_NAMED, _NEARBY = "tabstop:alike:", "tabstop:near:"
_MAKERS = frozenset({"anthropic", "openai", "google"})
"""Vendors whose ids say by whose protocol a model answered: one response came by one. OpenCode's ids stand beside any of them."""

_VENDORS = ("opencode:", "google:")
"""Whose keys say that other sources may not know them. OpenCode asks Google too, so it comes first."""


class Stored(NamedTuple):
    """A usage that is stored. cached: tokens that were read from the cache; None where its sources do not tell. keys: all it has."""

    id: int
    at: datetime
    cached: int | None
    keys: tuple[str, ...]


Lookup = Callable[[Sequence[str]], Mapping[str, Stored]]
"""Which of these keys are stored, and for which usage."""


def recognized(usages: Sequence[Usage], owner: str, lookup: Lookup) -> Sequence[Usage]:
    """The same usages in the same order; those that are one call, with each other or with what is stored, share a key.

    owner: who made all of them, as far as it is known. Nothing is looked up where every usage has ids that its other sources know.
    """
    wanted = {number: names for number, usage in enumerate(usages) if (names := _names(usage, owner)) is not None}
    if not wanted:
        return usages
    board = _Board([usages[number] for number in wanted], wanted.values(), lookup)
    found = list(usages)
    for number, names in wanted.items():
        found[number] = board.place(usages[number], names)
    return found


class _Names(NamedTuple):
    """Under which names a call is kept, and those under which one that looks the same is looked for: first of its thread, then near."""

    kept: tuple[str, ...]
    thread: tuple[str, ...]
    nearby: tuple[str, ...]


def _names(usage: Usage, owner: str) -> _Names | None:
    if usage.grain is not Grain.CALL or not any(key.startswith(_VENDORS) for key in usage.keys):
        return None
    vendor = next(one for one in _VENDORS if any(key.startswith(one) for key in usage.keys))
    # Of the prompt as a whole: hooks do not tell what of it was cached.
    used, seconds = f"{usage.tokens.prompt}.{usage.tokens.output}", usage.occurred_at.timestamp()
    own, near = int(seconds // _SPAN), NEAR.total_seconds()
    spans = range(int((seconds - near) // _SPAN), int((seconds + near) // _SPAN) + 1)
    said = [f"{_NEARBY}{vendor}{owner}/{used}@"]
    if usage.thread:
        said.insert(0, f"{_NAMED}{vendor}{usage.thread}/{used}@")
    return _Names(
        kept=tuple(f"{one}{own}" for one in said),
        thread=tuple(f"{one}{span}" for one in said[:-1] for span in spans),
        nearby=tuple(f"{said[-1]}{span}" for span in spans),
    )


def tell_apart(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether keys are those of two responses: each has an id of the same kind, and not the same, or they have ids of two vendors.

    What tells two usages apart goes on doing so, whatever further keys either is given; so their threads are not asked.
    """
    ids, others = _ids(one), _ids(other)
    makers = [{kind.partition(":")[0] for kind in told}.intersection(_MAKERS) for told in (ids, others)]
    ids.pop(_NAMED, None)
    return _differ(ids, others) or (all(makers) and len(set.union(*makers)) > 1)


def _ids(keys: Iterable[str]) -> dict[str, set[str]]:
    """Ids by their kind; the thread it is known to be of is one."""
    found: dict[str, set[str]] = {}
    for key in keys:
        if key.startswith(_NAMED):
            found.setdefault(_NAMED, set()).add(key.rpartition("/")[0])
        elif not key.startswith(_NEARBY):
            vendor, kind, value = (*key.split(":", 2), "", "")[:3]
            found.setdefault(f"{vendor}:{kind}", set()).add(value)
    return found


def _differ(one: Mapping[str, set[str]], other: Mapping[str, set[str]]) -> bool:
    return any(kind in other and ids.isdisjoint(other[kind]) for kind, ids in one.items())


class _Call:
    """One call as it is known by now. ids: by their kind, see `_ids`."""

    def __init__(self, at: datetime, cached: int | None, keys: Iterable[str]) -> None:
        self.at = at
        self.cached = cached
        self.ids = _ids(keys)
        self._into: _Call | None = None

    @property
    def now(self) -> _Call:
        """Itself, or what it turned out to be."""
        return self if self._into is None else self._into.now

    def becomes(self, other: _Call) -> None:
        self._into = other
        for kind, ids in self.ids.items():
            other.ids.setdefault(kind, set()).update(ids)
        other.at = min(self.at, other.at)
        other.cached = self.cached if other.cached is None else other.cached

    def may_be(self, other: _Call) -> bool:
        """Whether nothing tells them apart."""
        if None not in (self.cached, other.cached) and self.cached != other.cached:
            return False
        return not _differ(self.ids, other.ids) and abs(self.at - other.at) <= NEAR


class _Board:
    """What is stored and looks like the calls of a batch, and the batch's own as they come. Under each name lie those alike, numbered."""

    def __init__(self, usages: Sequence[Usage], names: Iterable[_Names], lookup: Lookup) -> None:
        self._calls: dict[int, _Call] = {}
        self._by_key: dict[str, _Call] = {}
        self._alike: dict[str, list[_Call]] = {}
        self._learn(lookup([key for usage in usages for key in usage.keys]))
        wanted = list(dict.fromkeys(name for one in names for name in (*one.thread, *one.nearby)))
        for number in range(MOST):
            if wanted:
                known = self._learn(lookup([f"{name}#{number}" for name in wanted]))
                wanted = [name for name in wanted if f"{name}#{number}" in known]
                for name in wanted:
                    self._alike.setdefault(name, []).append(known[f"{name}#{number}"])

    def _learn(self, stored: Mapping[str, Stored]) -> dict[str, _Call]:
        for one in stored.values():
            if one.id not in self._calls:
                self._calls[one.id] = call = _Call(one.at, one.cached, one.keys)
                self._by_key.update(dict.fromkeys(one.keys, call))
        return {key: self._calls[one.id] for key, one in stored.items()}

    def place(self, usage: Usage, names: _Names) -> Usage:
        """The usage with the key of the call it is, and with those under which it can be found."""
        cached = usage.tokens.cache_read if usage.cache_split_known else None
        told = _Call(usage.occurred_at, cached, (*usage.keys, *names.kept))
        keys = list(usage.keys)
        own = self._known(usage.keys)
        if own is not None:
            told.becomes(own)
        if own is None or not any(own is one for name in names.kept for _, one in self._under(name)):
            mate = self._mate(told.now, names)
            if mate is not None:
                key, other = mate
                keys.append(key)
                told.now.becomes(other)
        call = told.now
        for name in names.kept:
            alike = self._alike.setdefault(name, [])
            if len(alike) < MOST and not any(call is one.now for one in alike):
                keys.append(f"{name}#{len(alike)}")
                alike.append(call)
        self._by_key.update(dict.fromkeys(keys, call))
        return replace(usage, keys=tuple(dict.fromkeys(keys)))

    def _known(self, keys: Iterable[str]) -> _Call | None:
        """The call that has one of these keys; several that have turn out to be one, if they may be."""
        first: _Call | None = None
        for key in keys:
            call = self._by_key[key].now if key in self._by_key else None
            if first is None:
                first = call
            elif call is not None and call is not first and not _differ(call.ids, first.ids):
                call.becomes(first)
        return first

    def _mate(self, call: _Call, names: _Names) -> tuple[str, _Call] | None:
        """Of the same thread, or else near: the likest that nothing tells from it, with a key of it."""
        for together in (names.thread, names.nearby):
            near = [
                (one.cached != call.cached, abs(one.at - call.at), key, one)
                for name in together
                for key, one in self._under(name)
                if one is not call and call.may_be(one)
            ]
            if near:
                _, _, key, one = min(near, key=lambda found: found[:3])
                return key, one
        return None

    def _under(self, name: str) -> Iterator[tuple[str, _Call]]:
        return ((f"{name}#{number}", call.now) for number, call in enumerate(self._alike.get(name, ())))
