"""Price stored usages again: a price became known or was negotiated. Entries bring each sum to the new cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.ledger.books import AuditRow, Books, Cause, EntryKind
from app.ledger.postings import Postings
from app.ledger.reached import Reached
from app.ledger.record_usage import Pricer, priced


def reprice(
    books: Books, usage_ids: Sequence[int], price: Pricer, *, why: str, steps: tuple[int, ...], now: datetime
) -> int:
    """Price these usages at their own dates again; answers how many changed."""
    rows = [row for row in books.usages(usage_ids).values() if row.same_as is None]
    postings = Postings(Reached(books, now).reach({row.place_id for row in rows}))
    changed = 0
    for row in rows:
        after = priced(row, price)
        if after != row:
            changed += 1
            postings.correct(row, after, EntryKind.REPRICE, Cause.REPRICED, why)
    postings.write(steps)
    if changed:
        books.audit(AuditRow("usage.repriced", now, why, {"usages": changed, "entries": len(postings.entries)}))
    return changed
