"""Migrations make exactly the tables the code speaks to, from nothing, on both databases, any number of times."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from app.store.engine import Database
from app.store.migrate import is_current, upgrade
from app.store.tables import METADATA

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The URL of a database with nothing in it."""

    def new(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/new.db"
        url: str = request.getfixturevalue("postgres_url")
        return url

    return new


def checks(db: Connection) -> set[str]:
    inspector = inspect(db)
    return {str(c["name"]) for table in inspector.get_table_names() for c in inspector.get_check_constraints(table)}


@pytest.mark.parametrize("kind", DATABASES)
def test_migrations_make_the_tables(kind: str, empty_url: Callable[[str], str]) -> None:
    """Nothing is missing, nothing is left over: columns, types, indexes, checks."""
    url = empty_url(kind)
    assert not is_current(url)
    upgrade(url)
    upgrade(url)
    assert is_current(url)
    database = Database(url)
    with database.reading() as db:
        assert compare_metadata(MigrationContext.configure(db, opts={"compare_type": True}), METADATA) == []
        declared = {
            str(c.name) for table in METADATA.tables.values() for c in table.constraints if "held" in str(c.name)
        }
        assert declared <= checks(db)
    database.close()


@pytest.mark.parametrize("kind", DATABASES)
def test_two_servers_may_start_at_once(kind: str, empty_url: Callable[[str], str]) -> None:
    """One migrates, the other waits and finds it done."""
    url = empty_url(kind)
    errors: list[BaseException] = []

    def start() -> None:
        try:
            upgrade(url)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert is_current(url)
