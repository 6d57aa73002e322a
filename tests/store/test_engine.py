"""Which databases can be opened and how they are set up; statements per admission."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from app.store.engine import Database, DatabaseUrlError, database_url
from app.store.memory import MemoryStore
from app.store.open import open_store
from app.store.sql_store import SqlStore
from tests.ledger.builders import a_policy, a_start, an_organization, begin

MOST_STATEMENTS = 11


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:///x.db", "sqlite"),
        ("postgresql://u:p@h/n", "postgresql+psycopg"),
        ("postgres://u:p@h/n", "postgresql+psycopg"),
        ("postgresql+psycopg://u:p@h/n", "postgresql+psycopg"),
    ],
)
def test_a_url_gets_our_driver(given: str, driver: str) -> None:
    """The spellings people have at hand all work."""
    assert database_url(given).drivername == driver


@pytest.mark.parametrize("given", ["mysql://h/n", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(given: str) -> None:
    """With what to write instead."""
    with pytest.raises(DatabaseUrlError, match="sqlite:///path"):
        database_url(given)


def test_memory_has_a_url_too() -> None:
    """For looking around; nothing is kept."""
    assert isinstance(open_store("memory://"), MemoryStore)


def test_sqlite_keeps_what_it_acknowledged(new_url: Callable[[str], str]) -> None:
    """Write-ahead log, every commit on the disk, and patience with other processes."""
    database = Database(new_url("sqlite"))
    with database.reading() as db:
        found = {
            name: db.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }
    database.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 15_000}


def test_a_new_file_that_another_process_writes_to_is_waited_for(tmp_path: Path) -> None:
    """SQLite refuses to change the journal of a file at once while somebody writes; two servers start at once all the same."""
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, other.execute, ("COMMIT",))
    done.start()
    database = Database(f"sqlite:///{path}")
    with database.reading() as db:
        assert db.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()
    done.join()
    other.close()


def test_a_file_in_use_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many seconds whoever asked is told."""
    monkeypatch.setattr("app.store.engine.BUSY_SECONDS", 0)
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database = Database(f"sqlite:///{path}")
    with pytest.raises(OperationalError, match="locked"), database.reading():
        pass
    other.close()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.parametrize("policy", [a_policy(), a_policy(hold="1", organization="1000")])
def test_an_admission_takes_few_statements(kind: str, policy: object, new_url: Callable[[str], str]) -> None:
    """Each is a round trip while others wait: two starts of the same place and window need no more than these."""
    store = open_store(new_url(kind))
    assert isinstance(store, SqlStore)
    organization = an_organization(store).id
    statements: list[str] = []
    with store.open(organization) as books:
        begin(books, a_start("first", policy=policy))  # type: ignore[arg-type]

    @event.listens_for(store._database.engine, "before_cursor_execute")
    def seen(_db: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    with store.open(organization) as books:
        assert begin(books, a_start("second", policy=policy)).status == 201  # type: ignore[arg-type]
    store.close()
    assert len(statements) <= MOST_STATEMENTS, "\n\n".join(statements)
