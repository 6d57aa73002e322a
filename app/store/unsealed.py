"""How many audit rows wait for the seal, and since when: what `doctor` looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from app.store.engine import Database
from app.store.tables import AUDIT, ORGANIZATION

_WAITING = (
    select(ORGANIZATION.c.login, func.count().label("rows"), func.min(AUDIT.c.at).label("oldest"))
    .select_from(AUDIT.join(ORGANIZATION, ORGANIZATION.c.id == AUDIT.c.organization_id))
    .where(AUDIT.c.seq.is_(None))
    .group_by(ORGANIZATION.c.login)
    .order_by(ORGANIZATION.c.login)
)


@dataclass(frozen=True, slots=True)
class Unsealed:
    """One organization's audit rows that are not in its chain yet."""

    login: str
    rows: int
    oldest: datetime


def unsealed(url: str) -> list[Unsealed]:
    """Those of every organization that has any. Raises what `app.store.failure.FAILURES` names."""
    database = Database(url)
    try:
        with database.reading() as db:
            return [Unsealed(row.login, row.rows, row.oldest) for row in db.execute(_WAITING)]
    finally:
        database.close()
