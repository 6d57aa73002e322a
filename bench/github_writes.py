"""github.writes: how many writes to GitHub a thousand usage batches of one tab cause; real jobs, fake GitHub, simulated time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.databases import Machine
from bench.figures import Figure, Part
from tests.jobs.town import a_town

BATCHES = 1_000
MILLISECONDS_APART = 10
"""About as fast as one server takes them: a burst, as when spooled usage is delivered."""


def parts(machine: Machine) -> list[Part]:
    """One figure."""
    return [Part(("github.writes",), lambda _wanted: _writes(machine.folder))]


def _writes(folder: Path) -> Iterator[Figure]:
    """The outbox is done after each batch, as by a worker that is never busy: nothing is coalesced by being slow."""
    town = a_town(folder)
    town.opened()
    session = town.start()
    town.settle()
    before = town.github.writes
    for _ in range(BATCHES):
        town.spend(session, "0.01")
        town.work()
        town.pass_time(milliseconds=MILLISECONDS_APART)
    town.settle()
    assert "$10.00" in town.check().check.summary, "the check does not show what was spent in the end"
    yield Figure("github.writes", town.github.writes - before, "writes", 1)
