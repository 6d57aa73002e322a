"""Bulk inserts: a batch of rows at once, the quickest way each database has."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table


class BulkInsert:
    """Inserts rows of one table, given as tuples in the order of `columns`.

    SQLite: the driver's `executemany`. PostgreSQL: COPY, its own way to load rows; the server stores the first
    ones while the next are made.
    """

    def __init__(self, table: Table) -> None:
        """Prepare both statements."""
        self.columns = [column.name for column in table.columns]
        names = ", ".join(f'"{name}"' for name in self.columns)
        marks = ", ".join("?" for _ in self.columns)
        self._sqlite = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608 - names of our own tables
        self._postgres = f'COPY "{table.name}" ({names}) FROM STDIN'

    def insert(self, db: Connection, rows: Iterable[tuple[Any, ...]], *, is_sqlite: bool) -> None:
        """Insert them all, in the connection's transaction; a key that exists already is the driver's error."""
        rest = iter(rows)
        first = next(rest, None)
        if first is None:
            return
        if is_sqlite:
            db.exec_driver_sql(self._sqlite, [first, *rest])
            return
        driver: Any = db.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(self._postgres) as copy:
            for row in chain([first], rest):
                copy.write_row(row)
