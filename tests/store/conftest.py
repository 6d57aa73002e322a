"""Stores to test: memory, a file of SQLite, PostgreSQL; migrated once, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.registry import Store
from app.store.memory import MemoryStore
from app.store.migrate import upgrade
from app.store.sql_store import SqlStore
from tests.support.postgres import PostgresServer

KINDS = ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with empty tables."""
    path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_template(postgres: PostgresServer) -> str:
    """A PostgreSQL database with empty tables, to be copied."""
    return postgres.create_template("migrated", upgrade)


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Makes the URL of a fresh, migrated database of a kind."""
    made: list[str] = []

    def new(kind: str) -> str:
        if kind == "sqlite":
            path = tmp_path / f"{len(made)}.db"
            shutil.copy(request.getfixturevalue("migrated_file"), path)
            made.append("")
            return f"sqlite:///{path}"
        server: PostgresServer = request.getfixturevalue("postgres")
        made.append(server.create_database(request.getfixturevalue("migrated_template")))
        return made[-1]

    yield new
    for url in filter(None, made):
        request.getfixturevalue("postgres").drop_database(url)


@pytest.fixture
def new_store(new_url: Callable[[str], str]) -> Iterator[Callable[[str], Store]]:
    """Makes a fresh store of a kind: `memory`, `sqlite` or `postgres`."""
    made: list[SqlStore] = []

    def new(kind: str) -> Store:
        if kind == "memory":
            return MemoryStore()
        made.append(SqlStore(new_url(kind)))
        return made[-1]

    yield new
    for store in made:
        store.close()


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, new_store: Callable[[str], Store]) -> Store:
    """Each kind of store in turn."""
    return new_store(request.param)
