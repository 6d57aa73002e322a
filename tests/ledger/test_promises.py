"""Promises 1 to 4 under any sequence of events, in memory and on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from app.registry import Store
from app.store.memory import MemoryStore
from app.store.sql_store import SqlStore
from tests.ledger.ledger_machine import LedgerMachine
from tests.support.postgres import PostgresServer


def run(new_store: Callable[[], Store], examples: int, steps: int) -> None:
    machine = type("Machine", (LedgerMachine,), {"new_store": staticmethod(new_store)})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )


@pytest.mark.slow
def test_any_sequence_in_memory() -> None:
    """Whatever happens in whatever order, the ledger adds up, nothing counts twice, no cap is passed unnamed."""
    run(MemoryStore, examples=200, steps=30)


@pytest.fixture
def stores() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.slow
def test_any_sequence_on_sqlite(stores: ExitStack, migrated_file: Path) -> None:
    """The same on SQLite."""
    folder = Path(mkdtemp())
    stores.callback(shutil.rmtree, folder)

    def new_store() -> Store:
        path = folder / f"{len(list(folder.iterdir()))}.db"
        shutil.copy(migrated_file, path)
        store = SqlStore(f"sqlite:///{path}")
        stores.callback(store.close)
        return store

    run(new_store, examples=15, steps=20)


@pytest.mark.slow
@pytest.mark.postgres
def test_any_sequence_on_postgres(stores: ExitStack, postgres: PostgresServer, migrated_template: str) -> None:
    """The same on PostgreSQL."""

    def new_store() -> Store:
        store = SqlStore(postgres.create_database(migrated_template))
        stores.callback(store.close)
        return store

    run(new_store, examples=10, steps=20)
