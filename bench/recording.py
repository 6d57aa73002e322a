"""Recording: the statements our code sends, and sending the same again through the raw driver, which is the floor.

A recorded transaction keeps every statement as the driver got it, parameters included, so that on a copy of the same
database the replay reads and writes exactly the same rows. What is left out is everything we add: SQLAlchemy, our
objects, decisions, JSON.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Engine, event

from app.store.engine import Database
from app.store.writer_lock import WriterLock
from bench.databases import raw_connection
from bench.threads import seconds_for


class Sent(NamedTuple):
    """One call of a cursor. many: `executemany`, parameters then being a list."""

    statement: str
    parameters: Any
    many: bool

    @property
    def begins(self) -> bool:
        """Whether it only begins a transaction."""
        return self.statement.startswith("BEGIN")


Transaction = list[Sent]


@dataclass
class Recording:
    """Committed transactions that wrote, in the order they committed."""

    transactions: list[Transaction] = field(default_factory=list)

    def statements(self) -> list[int]:
        """How many statements each transaction sent, its begin and commit not counted."""
        return [sum(not sent.begins for sent in transaction) for transaction in self.transactions]


@contextmanager
def recorded() -> Iterator[Recording]:
    """Record everything that any engine of this process commits meanwhile."""
    recording = Recording()
    open_ones: dict[int, Transaction] = {}
    guard = threading.Lock()

    def begun(db: Any) -> None:
        open_ones[id(db.connection.dbapi_connection)] = []

    def sent(db: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        open_ones.setdefault(id(db.connection.dbapi_connection), []).append(Sent(statement, parameters, many))

    def committed(db: Any) -> None:
        with guard:
            recording.transactions.append(open_ones.pop(id(db.connection.dbapi_connection), []))

    listeners: list[tuple[str, Callable[..., None]]] = [
        ("begin", begun),
        ("before_cursor_execute", sent),
        ("commit", committed),
    ]
    for name, listener in listeners:
        event.listen(Engine, name, listener, insert=True)
    try:
        yield recording
    finally:
        for name, listener in listeners:
            event.remove(Engine, name, listener)


def replay(url: str, transactions: Sequence[Transaction], threads: int = 1) -> float:
    """Send recorded transactions through the raw driver, dealt out to as many threads; seconds.

    Connections are set up as the engine sets up its own, and writers of SQLite queue in the same lock.
    """
    database = Database(url)
    connections: dict[int, Any] = {}
    turn = WriterLock()
    send = _send_sqlite if database.is_sqlite else _send_postgres

    def connect(number: int) -> None:
        connections[number] = raw_connection(database)

    def work(number: int) -> None:
        for transaction in transactions[number::threads]:
            send(connections[number], transaction, turn)

    try:
        return seconds_for(threads, work, connect)
    finally:
        for connection in connections.values():
            connection.close()
        database.close()


def _send_sqlite(connection: Any, transaction: Transaction, turn: WriterLock) -> None:
    with turn:
        cursor = connection.cursor()
        for statement, parameters, many in transaction:
            if many:
                cursor.executemany(statement, parameters)
            else:
                cursor.execute(statement, parameters)
                if cursor.description:
                    cursor.fetchall()
        connection.execute("COMMIT")


def _send_postgres(connection: Any, transaction: Transaction, _turn: WriterLock) -> None:
    cursor = connection.cursor()
    for statement, parameters, many in transaction:
        if many:
            cursor.executemany(statement, parameters)
        else:
            cursor.execute(statement, parameters)
            if cursor.description:
                cursor.fetchall()
    connection.commit()
