"""When reports of one call contradict each other, by everything that was told of it: neither order nor number of reports matters.

A report that was written before the call was done says less, never something else: no count of its prompt is larger, and its output is
smaller. A prompt may grow so, since every round of a web search is read too. A source that does not tell how long the cache keeps what
was written there is a witness of the prompt's length alone: the prompt was not shorter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import combinations
from typing import Any, NamedTuple

from app.ledger.books import AuditRow, Books, UsageRow
from tabstop.model_id import bare
from tabstop.usage import Grain, Tokens

MOST_TOLD = 16
"""Prompts told of one call. One that grew more often than that is not believed either: it is disputed."""

_NAMED = 20
"""Keys that an audit row names."""


class Telling(NamedTuple):
    """A model and a prompt as they were told, with the smallest and the largest output told with them.

    Where the source does not know how the prompt splits: no model, the whole prompt as input, None for the cache, and the smallest
    output twice: the largest contradicts nothing, and is gone where another telling stands for this one.
    """

    model: str
    input: int
    cache_read: int | None
    cache_write_5m: int | None
    cache_write_1h: int | None
    least_output: int
    most_output: int

    @property
    def splits(self) -> bool:
        """Whether it tells what of the prompt was cached, and for how long."""
        return self.cache_read is not None

    @property
    def parts(self) -> Prompt:
        """The prompt as it splits."""
        return self.input, self.cache_read or 0, self.cache_write_5m or 0, self.cache_write_1h or 0

    @property
    def prompt(self) -> int:
        """Tokens of the prompt."""
        return sum(self.parts)


Prompt = tuple[int, int, int, int]
"""Input, read from the cache, written there for 5 minutes, and for an hour."""

Told = tuple[Telling, ...]
"""Everything told of one call, each model and prompt once, in order."""


@lru_cache(maxsize=1_024)
def model_family(model: str) -> str:
    """What ids of one model have in common: neither date nor provider."""
    return bare(model).rpartition("/")[2]


def told_once(model: str, tokens: Tokens, *, splits: bool) -> Told:
    """What one report tells. splits: whether its source knows how the prompt splits."""
    if not splits:
        return (Telling("", tokens.prompt, None, None, None, tokens.output, tokens.output),)
    return (Telling(model_family(model), *prompt_of(tokens), tokens.output, tokens.output),)


def told_of(row: UsageRow) -> Told:
    """What was told of a stored usage; nothing where that is settled, or cannot be compared."""
    if row.disputed or row.grain is not Grain.CALL:
        return ()
    return _kept(row.told) if row.told else _told_by_counts(row)


def outdone_of(row: UsageRow) -> Prompt | None:
    """How a prompt splits of which a longer one stands, that does not tell: as `with_told` kept it."""
    if row.cache_split_known or not row.told:
        return None
    parts = [one.parts for one in _kept(row.told) if one.splits]
    return longest(parts) if parts else None


def prompt_of(tokens: Tokens) -> Prompt:
    """Its parts, without the output."""
    return tokens.input, tokens.cache_read, tokens.cache_write_5m, tokens.cache_write_1h


def longest(prompts: Sequence[Prompt]) -> Prompt:
    """The largest of each count."""
    input_, read, five_minutes, an_hour = zip(*prompts, strict=True)
    return max(input_), max(read), max(five_minutes), max(an_hour)


def with_told(row: UsageRow, told: Told, *, disputed: bool, outdone: Prompt | None = None) -> UsageRow:
    """The row, which has its counts already, with what was told of it. Kept is only what the counts do not say themselves.

    outdone: see `outdone_of`; where nothing else is to be kept, that is.
    """
    if disputed or row.grain is not Grain.CALL:
        told = (Telling("", *outdone, 0, 0),) if outdone else ()
    plain = not told or told == _told_by_counts(row)
    return row._replace(told="" if plain else json.dumps(told), disputed=disputed)


def is_told(told: str, once: Told) -> bool:
    """Whether what a report tells is in what is kept of a stored usage, which the counts do not say themselves."""
    before = _kept(told)
    return told_together(before, once) == before


def _kept(told: str) -> Told:
    return tuple(map(Telling._make, json.loads(told)))


def _told_by_counts(row: UsageRow) -> Told:
    return told_once(row.model, row.tokens, splits=row.cache_split_known)


def told_together(one: Told, other: Told) -> Told:
    """What both tell."""
    if one == other or not other:
        return one
    outputs: dict[tuple[Any, ...], tuple[int, int]] = {}
    for *said, least, most in (*one, *other):
        before = outputs.get(tuple(said), (least, most))
        outputs[tuple(said)] = (min(before[0], least), max(before[1], most))
    told = [Telling._make((*said, *both)) for said, both in outputs.items()]
    matters = (
        each if each.splits else each._replace(most_output=each.least_output)
        for each in told
        if each.splits or not any(_covers(more, each) for more in told)
    )
    return tuple(sorted(matters, key=lambda each: (each.splits, each)))


def _covers(more: Telling, whole: Telling) -> bool:
    """Whether what contradicts the length of a prompt contradicts another telling too, which is kept in its place."""
    return more is not whole and more.prompt >= whole.prompt and more.least_output <= whole.least_output


def disagree(told: Told) -> bool:
    """Whether any two contradict each other."""
    return len(told) > MOST_TOLD or any(_contradict(one, other) for one, other in combinations(told, 2))


def _contradict(one: Telling, other: Telling) -> bool:
    if not (one.splits and other.splits):
        return _too_short(one, other) or _too_short(other, one)
    if not _longer(one.model, other.model) and not _longer(other.model, one.model):
        return True
    return one.parts != other.parts and not _earlier(one, other) and not _earlier(other, one)


def _longer(model: str, other: str) -> bool:
    """Whether it is the other's name, or a more exact one: sources name what was asked for, or what answered. Nothing is any model."""
    return not other or model == other or model.startswith(f"{other}-")


def _too_short(split: Telling, whole: Telling) -> bool:
    """Whether a prompt that is split leaves out some of one that is not, though the call was as far when it was told."""
    return split.splits and not whole.splits and split.prompt < whole.prompt and split.most_output >= whole.least_output


def _earlier(one: Telling, other: Telling) -> bool:
    """Whether one, of two that split their prompts, may have been written when the call was not done."""
    return one.most_output < other.least_output and all(a <= b for a, b in zip(one.parts, other.parts, strict=True))


def note_disagreement(books: Books, row: UsageRow, told: Iterable[Telling], now: datetime) -> None:
    """An audit row for a stored usage that has just become disputed: what was told, and what is counted; nano is in nano-dollars."""
    _audit(books, row, told, now, {})


def note_refused_report(books: Books, row: UsageRow, told: Told, now: datetime, by: str) -> None:
    """The same for a usage of which a report says what it may not; the usage is disputed from now on, and counts as before.

    by: the session that reported it. One row for a usage: one that is disputed has its row.
    """
    if row.disputed:
        return
    books.change_usage(with_told(row, (), disputed=True, outdone=outdone_of(row)))
    _audit(books, row, told_together(told_of(row), told), now, {"refused_from": by})


def _audit(books: Books, row: UsageRow, told: Iterable[Telling], now: datetime, more: dict[str, Any]) -> None:
    session = books.session(row.session_id)
    tokens = row.tokens
    body: dict[str, Any] = {
        **more,
        "usage": row.id,
        "keys": sorted(books.keys_of([row.id])[row.id])[:_NAMED],
        "told": [one._asdict() for one in told][: MOST_TOLD + 1],
        "counted": {
            "model": row.model,
            "input": tokens.input,
            "cache_read": tokens.cache_read,
            "cache_write_5m": tokens.cache_write_5m,
            "cache_write_1h": tokens.cache_write_1h,
            "output": tokens.output,
            "nano": row.cost,
            "price": row.cost_state.value,
        },
    }
    books.audit(AuditRow("usage.disagreement", now, row.session_id, body, session.engineer_id if session else None))
