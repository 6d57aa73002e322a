"""What every part of a database transaction shares: its connection, its organization, and statements for either database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, CursorResult, Executable, Row
from sqlalchemy.dialects import postgresql, sqlite

from app.store.ids import IdMaker

_AT_ONCE = 500
"""Ids in one statement: far below what either database takes."""


class PerDatabase(NamedTuple):
    """One statement in both dialects."""

    sqlite: Executable
    postgresql: Executable


def per_database(make: Callable[[Any], Executable]) -> PerDatabase:
    """Build a statement with each dialect's `insert`, which alone knows ON CONFLICT."""
    return PerDatabase(make(sqlite.insert), make(postgresql.insert))


Params = Mapping[str, Any]
AnyRow = Row[*tuple[Any, ...]]


class SqlPart:
    """One open transaction on one organization. A look reads only: what is written in it goes nowhere."""

    organization_id: int
    new_id: Callable[[], int]
    """A fresh id, rising with time."""
    new_ids: Callable[[int], Sequence[int]]
    """Several, likewise."""

    def __init__(
        self, db: Connection, organization_id: int, ids: IdMaker, *, is_sqlite: bool, writes: bool = True
    ) -> None:
        """Work on an open connection; who opened it commits."""
        self.organization_id = organization_id
        self._db = db
        self.new_id, self.new_ids = ids.next, ids.block
        self._is_sqlite = is_sqlite
        self._writes = writes

    def _read(self, statement: Executable, **params: Any) -> CursorResult[*tuple[Any, ...]]:
        """Run a select; the organization is bound as `org`."""
        return self._db.execute(statement, {"org": self.organization_id, **params})

    def _row(self, statement: Executable, **params: Any) -> AnyRow | None:
        return self._read(statement, **params).first()

    def _rows(self, statement: Executable, **params: Any) -> Sequence[AnyRow]:
        return self._read(statement, **params).all()

    def _rows_by_id(self, statement: Executable, ids: Iterable[int]) -> Iterator[AnyRow]:
        """What a select answers for these ids, bound as `ids`: however many they are."""
        wanted = sorted(set(ids))
        for first in range(0, len(wanted), _AT_ONCE):
            yield from self._rows(statement, ids=wanted[first : first + _AT_ONCE])

    def _write(self, statement: Executable | PerDatabase, params: Params | Sequence[Params]) -> int:
        """Run a statement that writes, for one row or many; answers how many rows it touched."""
        if not self._writes:
            return 0
        if isinstance(statement, PerDatabase):
            statement = statement.sqlite if self._is_sqlite else statement.postgresql
        if isinstance(params, Mapping):
            return self._db.execute(statement, {"org": self.organization_id, **params}).rowcount
        if not params:
            return 0
        return self._db.execute(statement, [{"org": self.organization_id, **one} for one in params]).rowcount
