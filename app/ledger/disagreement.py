"""When reports of one call contradict each other, by everything that was told of it: neither order nor number of reports matters.

A report that was written before the call was done says less, never something else: no count of its prompt is larger, and its output is
smaller. A prompt may grow so, since every round of a web search is read too. A source that does not tell how long the cache keeps what
was written there is no witness: its prompt is not comparable.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
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
    """A model and a prompt as they were told, with the smallest and the largest output told with them."""

    model: str
    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    least_output: int
    most_output: int


Told = tuple[Telling, ...]
"""Everything told of one call, each model and prompt once, in order."""


@lru_cache(maxsize=1_024)
def model_family(model: str) -> str:
    """What ids of one model have in common: neither date nor provider."""
    return bare(model).rpartition("/")[2]


def told_once(model: str, tokens: Tokens) -> Told:
    """What one report tells."""
    return (
        Telling(
            model_family(model),
            tokens.input,
            tokens.cache_read,
            tokens.cache_write_5m,
            tokens.cache_write_1h,
            tokens.output,
            tokens.output,
        ),
    )


def told_of(row: UsageRow) -> Told:
    """What was told of a stored usage; nothing where that is settled, or cannot be compared."""
    if row.disputed or not row.cache_split_known or row.grain is not Grain.CALL:
        return ()
    return tuple(map(Telling._make, json.loads(row.told))) if row.told else told_once(row.model, row.tokens)


def with_told(row: UsageRow, told: Told, *, disputed: bool) -> UsageRow:
    """The row, which has its counts already, with what was told of it. Kept is only what the counts do not say themselves."""
    if row.grain is not Grain.CALL:
        return row
    plain = disputed or not told or told == told_once(row.model, row.tokens)
    return row._replace(told="" if plain else json.dumps(told), disputed=disputed)


def told_together(one: Told, other: Told) -> Told:
    """What both tell."""
    if one == other or not other:
        return one
    outputs: dict[tuple[Any, ...], tuple[int, int]] = {}
    for *said, least, most in (*one, *other):
        before = outputs.get(tuple(said), (least, most))
        outputs[tuple(said)] = (min(before[0], least), max(before[1], most))
    return tuple(sorted(Telling._make((*said, *both)) for said, both in outputs.items()))


def disagree(told: Told) -> bool:
    """Whether any two contradict each other."""
    return len(told) > MOST_TOLD or any(_contradict(one, other) for one, other in combinations(told, 2))


def _contradict(one: Telling, other: Telling) -> bool:
    if not _longer(one.model, other.model) and not _longer(other.model, one.model):
        return True
    return one[1:5] != other[1:5] and not _earlier(one, other) and not _earlier(other, one)


def _longer(model: str, other: str) -> bool:
    """Whether it is the other's name, or a more exact one: sources name what was asked for, or what answered. Nothing is any model."""
    return not other or model == other or model.startswith(f"{other}-")


def _earlier(one: Telling, other: Telling) -> bool:
    """Whether one may have been written when the call was not done."""
    return one.most_output < other.least_output and all(a <= b for a, b in zip(one[1:5], other[1:5], strict=True))


def note_disagreement(books: Books, row: UsageRow, told: Iterable[Telling], now: datetime) -> None:
    """An audit row for a stored usage that has just become disputed: what was told, and what is counted; nano is in nano-dollars."""
    session = books.session(row.session_id)
    tokens = row.tokens
    body: dict[str, Any] = {
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
