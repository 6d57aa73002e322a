"""Pytest fixtures: every kind of store, fresh for each test. Databases are migrated once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from app.registry import Store
    from app.store.sql_store import SqlStore
    from tests.support.postgres import PostgresServer

KINDS = ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with empty tables."""
    from app.store.migrate import upgrade  # noqa: PLC0415 (heavy; many runs do without)

    path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_template(postgres: PostgresServer) -> str:
    """A PostgreSQL database with empty tables, to be copied."""
    from app.store.migrate import upgrade  # noqa: PLC0415 (heavy; many runs do without)

    return postgres.create_template("migrated", upgrade)


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Makes the URL of a fresh, migrated database of a kind: `sqlite` or `postgres`."""
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
    from app.store.memory import MemoryStore  # noqa: PLC0415 (heavy; many runs do without)
    from app.store.sql_store import SqlStore  # noqa: PLC0415 (heavy; many runs do without)

    made: list[SqlStore] = []

    def new(kind: str) -> Store:
        if kind == "memory":
            return MemoryStore()
        made.append(SqlStore(new_url(kind)))
        return made[-1]

    yield new
    for store in made:
        store.close()
