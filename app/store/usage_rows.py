"""Usage and entries as rows of plain numbers and texts, in the order of their tables' columns."""

from __future__ import annotations

from typing import Any

from app.ledger.books import Cause, Entry, EntryKind, KnownUsage, UsageRow
from app.store.columns import from_micros, to_micros
from tabstop.cost import CostState
from tabstop.usage import Billing, Grain, Tokens


def usage_values(organization_id: int, row: UsageRow) -> tuple[Any, ...]:
    """One row of the usage table."""
    tokens = row.tokens
    return (
        organization_id,
        row.id,
        row.session_id,
        row.place_id,
        row.agent,
        row.thread,
        row.model,
        row.matched,
        tokens.input,
        tokens.cache_read,
        tokens.cache_write_5m,
        tokens.cache_write_1h,
        tokens.output,
        row.web_searches,
        row.tool_calls,
        row.grain.value,
        row.cost_state.value,
        row.billing.value,
        to_micros(row.occurred_at),
        to_micros(row.received_at),
        row.cost,
        row.cache_split_known,
        row.same_as,
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
    )


def entry_values(organization_id: int, entry: Entry) -> tuple[Any, ...]:
    """One row of the entry table."""
    return (
        organization_id,
        entry.id,
        entry.usage_id,
        entry.session_id,
        entry.kind.value,
        entry.place_id,
        entry.nano,
        entry.notional,
        entry.tokens,
        entry.unknown,
        entry.cause.value,
        to_micros(entry.occurred_at),
        to_micros(entry.received_at),
        entry.note,
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
