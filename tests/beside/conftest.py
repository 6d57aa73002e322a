"""Fixtures: a machine with logs, a desk that answers hooks, a report to a server in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.beside.desk import Desk, Open
from tests.beside.fake_server import FakeServer, Told, told
from tests.beside.local_machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """No logs yet."""
    return Machine(tmp_path)


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Open]:
    """Opens a desk where this policy holds; see `Desk`."""
    desks = []

    def open_one(policy: str = "") -> Desk:
        desks.append(Desk(tmp_path, policy))
        return desks[-1]

    yield open_one
    for one in desks:
        one.desk.close()


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Callable[..., Told]]:
    """Takes up the session; its reporter and its journal are let go of afterwards."""
    made: list[Told] = []

    def make(server: FakeServer, **more: Any) -> Told:
        made.append(told(tmp_path, server, **more))
        return made[-1]

    yield make
    for one in made:
        one.server.away = True
        one.reporter.close(None)
        one.journal.close()
