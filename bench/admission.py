"""admission.*.admitted: how many of 320 simultaneous starts are admitted where there is room for exactly 100."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from app.store.sql_store import SqlStore
from bench.databases import Databases, Machine
from bench.figures import Figure, Part
from bench.gate import prepared_scene
from bench.scene import admit_one, starts_to_come, tight
from bench.threads import seconds_for
from tabstop.budget import Scope
from tabstop.money import NANO_PER_DOLLAR

STARTS, THREADS, ROOM = 320, 32, 100


def parts(machine: Machine) -> list[Part]:
    """By database."""
    return [
        Part((f"admission.{databases.name}.admitted",), partial(_admission, databases))
        for databases in (machine.sqlite, machine.postgres)
    ]


def _admission(databases: Databases, _wanted: Sequence[str]) -> Iterator[Figure]:
    """All starts are for one repository, whose budget is new and has room for 100 holds of a dollar."""
    prepared, scene = prepared_scene(databases)
    policy = tight(ROOM * NANO_PER_DOLLAR, NANO_PER_DOLLAR)
    with databases.copy_of(prepared) as url, closing(SqlStore(url)) as store:
        with store.open(scene.organization_id) as books:
            repository = replace(books.repositories()[0], id=0, github_id=999, full_name="acme/tight")
            tight_one = books.save_repository(repository)
        starts = [replace(start, repository_id=tight_one.id, policy=policy) for start in starts_to_come(scene, STARTS)]
        admitted: list[bool] = []

        def work(number: int) -> None:
            admitted.extend(admit_one(store, scene, start) for start in starts[number::THREADS])

        seconds_for(THREADS, work)
        with store.look(scene.organization_id) as books:
            budget = books.budget_in_window(Scope.REPOSITORY, tight_one.id, datetime.now(UTC))
        assert budget is not None
        assert len(admitted) == STARTS
        assert budget.held.nano == sum(admitted) * NANO_PER_DOLLAR, "what is held is not what was admitted"
    yield Figure(f"admission.{databases.name}.admitted", sum(admitted), "starts", ROOM)
