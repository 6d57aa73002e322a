"""Databases to measure on: prepared once, copied for every repeat, so that each run finds the same books."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from app.store.engine import Database
from app.store.migrate import upgrade
from bench.figures import NotHereError
from tests.support.postgres import PostgresServer, PostgresUnavailableError

Fill = Callable[[str], None]
"""Fills the migrated database at a URL and closes its connections."""


class Databases(Protocol):
    """One kind of database."""

    name: str

    def prepare(self, fill: Fill) -> str:
        """Migrate a new database, fill it, and answer by what name it is copied."""

    def copy_of(self, prepared: str) -> contextlib.AbstractContextManager[str]:
        """The URL of a fresh copy, gone afterwards."""


@dataclass
class SqliteDatabases:
    """Files in one folder. Put TMPDIR on the disk that is to be measured."""

    folder: Path
    name: str = "sqlite"
    _made: int = 0

    def prepare(self, fill: Fill) -> str:
        """See `Databases`."""
        path = self._new_path()
        url = f"sqlite:///{path}"
        upgrade(url)
        fill(url)
        database = Database(url)
        with contextlib.closing(raw_connection(database)) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return str(path)

    @contextmanager
    def copy_of(self, prepared: str) -> Iterator[str]:
        """See `Databases`."""
        path = self._new_path()
        shutil.copyfile(prepared, path)
        yield f"sqlite:///{path}"
        for end in ("", "-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)

    def _new_path(self) -> Path:
        self._made += 1
        return self.folder / f"{self._made}.db"


@dataclass
class PostgresDatabases:
    """A server of its own, started when it is first needed, that keeps what it is told (fsync on, as in production)."""

    name: str = "postgres"
    _made: int = 0
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @cached_property
    def server(self) -> PostgresServer:
        """The running server. Raises `NotHereError`."""
        try:
            return self._stack.enter_context(PostgresServer.start(durable=True))
        except PostgresUnavailableError as error:
            raise NotHereError(str(error)) from error

    def prepare(self, fill: Fill) -> str:
        """See `Databases`."""

        def whole(url: str) -> None:
            upgrade(url)
            fill(url)

        self._made += 1
        return self.server.create_template(f"prepared{self._made}", whole)

    @contextmanager
    def copy_of(self, prepared: str) -> Iterator[str]:
        """See `Databases`."""
        url = self.server.create_database(template=prepared)
        yield url
        self.server.drop_database(url)

    def stop(self) -> None:
        """Stop the server, if it was started."""
        self._stack.close()


@dataclass
class Machine:
    """Both kinds, for one run of the measurements."""

    sqlite: SqliteDatabases
    postgres: PostgresDatabases
    folder: Path


@contextmanager
def machine() -> Iterator[Machine]:
    """A folder and, when asked for, a PostgreSQL server; both gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tabstop-bench-") as name:
        postgres = PostgresDatabases()
        try:
            yield Machine(SqliteDatabases(Path(name)), postgres, Path(name))
        finally:
            postgres.stop()


def raw_connection(database: Database) -> Any:
    """The driver's own connection (sqlite3, psycopg), set up exactly as our engine sets its connections up.

    It leaves the pool, so whoever asked closes it.
    """
    pooled = database.engine.raw_connection()
    driver = pooled.driver_connection
    pooled.detach()
    return driver
