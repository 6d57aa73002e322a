"""True-up: what a client's own totals have and its calls do not (compaction, side calls), as one shrinking usage.

A Claude Code transcript has no row for `/compact`; only the client's cumulative totals show it. The difference is kept
as one aggregate usage per model, and follows both numbers: more calls make it shrink, a larger total grow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.ledger.books import EntryKind, SessionRow, UsageRow
from app.ledger.postings import Postings, counted, sums_of
from app.ledger.settling import Settling
from tabstop import true_up as rest
from tabstop.cost import Cost
from tabstop.model_id import bare
from tabstop.usage import Grain, Tokens, Usage
from tabstop.wire import ClientTotal


def true_up(
    postings: Postings,
    session: SessionRow,
    reported: Sequence[ClientTotal],
    price: Callable[[Usage], Cost],
    place_id: int,
    settling: Settling,
) -> None:
    """Bring the session's true-up usages to what its client's totals and its calls say now.

    place_id: where a new one lies. `settling` may be another session's: its report changed calls of this one.
    """
    totals = _kept(postings, session, reported)
    if not totals:
        return
    books = postings.books
    at = session.ended_at or postings.now
    calls = [
        Usage((), model, tokens, at, web_searches=searches)
        for model, (tokens, searches) in books.call_sums(session.id).items()
    ]
    left = rest.true_up(calls, totals, session=session.id, at=at, agent=session.agent)
    wanted = {usage.keys[0]: usage for usage in left}
    keys = sorted({f"tabstop:rest:{session.id}/{bare(total.model)}" for total in totals} | wanted.keys())
    known = books.known(keys)
    stored = books.usages([found.id for found in known.values()]) if known else {}
    postings.reached.reach((place_id, *(row.place_id for row in stored.values())))
    for key in keys:
        usage = wanted.get(key)
        if key in known:
            _follow(postings, settling, session, stored[known[key].id], usage, price)
        elif usage is not None:
            _begin(postings, settling, session, usage, price(usage), place_id)


def _kept(postings: Postings, session: SessionRow, reported: Sequence[ClientTotal]) -> list[ClientTotal]:
    """The largest total of every thread and model, what was just reported included."""
    books = postings.books
    totals = books.client_totals(session.id)
    for total in reported:
        before, searches = totals.get((total.thread, total.model), (Tokens(), 0))
        larger = before + (total.tokens - before).at_least_zero()
        most = max(searches, total.web_searches)
        if (larger, most) != (before, searches):
            books.keep_client_total(session.id, total.thread, total.model, larger, most)
            totals[total.thread, total.model] = (larger, most)
    return [ClientTotal(thread, model, *counts) for (thread, model), counts in sorted(totals.items())]


def _begin(
    postings: Postings, settling: Settling, session: SessionRow, usage: Usage, cost: Cost, place_id: int
) -> None:
    new = UsageRow(
        id=postings.books.new_id(),
        session_id=session.id,
        place_id=place_id,
        agent=session.agent,
        thread=usage.thread,
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
    postings.books.add_usages([new], dict.fromkeys(usage.keys, new.id))
    sums = sums_of(new)
    cause = settling.cause_for(session.id, place_id, counted(postings.places[place_id], sums))
    postings.charge([new], [sums], [cause], EntryKind.TRUE_UP)


def _follow(
    postings: Postings,
    settling: Settling,
    session: SessionRow,
    row: UsageRow,
    wanted: Usage | None,
    price: Callable[[Usage], Cost],
) -> None:
    """Bring a stored true-up to what is left over now, nothing included; priced at its own date."""
    tokens, searches = (wanted.tokens, wanted.web_searches) if wanted else (Tokens(), 0)
    if (tokens, searches) == (row.tokens, row.web_searches):
        return
    usage = Usage((), row.model, tokens, row.occurred_at, row.agent, "", searches, Grain.AGGREGATE)
    cost = price(usage)
    after = row._replace(
        tokens=tokens,
        web_searches=searches,
        cost=cost.nano or 0,
        cost_state=cost.state,
        matched=cost.matched,
    )
    amount = counted(postings.places[row.place_id], sums_of(after).less(sums_of(row)))
    postings.correct(row, after, EntryKind.TRUE_UP, settling.cause_for(session.id, row.place_id, amount), "")
