"""Grouping: the calls of log tables, priced, by session, model, place and quarter of an hour."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from datetime import datetime

from tabstop.agents.call_table import QUARTER_MICROS, CallSum, CallTable, micros, sums_of
from tabstop.agents.log_table import LogTable
from tabstop.beside.local_prices import PricesHere
from tabstop.cost import CostState
from tabstop.money import Nano
from tabstop.price_card import KINDS, ModelPrice, cost_of
from tabstop.usage import Grain, Usage
from tabstop.usage_groups import QUARTER, UsageGroup

_Cost = tuple[Nano, int, int]
"""Nano-dollars, calls without a price, calls whose cost is an estimate."""


def groups_of(agent: str, table: LogTable, prices: PricesHere, without: Collection[int] = ()) -> list[UsageGroup]:
    """Group the calls of one file. without: rows to leave out. The prices must have been learned."""
    calls = table.calls
    sums = calls.sums
    if without:
        sums = sums_of(row for number, row in enumerate(calls.rows()) if number not in without)
    costs = {}
    apart: set[tuple[int, int, int]] = set()
    for one in sums:
        cost = _cost_together(one, prices.price(calls.who[one.who][0], one.quarter, calls.where[one.where][-1]))
        costs[one.who, one.where, one.quarter] = cost or (0, 0, 0)
        if cost is None:
            apart.add((one.who, one.where, one.quarter))
    if apart:
        _cost_apart(calls, prices, without, apart, costs)
    return [_group(agent, table, one, costs[one.who, one.where, one.quarter]) for one in sums]


def _group(agent: str, table: LogTable, one: CallSum, cost: _Cost) -> UsageGroup:
    model, thread = table.calls.who[one.who]
    return UsageGroup(
        agent,
        session_of(table, thread),
        model,
        *table.calls.where[one.where],
        one.quarter * QUARTER,
        False,
        one.calls,
        one.input,
        one.cache_read,
        one.cache_write_5m,
        one.cache_write_1h,
        one.output,
        one.web_searches,
        *cost,
    )


def _cost_together(one: CallSum, price: ModelPrice | None) -> _Cost | None:
    """The cost of all calls of a sum, where that is the sum of their costs to the nano-dollar; else None.

    It is where no prompt reaches a dearer tier and every rate is whole: then nothing is rounded.
    """
    if price is None:
        return 0, one.calls, 0
    if one.unsplit or one.web_searches or (len(price.tiers) > 1 and one.longest >= price.tiers[1].from_prompt_tokens):
        return None
    total = 0
    for kind in KINDS:
        count: int = getattr(one, kind)
        if count:
            rate = getattr(price.tiers[0].rates, kind)
            if rate is None or rate != int(rate) or kind in price.borrowed:
                return None
            total += int(rate) * count
    return total, 0, 0 if price.exact else one.calls


def _cost_apart(
    calls: CallTable,
    prices: PricesHere,
    without: Collection[int],
    apart: Container[tuple[int, int, int]],
    costs: dict[tuple[int, int, int], _Cost],
) -> None:
    """Price the calls of some sums one by one."""
    rows = {}
    for number, (at, who, where, *_) in enumerate(calls.rows()):
        key = (who, where, at // QUARTER_MICROS)
        if key in apart and number not in without:
            rows[number] = key
    for number, usage in calls.usages("", rows):
        told = zip(costs[rows[number]], _cost(usage, prices), strict=True)
        nano, unpriced, estimated = (held + new for held, new in told)
        costs[rows[number]] = nano, unpriced, estimated


def without_branch(calls: CallTable) -> set[int]:
    """Rows that name a folder and no branch: git's own log knows it, to the second in which it was switched."""
    untold = {number for number, (_, branch, _, folder) in enumerate(calls.where) if folder and not branch}
    return {number for number, row in enumerate(calls.rows()) if row[2] in untold} if untold else set()


def group_of(session: str, usage: Usage, prices: PricesHere) -> UsageGroup:
    """A group of one usage, which may be an aggregate. Where its branch is for git to say, it begins when the call was made."""
    tokens, told = usage.tokens, usage.evidence
    exact = told.folder and not told.branch
    aggregate = usage.grain is Grain.AGGREGATE
    return UsageGroup(
        usage.agent,
        session,
        usage.model,
        told.repository,
        told.branch,
        told.commit,
        told.folder,
        int(usage.occurred_at.timestamp()) if exact else quarter_of(usage.occurred_at) * QUARTER,
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


def quarters_of(tables: Iterable[LogTable]) -> dict[str, set[int]]:
    """The models of these tables, each with the quarters of an hour in which it was called."""
    found: dict[str, set[int]] = {}
    for table in tables:
        for one in table.calls.sums:
            found.setdefault(table.calls.who[one.who][0], set()).add(one.quarter)
    return found


def quarter_of(at: datetime) -> int:
    """The quarter of an hour, counted from 1970 UTC."""
    return micros(at) // QUARTER_MICROS


def session_of(table: LogTable, thread: str) -> str:
    """The session that a call of this thread belongs to: a fork's copies are its parent's."""
    return thread if thread in table.copied_from else table.session


def _cost(usage: Usage, prices: PricesHere) -> _Cost:
    cost = cost_of(usage, prices.price(usage.model, quarter_of(usage.occurred_at), usage.evidence.folder))
    return cost.nano or 0, int(cost.state is CostState.UNKNOWN), int(cost.state is CostState.ESTIMATED)
