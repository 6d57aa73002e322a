"""Usage and entries as rows of plain numbers and texts, in the order of their tables' columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from app.ledger.books import Cause, Entry, EntryKind, KnownUsage, UsageRow
from app.store.columns import from_micros, to_micros
from tabstop.cost import CostState
from tabstop.usage import Billing, Grain, Tokens


class _Received(dict[datetime, int]):
    """Microseconds of the moments at which rows were received: the same one for a whole batch."""

    def __missing__(self, at: datetime) -> int:
        self[at] = micros = to_micros(at)
        return micros


def usage_values(organization_id: int, rows: Iterable[UsageRow]) -> Iterator[tuple[Any, ...]]:
    """Rows of the usage table. Thousands at a time, so they are unpacked once; `_value_` is an enum's `value` without a call."""
    received = _Received()
    for (
        usage_id,
        session_id,
        place_id,
        agent,
        thread,
        model,
        matched,
        tokens,
        web_searches,
        tool_calls,
        grain,
        cost_state,
        billing,
        occurred_at,
        received_at,
        cost,
        cache_split_known,
        same_as,
        evidence_id,
        disputed,
        told,
    ) in rows:
        yield (
            organization_id,
            usage_id,
            session_id,
            place_id,
            agent,
            thread,
            model,
            matched,
            tokens.input,
            tokens.cache_read,
            tokens.cache_write_5m,
            tokens.cache_write_1h,
            tokens.output,
            web_searches,
            tool_calls,
            grain._value_,
            cost_state._value_,
            billing._value_,
            to_micros(occurred_at),
            received[received_at],
            cost,
            cache_split_known,
            same_as,
            evidence_id,
            disputed,
            told,
        )


def usage_of(row: Any) -> UsageRow:
    """A row of the usage table."""
    return UsageRow(
        id=row.id,
        session_id=row.session_id,
        place_id=row.place_id,
        agent=row.agent,
        thread=row.thread,
        model=row.model,
        matched=row.matched,
        tokens=Tokens(row.input, row.cache_read, row.cache_write_5m, row.cache_write_1h, row.output),
        web_searches=row.web_searches,
        tool_calls=row.tool_calls,
        grain=Grain(row.grain),
        cost_state=CostState(row.cost_state),
        billing=Billing(row.billing),
        occurred_at=from_micros(row.occurred_at),
        received_at=from_micros(row.received_at),
        cost=row.cost,
        cache_split_known=bool(row.cache_split_known),
        same_as=row.same_as,
        evidence_id=row.evidence_id,
        disputed=bool(row.disputed),
        told=row.told,
    )


def known_of(row: UsageRow) -> KnownUsage:
    """What a key of this usage stands for."""
    return KnownUsage(
        row.id,
        row.tokens.input,
        row.tokens.cache_read,
        row.tokens.cache_write_5m,
        row.tokens.cache_write_1h,
        row.tokens.output,
        row.cache_split_known,
        row.web_searches,
        row.tool_calls,
        row.model,
        row.occurred_at,
        row.session_id,
        row.evidence_id,
        row.disputed,
        row.told,
    )


def entry_values(organization_id: int, entries: Iterable[Entry]) -> Iterator[tuple[Any, ...]]:
    """Rows of the entry table, likewise."""
    received = _Received()
    for (
        entry_id,
        usage_id,
        kind,
        place_id,
        nano,
        notional,
        tokens,
        unknown,
        cause,
        occurred_at,
        received_at,
        note,
        session_id,
    ) in entries:
        yield (
            organization_id,
            entry_id,
            usage_id,
            session_id,
            kind._value_,
            place_id,
            nano,
            notional,
            tokens,
            unknown,
            cause._value_,
            to_micros(occurred_at),
            received[received_at],
            note,
        )


def entry_of(row: Any) -> Entry:
    """A row of the entry table."""
    return Entry(
        row.id,
        row.usage_id,
        EntryKind(row.kind),
        row.place_id,
        row.nano,
        row.notional,
        row.tokens,
        row.unknown,
        Cause(row.cause),
        from_micros(row.occurred_at),
        from_micros(row.received_at),
        row.note,
        row.session_id,
    )
