"""A backup is taken from a running database and restored whole."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.ledger.recompute import recompute
from app.registry import Store
from app.store.backup import BackupError, backup
from app.store.migrate import is_current
from app.store.sql_store import SqlStore
from tests.ledger.builders import NOW, a_report, a_start, a_usage, an_organization, begun, report
from tests.support.postgres import PostgresServer


def some_work(store: Store) -> int:
    organization = an_organization(store).id
    with store.open(organization) as books:
        session = begun(books, a_start())
        report(books, session.id, a_report([a_usage("a")]))
    return organization


def keep_writing(store: Store, organization: int, stop: threading.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        with store.open(organization) as books:
            report(books, "session-one", a_report([a_usage(f"more-{number}")]))


def test_sqlite_is_copied_while_it_is_written(new_url: Callable[[str], str], tmp_path: Path) -> None:
    """The copy is one state of the ledger: it opens, is current, and adds up."""
    url, file = new_url("sqlite"), tmp_path / "copy.db"
    store = SqlStore(url)
    organization = some_work(store)
    stop = threading.Event()
    writer = threading.Thread(target=keep_writing, args=(store, organization, stop))
    writer.start()
    try:
        how = backup(url, file)
    finally:
        stop.set()
        writer.join()
        store.close()
    assert str(file) in how
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == ["copy.db"]
    assert is_current(f"sqlite:///{file}")
    restored = SqlStore(f"sqlite:///{file}")
    with restored.open(organization) as books:
        assert recompute(books, NOW) == []
        assert len(books.usages_of("session-one")) >= 1
    restored.close()


@pytest.mark.postgres
def test_postgres_is_dumped_or_says_what_to_install(
    new_url: Callable[[str], str], postgres: PostgresServer, tmp_path: Path
) -> None:
    """With pg_dump the dump restores into an empty database; without it the error tells what to do."""
    url, file = new_url("postgres"), tmp_path / "dump"
    store = SqlStore(url)
    organization = some_work(store)
    store.close()
    if not (shutil.which("pg_dump") and shutil.which("pg_restore")):
        with pytest.raises(BackupError, match="postgresql-client"):
            backup(url, file)
        return
    backup(url, file)
    empty = postgres.create_database()
    plain = empty.replace("+psycopg", "")
    subprocess.run(["pg_restore", "--no-owner", "--dbname", plain, str(file)], check=True)
    restored = SqlStore(empty)
    with restored.look(organization) as books:
        assert recompute(books, NOW) == []
    restored.close()
    postgres.drop_database(empty)


@pytest.mark.parametrize(
    ("url", "name", "says"),
    [
        ("sqlite:///{0}/none.db", "copy.db", "no database"),
        ("sqlite:///{0}/none.db", "there", "exists already"),
        ("sqlite:///{0}/none.db", "no/folder", "no folder"),
        ("postgresql://nobody@127.0.0.1:1/none", "dump", "pg_dump"),
    ],
)
def test_what_cannot_be_backed_up_says_why(url: str, name: str, says: str, tmp_path: Path) -> None:
    """Nothing is overwritten and nothing half-made is left."""
    (tmp_path / "there").write_text("a backup")
    with pytest.raises(BackupError, match=says):
        backup(url.format(tmp_path), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
