"""What holds of every ledger after anything that happened: sums, places, projections."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from app.api.placement import where_it_lies
from app.ledger.books import Books
from app.ledger.postings import NOTHING, Sums, together
from app.ledger.unplaced import unplaced
from app.registry import Transaction
from tabstop.cost import CostState
from tests.ledger.builders import REPOSITORY


def all_holds(books: Transaction) -> None:
    """All of it."""
    unplaced_and_placed_are_all(books)
    usages_are_their_entries(books)
    parts_are_their_session(books)
    one_live_probe(books)


def unplaced_and_placed_are_all(books: Transaction) -> None:
    """What lies on tabs and what lies on none come to the whole ledger, and each budget's share of it is part of what it spent."""
    found = unplaced(books)
    on_tabs = list(books.all_tab_shares().values())
    assert found.whole.less(found.unplaced) == Sums(
        sum(share.spent.nano for share in on_tabs),
        sum(share.notional for share in on_tabs),
        sum(share.spent.tokens for share in on_tabs),
        sum(share.unknown_usages for share in on_tabs),
    )
    assert together([NOTHING, *(row.sums for row in found.rows)]) == found.unplaced


def one_live_probe(books: Books) -> None:
    """The probe's place is held by a session that runs, or by nobody."""
    _, breaker = books.learned(REPOSITORY, "claude-code")
    assert breaker.probe in {"", *(session.id for session in books.live_sessions())}


def entries_of(books: Books) -> list[Any]:
    """Every entry, oldest first."""
    return books.all_entries()


def usages_are_their_entries(books: Books) -> None:
    """What a usage costs, and where it lies, is the sum of its entries (promise 1); a price nobody knows is never nothing."""
    lies: dict[int, dict[int, Sums]] = defaultdict(dict)
    for entry in entries_of(books):
        there, sums = lies[entry.usage_id], Sums(entry.nano, entry.notional, entry.tokens, entry.unknown)
        there[entry.place_id] = there.get(entry.place_id, NOTHING).more(sums)
    for session in books.all_sessions():
        for row in books.usages_of(session.id):
            found = {place: sums for place, sums in lies[row.id].items() if sums != NOTHING}
            real, notional = (0, row.cost) if row.billing.notional else (row.cost, 0)
            unpriced = row.cost_state is CostState.UNKNOWN and bool(row.tokens.total or row.web_searches)
            wanted = Sums(real, notional, row.tokens.total, int(unpriced))
            assert found == ({} if wanted == NOTHING else {row.place_id: wanted}), row


def parts_are_their_session(books: Transaction) -> None:
    """Where a session lies, as its end is told, comes to its totals."""
    for session in books.all_sessions():
        parts = where_it_lies(books, session)
        told = [(part.cost, part.notional, part.tokens, part.unpriced) for part in parts]
        whole = (session.spent.nano, session.notional, session.spent.tokens, session.unknown_usages)
        assert together([NOTHING, *map(Sums._make, told)]) == whole, session
