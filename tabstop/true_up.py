"""True-up: what an agent's client has counted and no call accounts for (compaction, side calls), one usage per model.

It is computed from absolute totals, so it can be computed again whenever a call arrives: the more calls are known, the
smaller it is, down to nothing. The server keeps the totals, and corrects the entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tabstop.model_id import bare
from tabstop.usage import Grain, Tokens, Usage
from tabstop.wire import ClientTotal


def remainder(total: Tokens, rows: Tokens) -> Tokens:
    """What `total` has more than `rows`, kind by kind, never below zero.

    Cache writes are compared as a whole before they are split: rows that do not know the lifetime of a write call it
    5 minutes, and would otherwise leave the same write over as one of an hour.
    """
    left = (total - rows).at_least_zero()
    written = total.cache_write_5m + total.cache_write_1h - rows.cache_write_5m - rows.cache_write_1h
    an_hour = min(left.cache_write_1h, max(0, written))
    return Tokens(
        input=left.input,
        cache_read=left.cache_read,
        cache_write_5m=max(0, written) - an_hour,
        cache_write_1h=an_hour,
        output=left.output,
    )


def true_up(
    calls: Iterable[Usage], totals: Iterable[ClientTotal], *, session: str, at: datetime, agent: str = ""
) -> tuple[Usage, ...]:
    """One aggregate per model of which the client counted more than the calls say; none for the others.

    calls: every call known of this session, each once, from whatever source; aggregates among them are left out.
    totals: the newest per thread and model; threads are added up. Spellings of one model count as one.
    session: what names the entry for good (`tabstop:rest:<session>/<model>`), so that a later one replaces it.
    """
    called: dict[str, Tokens] = {}
    searched: dict[str, int] = {}
    for call in calls:
        if call.grain is Grain.CALL:
            name = bare(call.model)
            called[name] = called.get(name, Tokens()) + call.tokens
            searched[name] = searched.get(name, 0) + call.web_searches
    counted: dict[str, ClientTotal] = {}
    for total in totals:
        name = bare(total.model)
        held = counted.get(name, ClientTotal("", total.model, Tokens()))
        tokens, searches = held.tokens + total.tokens, held.web_searches + total.web_searches
        counted[name] = ClientTotal("", min(held.model, total.model), tokens, searches)
    rest = []
    for name, total in sorted(counted.items()):
        left = remainder(total.tokens, called.get(name, Tokens()))
        searches = max(0, total.web_searches - searched.get(name, 0))
        if left.total or searches:
            keys = (f"tabstop:rest:{session}/{name}",)
            rest.append(Usage(keys, total.model, left, at, agent, "", searches, Grain.AGGREGATE))
    return tuple(rest)
