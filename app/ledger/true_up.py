"""True-up: what a client's own totals have and its calls do not (compaction, side calls), as one shrinking usage.

A Claude Code transcript has no row for `/compact`; only the client's cumulative totals show it. The difference is kept
as one aggregate usage per thread and model, and follows both numbers: more calls make it shrink, a larger total grow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from app.ledger.books import Cause, EntryKind, SessionRow, UsageRow
from app.ledger.postings import Postings, counted, sums_of
from app.ledger.same_usage import largest_tokens
from app.ledger.settling import Settling
from app.ledger.touched import Current
from tabstop.cost import Cost
from tabstop.usage import Grain, Tokens, Usage
from tabstop.wire import ClientTotal


def true_up(
    postings: Postings,
    settling: Settling,
    session: SessionRow,
    reported: Sequence[ClientTotal],
    price: Callable[[Usage], Cost],
    current: Current,
) -> None:
    """Bring the session's true-up usages to what its client's totals and its calls say now."""
    books = postings.books
    totals = dict(books.client_totals(session.id))
    for total in reported:
        before, searches = totals.get((total.thread, total.model), (Tokens(), 0))
        largest = (largest_tokens([before, total.tokens]), max(searches, total.web_searches))
        if largest != (before, searches):
            books.keep_client_total(session.id, total.thread, total.model, *largest)
            totals[total.thread, total.model] = largest
    if not totals:
        return
    rows = books.usages_of(session.id)
    keys = {key: true_up_key(session.id, *key) for key in totals}
    known = books.known(list(keys.values()))
    calls = _sum_of_calls(rows, totals)
    for key, (tokens, searches) in sorted(totals.items()):
        row = next((r for r in rows if keys[key] in known and r.id == known[keys[key]].id), None)
        usage = Usage(
            keys=(keys[key],),
            model=key[1],
            tokens=(tokens - calls[key][0]).at_least_zero(),
            occurred_at=row.occurred_at if row else postings.now,
            agent=session.agent,
            thread=key[0],
            web_searches=max(0, searches - calls[key][1]),
            grain=Grain.AGGREGATE,
        )
        _follow(postings, settling, session, row, usage, price(usage), current)


def true_up_key(session_id: str, thread: str, model: str) -> str:
    """The one key of a true-up usage."""
    return f"true-up:{session_id}:{thread}:{model}"


def _follow(
    postings: Postings,
    settling: Settling,
    session: SessionRow,
    row: UsageRow | None,
    usage: Usage,
    cost: Cost,
    current: Current,
) -> None:
    if row is not None:
        after = replace(
            row,
            tokens=usage.tokens,
            web_searches=usage.web_searches,
            cost=cost.nano or 0,
            cost_state=cost.state,
            matched=cost.matched,
        )
        if after != row:
            postings.correct(row, after, EntryKind.TRUE_UP, Cause.CORRECTED, "")
        return
    if usage.tokens == Tokens() and not usage.web_searches:
        return
    new = UsageRow(
        id=postings.books.new_id(),
        session_id=session.id,
        place_id=current.place_id,
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
    amount = counted(postings.places[new.place_id], sums_of(new))
    postings.charge(new, settling.cause_of(new.place_id, amount), EntryKind.TRUE_UP)


def _sum_of_calls(
    rows: Iterable[UsageRow], totals: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], tuple[Tokens, int]]:
    """What the calls of each thread, its subagents included (`thread/agent`), add up to per model."""
    sums: dict[tuple[str, str], tuple[Tokens, int]] = defaultdict(lambda: (Tokens(), 0))
    threads = {thread for thread, _ in totals}
    for row in rows:
        home = row.thread.split("/", 1)[0]
        if row.grain is Grain.CALL and home in threads:
            tokens, searches = sums[home, row.model]
            sums[home, row.model] = (tokens + row.tokens, searches + row.web_searches)
    return sums
