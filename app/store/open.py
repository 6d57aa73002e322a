"""Open the store a URL names: a file of SQLite, a PostgreSQL server, or memory."""

from __future__ import annotations

from datetime import timedelta

from app.registry import Store
from app.store.sql_outbox import LEASE
from app.store.sql_store import SqlStore


def open_store(url: str, lease: timedelta = LEASE) -> Store:
    """The store behind `sqlite:///file.db`, `postgresql://…` or `memory://`. Databases have to be migrated before.

    lease: how long a worker may be at a job before another takes it over. Make one store per process, after a fork.
    Raises `app.store.engine.DatabaseUrlError`.
    """
    if url.startswith("memory:"):
        from app.store.memory import MemoryStore  # noqa: PLC0415 - tests and the demo

        return MemoryStore(lease)
    return SqlStore(url, lease)
