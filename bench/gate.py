"""gate.*: admission decisions a second through our code, against its own statements sent by the raw driver."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import closing

from app.ledger.admit import Start
from app.store.sql_store import SqlStore
from bench.databases import Databases, Machine
from bench.figures import Figure, Part, in_turns
from bench.recording import Recording, Transaction, recorded, replay
from bench.scene import Scene, admit_all, set_up, starts_to_come

DECISIONS = 400
"""Starts a run; enough that one slow fsync does not decide."""

NEEDED_STATEMENTS = 6
"""One select of everything that is asked, then a write to each of five tables: session, budgets, start, audit, job."""


def parts(machine: Machine) -> list[Part]:
    """By database, and the count of statements."""
    return [
        Part(("gate.sqlite.c1", "gate.sqlite.c32"), lambda wanted: _gate(machine.sqlite, wanted)),
        Part(("gate.postgres.c1", "gate.postgres.c32"), lambda wanted: _gate(machine.postgres, wanted)),
        Part(("gate.statements",), lambda _wanted: _statements(machine.sqlite)),
    ]


def _gate(databases: Databases, wanted: Sequence[str]) -> Iterator[Figure]:
    prepared, scene = prepared_scene(databases)
    starts = starts_to_come(scene, DECISIONS)
    transactions = _record(databases, prepared, scene, starts).transactions
    for name in wanted:
        threads = int(name.rpartition(".c")[2])
        value, floor = in_turns(
            name,
            lambda threads=threads: _ours(databases, prepared, scene, starts, threads),  # type: ignore[misc]
            lambda threads=threads: _raw(databases, prepared, transactions, threads),  # type: ignore[misc]
        )
        yield Figure(name, value, "decisions/s", floor)


def prepared_scene(databases: Databases) -> tuple[str, Scene]:
    """A prepared database with the scene in it."""
    scenes = []

    def fill(url: str) -> None:
        with closing(SqlStore(url)) as store:
            scenes.append(set_up(store))

    prepared = databases.prepare(fill)
    return prepared, scenes[-1]


def _record(databases: Databases, prepared: str, scene: Scene, starts: Sequence[Start]) -> Recording:
    with databases.copy_of(prepared) as url, closing(SqlStore(url)) as store, recorded() as recording:
        admit_all(store, scene, starts)
    assert len(recording.transactions) == len(starts)
    return recording


def _ours(databases: Databases, prepared: str, scene: Scene, starts: Sequence[Start], threads: int) -> float:
    with databases.copy_of(prepared) as url, closing(SqlStore(url)) as store:
        return len(starts) / admit_all(store, scene, starts, threads)


def _raw(databases: Databases, prepared: str, transactions: Sequence[Transaction], threads: int) -> float:
    with databases.copy_of(prepared) as url:
        return len(transactions) / replay(url, transactions, threads)


def _statements(databases: Databases) -> Iterator[Figure]:
    prepared, scene = prepared_scene(databases)
    starts = starts_to_come(scene, 100, new_tabs=False)
    counts = _record(databases, prepared, scene, starts).statements()
    yield Figure("gate.statements", statistics.median(counts), "statements", NEEDED_STATEMENTS)
