"""Overrun causes in a database: what each budget was charged for a cause that may take it past its cap."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import bindparam, func, select

from app.ledger.books import Cause, CauseSums
from app.store.sql_part import SqlPart, per_database
from app.store.tables import ENTRY, OVERRUN_CAUSE
from tabstop.budget import Amount

_C, _E = OVERRUN_CAUSE.c, ENTRY.c

_ADD = per_database(
    lambda into: (new := into(OVERRUN_CAUSE).values(organization_id=bindparam("org"))).on_conflict_do_update(
        index_elements=[_C.organization_id, _C.budget_id, _C.cause],
        set_={"nano": _C.nano + new.excluded.nano, "tokens": _C.tokens + new.excluded.tokens},
    )
)
_ALL = select(_C.budget_id, _C.cause, _C.nano, _C.tokens).where(_C.organization_id == bindparam("org"))
_OF = _ALL.where(_C.budget_id == bindparam("budget"))
_SUMS = (
    select(_E.place_id, _E.cause, func.sum(_E.nano), func.sum(_E.notional), func.sum(_E.tokens))
    .where(_E.organization_id == bindparam("org"), _E.cause != Cause.ADMITTED.value)
    .group_by(_E.place_id, _E.cause)
)


class SqlCauses(SqlPart):
    """The part of `app.ledger.books.Books` that names overruns."""

    def add_causes(self, changes: Mapping[tuple[int, Cause], Amount]) -> None:
        """See `Books`."""
        self._write(
            _ADD,
            [
                {"budget_id": budget_id, "cause": cause.value, "nano": amount.nano, "tokens": amount.tokens}
                for (budget_id, cause), amount in changes.items()
            ],
        )

    def causes_of(self, budget_id: int) -> dict[Cause, Amount]:
        """See `Books`."""
        return {Cause(row.cause): Amount(row.nano, row.tokens) for row in self._rows(_OF, budget=budget_id)}

    def all_causes(self) -> dict[tuple[int, Cause], Amount]:
        """See `Books`."""
        return {(row.budget_id, Cause(row.cause)): Amount(row.nano, row.tokens) for row in self._rows(_ALL)}

    def cause_sums(self) -> list[CauseSums]:
        """See `Books`."""
        # PostgreSQL adds bigints up as decimals.
        return [CauseSums(row[0], Cause(row[1]), *(int(total) for total in row[2:])) for row in self._rows(_SUMS)]
