"""Move usage to another place: -A there, +B here, in one transaction, with a reason and an audit row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.ledger.books import AuditRow, Books, Place
from app.ledger.postings import Postings
from app.ledger.reached import Reached


def move(
    books: Books,
    usage_ids: Sequence[int],
    to: Place,
    *,
    why: str,
    steps: tuple[int, ...],
    now: datetime,
    engineer_id: int | None = None,
) -> int:
    """Move usages that are not there yet; answers how many moved. `to.budget_ids` are those of the windows they count in.

    A place whose confidence is `manual` keeps them until `app.ledger.attribute_again` releases them.
    """
    to_id = books.place_id(to)
    rows = [row for row in books.usages(usage_ids).values() if row.place_id != to_id]
    if not rows:
        return 0
    postings = Postings(Reached(books, now).reach({to_id, *(row.place_id for row in rows)}))
    left = sorted({tab for row in rows if (tab := postings.places[row.place_id].tab_id) is not None})
    for row in rows:
        postings.move(row, to_id, why)
    postings.write(steps)
    books.audit(
        AuditRow(
            "usage.moved",
            now,
            str(to_id),
            {
                "usages": [row.id for row in rows],
                "from_tabs": left,
                "to_tab": to.tab_id,
                "to_repository": to.repository_id,
                "why": why,
            },
            engineer_id,
        )
    )
    return len(rows)
