"""True-up: what a client's own totals have and its calls do not (compaction, side calls), as one shrinking usage.

A Claude Code transcript has no row for `/compact`; only the client's cumulative totals show it. The difference is kept
as one aggregate usage per model, and follows both numbers: more calls make it shrink, a larger total grow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from app.ledger.books import Books, Cause, EntryKind, SessionRow, UsageRow
from app.ledger.postings import Postings, counted, sums_of
from app.ledger.same_usage import largest_tokens
from app.ledger.settling import Settling
from app.ledger.touched import Current
from tabstop.cost import Cost
from tabstop.true_up import true_up as missing_from_calls
from tabstop.usage import Grain, Tokens, Usage
from tabstop.wire import ClientTotal

Pricer = Callable[[Usage], Cost]


def true_up(
    postings: Postings,
    settling: Settling,
    session: SessionRow,
    reported: Sequence[ClientTotal],
    price: Pricer,
    current: Current,
) -> None:
    """Bring the session's true-up usages to what its client's totals and its calls say now."""
    totals = _kept_totals(postings.books, session, reported)
    if not totals:
        return
    rows = postings.books.usages_of(session.id)
    calls = [Usage((), r.model, r.tokens, r.occurred_at, web_searches=r.web_searches, grain=r.grain) for r in rows]
    wanted = {
        usage.keys[0]: usage
        for usage in missing_from_calls(calls, totals, session=session.id, at=postings.now, agent=session.agent)
    }
    before = _aggregates(postings.books, session, rows, wanted)
    for key, row in before.items():
        _follow(postings, row, wanted.get(key), price)
    for key, usage in wanted.items():
        if key not in before:
            _open(postings, settling, session, usage, price(usage), current)


def _kept_totals(books: Books, session: SessionRow, reported: Sequence[ClientTotal]) -> list[ClientTotal]:
    """The largest totals ever reported per thread and model: a client's totals only grow, reports may be out of order."""
    totals = dict(books.client_totals(session.id))
    for total in reported:
        before, searches = totals.get((total.thread, total.model), (Tokens(), 0))
        largest = (largest_tokens([before, total.tokens]), max(searches, total.web_searches))
        if largest != (before, searches):
            books.keep_client_total(session.id, total.thread, total.model, *largest)
            totals[total.thread, total.model] = largest
    return [ClientTotal(thread, model, *kept) for (thread, model), kept in sorted(totals.items())]


def _aggregates(
    books: Books, session: SessionRow, rows: Sequence[UsageRow], wanted: Mapping[str, Usage]
) -> dict[str, UsageRow]:
    """The true-up usages there are already, by key."""
    own = {row.id: row for row in rows if row.grain is Grain.AGGREGATE}
    if not own:
        return {}
    keys = {f"tabstop:rest:{session.id}/{row.thread}" for row in own.values()} | set(wanted)
    return {key: own[found.id] for key, found in books.known(sorted(keys)).items() if found.id in own}


def _follow(postings: Postings, row: UsageRow, usage: Usage | None, price: Pricer) -> None:
    """Bring a true-up usage to its new size, maybe nothing."""
    tokens = usage.tokens if usage else Tokens()
    searches = usage.web_searches if usage else 0
    if (tokens, searches) == (row.tokens, row.web_searches):
        return
    cost = price(
        Usage(
            (),
            row.model,
            tokens,
            row.occurred_at,
            agent=row.agent,
            web_searches=searches,
            grain=Grain.AGGREGATE,
        )
    )
    after = replace(
        row,
        tokens=tokens,
        web_searches=searches,
        cost=cost.nano or 0,
        cost_state=cost.state,
        matched=cost.matched,
    )
    postings.correct(row, after, EntryKind.TRUE_UP, Cause.CORRECTED, "calls arrived, or the client counted more")


def _open(
    postings: Postings, settling: Settling, session: SessionRow, usage: Usage, cost: Cost, current: Current
) -> None:
    row = UsageRow(
        id=postings.books.new_id(),
        session_id=session.id,
        place_id=current.place_id,
        agent=session.agent,
        thread=usage.keys[0].rpartition("/")[2],
        model=usage.model,
        matched=cost.matched,
        tokens=usage.tokens,
        web_searches=usage.web_searches,
        tool_calls=0,
        grain=Grain.AGGREGATE,
        cost_state=cost.state,
        billing=session.billing,
        occurred_at=usage.occurred_at,
        received_at=postings.now,
        cost=cost.nano or 0,
    )
    postings.books.add_usages([row], dict.fromkeys(usage.keys, row.id))
    amount = counted(postings.places[row.place_id], sums_of(row))
    postings.charge(row, settling.cause_of(row.place_id, amount), EntryKind.TRUE_UP)
