"""gate.growth: what a decision costs when the ledger has a million rows, against ten thousand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from sqlalchemy import Connection, Table, func, select

from app.store.engine import Database
from app.store.sql_store import SqlStore
from app.store.tables import ATTEMPT, AUDIT, BUDGET, ENTRY, PLACE, SESSION, TAB, USAGE, USAGE_KEY
from bench.databases import Machine
from bench.figures import Figure, Part, in_turns, say
from bench.scene import Scene, admit_all, set_up, starts_to_come

SMALL, LARGE = 10_000, 1_000_000
CALLS_A_SESSION = 50
DECISIONS = 100
"""A turn; short ones, since a busy machine is busy for seconds on end."""

# How many ledger rows there are for each row of the other tables an organization's life fills.
_ROWS_PER = {
    ENTRY: 1,
    USAGE: 1,
    USAGE_KEY: 0.5,
    SESSION: CALLS_A_SESSION,
    ATTEMPT: CALLS_A_SESSION,
    AUDIT: CALLS_A_SESSION // 2,
    TAB: CALLS_A_SESSION * 4,
    PLACE: CALLS_A_SESSION * 4,
    BUDGET: CALLS_A_SESSION * 4,
}

_LIKE_NO_OTHER = {
    "entry": ("id",),
    "usage": ("id",),
    "usage_key": ("key",),
    "agent_session": ("id",),
    "start_attempt": ("key", "token_id"),
    "audit": ("id",),
    "tab": ("id", "branch"),
    "place": ("id", "digest"),
    "budget": ("id", "line", "subject_id"),
}
"""Columns that have to differ from row to row; the others are copied from a row that is there."""


def parts(machine: Machine) -> list[Part]:
    """On SQLite, where a larger file costs most."""
    return [Part(("gate.growth",), lambda _wanted: _growth(machine))]


def _growth(machine: Machine) -> Iterator[Figure]:
    with ExitStack() as stack:
        small, large = (stack.enter_context(_books(machine, rows)) for rows in (SMALL, LARGE))
        value, floor = in_turns("gate.growth", lambda: _milliseconds(large), lambda: _milliseconds(small), repeats=30)
    yield Figure("gate.growth", value, "ms/decision", floor)


@contextmanager
def _books(machine: Machine, rows: int) -> Iterator[tuple[SqlStore, Scene]]:
    """Books with as many ledger rows, open all the while, as a server has them."""
    scenes: list[Scene] = []

    def fill(url: str) -> None:
        with closing(SqlStore(url)) as store:
            scenes.append(set_up(store))
        grow(url, rows)

    begun = time.monotonic()
    path = machine.sqlite.prepare(fill)
    say(f"gate.growth: a ledger of {rows} rows took {time.monotonic() - begun:.0f} s")
    with closing(SqlStore(f"sqlite:///{path}")) as store:
        yield store, scenes[0]


def _milliseconds(books: tuple[SqlStore, Scene]) -> float:
    store, scene = books
    return admit_all(store, scene, starts_to_come(scene, DECISIONS)) / DECISIONS * 1_000


def grow(url: str, rows: int) -> None:
    """Give the books as many ledger rows, and of everything else what goes with them."""
    database = Database(url)
    with closing(database), database.writing() as db:
        for table, entries in _ROWS_PER.items():
            _multiply(db, table, int(rows / entries))


def _multiply(db: Connection, table: Table, count: int) -> None:
    """Insert `count` rows like one that is there, with ids and keys of their own, in the order of time."""
    differing = _LIKE_NO_OTHER[table.name]
    there = db.execute(select(func.count()).select_from(table)).scalar_one()
    sample = f'(SELECT * FROM "{table.name}" LIMIT 1)' if there else f"({_SAMPLES[table.name]})"  # noqa: S608
    columns = ", ".join(
        _numbered(table.name, column.name, column.type.python_type) if column.name in differing else f'"{column.name}"'
        for column in table.columns
    )
    db.exec_driver_sql(
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "  # noqa: S608
        f'INSERT INTO "{table.name}" SELECT {columns} FROM n, {sample}'
    )


def _numbered(table: str, column: str, kind: type) -> str:
    # Real ids rise with time, and so do the vendors' keys; our own texts are random.
    if kind is int:
        return "i"
    return f"printf('{column}-%010x', {'i' if table == 'usage_key' else '(i * 2654435761) & 4294967295'})"


def _sample(table: Table) -> str:
    """A row of a table that has none yet, in the sizes its values usually have."""
    told = []
    for column in table.columns:
        kind = column.type.python_type
        told.append("1" if kind in {int, bool} else f"'{'x' * 24}'")
    told[0] = "(SELECT id FROM organization)"
    return "SELECT " + ", ".join(
        f'{value} AS "{column.name}"' for value, column in zip(told, table.columns, strict=True)
    )


_SAMPLES = {table.name: _sample(table) for table in (ENTRY, USAGE, USAGE_KEY)}
