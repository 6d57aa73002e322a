"""Grouping: the calls of log tables, priced and added up by session, model, place and quarter of an hour."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime

from tabstop.agents.call_table import at_micros, micros
from tabstop.agents.log_table import LogTable
from tabstop.beside.local_prices import Linear, LocalPrices, linear
from tabstop.cost import CostState
from tabstop.money import Nano
from tabstop.price_card import cost_of
from tabstop.usage import Grain, Tokens, Usage
from tabstop.usage_groups import QUARTER, UsageGroup

_QUARTER = QUARTER * 1_000_000


def quarters_of(tables: Iterable[LogTable]) -> dict[str, set[int]]:
    """The models of these tables, each with the quarters of an hour in which it was called."""
    found: dict[str, set[int]] = {}
    for table in tables:
        names = [found.setdefault(model, set()) for model, _ in table.calls.who]
        for at, who, *_ in table.calls.rows():
            names[who].add(at // _QUARTER)
    return found


def groups_of(agent: str, table: LogTable, prices: LocalPrices, without: Container[int] = ()) -> list[UsageGroup]:
    """Group the calls of one file. without: rows to leave out. The prices must have been learned."""
    held: dict[tuple[int, int, int], list[int]] = {}
    rates: dict[tuple[int, int, int], Linear | None] = {}
    who, where = table.calls.who, table.calls.where
    for number, row in enumerate(table.calls.rows()):
        if number in without:
            continue
        at, caller, place, fresh, read, five_minutes, an_hour, output, searches, split = row
        key = (caller, place, at // _QUARTER)
        sums = held.get(key)
        if sums is None:
            sums = held[key] = [0] * 10
            rates[key] = linear(prices.price(who[caller][0], key[2]))
        rate = rates[key]
        sums[0] += 1
        sums[1] += fresh
        sums[2] += read
        sums[3] += five_minutes
        sums[4] += an_hour
        sums[5] += output
        if rate is not None and split and not searches:
            sums[7] += fresh * rate[0] + read * rate[1] + five_minutes * rate[2] + an_hour * rate[3] + output * rate[4]
        else:
            tokens = Tokens(fresh, read, five_minutes, an_hour, output)
            usage = Usage(
                (), who[caller][0], tokens, at_micros(at), web_searches=searches, cache_split_known=bool(split)
            )
            cost, unpriced, estimated = _cost(usage, prices)
            sums[6] += searches
            sums[7] += cost
            sums[8] += unpriced
            sums[9] += estimated
    return [
        UsageGroup(
            agent,
            session_of(table, who[caller][1]),
            who[caller][0],
            *where[place],
            quarter * QUARTER,
            False,
            *sums,
        )
        for (caller, place, quarter), sums in held.items()
    ]


def group_of(session: str, usage: Usage, prices: LocalPrices) -> UsageGroup:
    """A group of one usage, which may be an aggregate."""
    tokens, told = usage.tokens, usage.evidence
    aggregate = usage.grain is Grain.AGGREGATE
    return UsageGroup(
        usage.agent,
        session,
        usage.model,
        told.repository,
        told.branch,
        told.commit,
        told.folder,
        quarter_of(usage.occurred_at) * QUARTER,
        aggregate,
        0 if aggregate else 1,
        tokens.input,
        tokens.cache_read,
        tokens.cache_write_5m,
        tokens.cache_write_1h,
        tokens.output,
        usage.web_searches,
        *_cost(usage, prices),
    )


def quarter_of(at: datetime) -> int:
    """The quarter of an hour, counted from 1970 UTC."""
    return micros(at) // _QUARTER


def _cost(usage: Usage, prices: LocalPrices) -> tuple[Nano, int, int]:
    """Nano-dollars, and whether it has no price, or only an estimate (1 or 0)."""
    cost = cost_of(usage, prices.price(usage.model, quarter_of(usage.occurred_at)))
    return cost.nano or 0, int(cost.state is CostState.UNKNOWN), int(cost.state is CostState.ESTIMATED)


def session_of(table: LogTable, thread: str) -> str:
    """The session that a call of this thread belongs to: a fork's copies are its parent's."""
    return thread if thread in table.copied_from else table.session
