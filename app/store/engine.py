"""Engines: how to reach SQLite and PostgreSQL, and how a transaction begins on each. Make one per process, after a fork."""

from __future__ import annotations

import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

from app.store.writer_lock import WriterLock

BUSY_SECONDS = 15
"""How long to wait for another process (the command line beside the server) that writes to the same SQLite file."""

IDLE_SECONDS = 30
"""A PostgreSQL connection that rested longer is asked whether it still lives; asking always would cost each request."""

THREADS = 40
"""At most this many connections; more wait. A server has a handful of threads, tests have more."""

_PRAGMAS = (
    f"busy_timeout = {BUSY_SECONDS * 1000}",
    # FULL, not NORMAL: either survives kill -9, and only FULL keeps what was acknowledged when the power goes. A runner
    # forgets a usage once we said yes, so a lost one is lost for good. It costs one fsync a transaction.
    "synchronous = FULL",
    "cache_size = -16000",  # 16 MB a connection
    "temp_store = MEMORY",
)


class DatabaseUrlError(ValueError):
    """A database URL that names neither SQLite nor PostgreSQL."""


def database_url(url: str) -> URL:
    """The URL with the driver we use. Raises `DatabaseUrlError`."""
    for given in ("postgresql://", "postgres://"):
        if url.startswith(given):
            url = "postgresql+psycopg://" + url.removeprefix(given)
    parsed = make_url(url)
    if parsed.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise DatabaseUrlError(
            f"The database URL begins with {parsed.drivername!r}; write sqlite:///path/to/file.db or postgresql://…"
        )
    if parsed.drivername == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise DatabaseUrlError("sqlite:// needs a file: sqlite:///path/to/file.db (memory:// keeps nothing)")
    return parsed


class Database:
    """One database: begins transactions, and on SQLite queues the writers of this process."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises `DatabaseUrlError`."""
        self.url = database_url(url)
        self.is_sqlite = self.url.drivername == "sqlite"
        self.engine: Engine = _sqlite(self.url) if self.is_sqlite else _postgres(self.url)
        self._reading = self.engine.execution_options(
            **({"tabstop_reads": True} if self.is_sqlite else _READING_POSTGRES)
        )
        # Who lets go of a database without closing it (a short command, a test) leaves no connection behind.
        weakref.finalize(self, self.engine.dispose)
        self._turn: AbstractContextManager[None] = WriterLock() if self.is_sqlite else nullcontext()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write. The turn comes before the connection: those who wait hold none."""
        with self._turn, self.engine.begin() as db:
            yield db

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view; rolled back at the end."""
        with self._reading.connect() as db:
            yield db

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


_READING_POSTGRES: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, poolclass=QueuePool, pool_size=5, max_overflow=THREADS - 5, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # Python's driver would begin and commit on its own; SQLAlchemy's `begin` below does it.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        _write_ahead(connection)

    @event.listens_for(engine, "begin")
    def _begun(db: Connection) -> None:
        # A deferred transaction that reads and then writes fails at once when another wrote meanwhile.
        reads = db.get_execution_options().get("tabstop_reads", False)
        db.exec_driver_sql("BEGIN DEFERRED" if reads else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Readers never wait for the writer. Switching a new file to it needs the file alone, and SQLite itself waits for no one here.

    See "Sometimes Queries Return SQLITE_BUSY In WAL Mode", https://sqlite.org/wal.html.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
            if not busy or time.monotonic() >= until:
                raise
        time.sleep(0.01)


def _postgres(url: URL) -> Engine:
    # Without `preserve_rowcount` SQLAlchemy does not say how many rows an INSERT made on PostgreSQL, and a first
    # delivery would look like a repeated one.
    counts = {"preserve_rowcount": True}
    engine = create_engine(
        url, pool_size=10, max_overflow=THREADS - 10, pool_use_lifo=True, execution_options=counts, hide_parameters=True
    )

    @event.listens_for(engine, "checkin")
    def _rests(_connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _woken(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("rests_since", time.monotonic()) > IDLE_SECONDS:
            try:
                connection.execute("SELECT 1")
                connection.rollback()
            except Exception as error:
                raise DisconnectionError from error

    return engine
