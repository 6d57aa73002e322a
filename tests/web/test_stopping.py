"""Stopping a worker process of the web server: the job in hand is finished first."""

from __future__ import annotations

import multiprocessing
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from app.web.metrics import meters
from app.web.wsgi import renewal, start_runners
from app.world import World


class SlowOutbox:
    """An outbox in which taking a job is work that takes a while, and says in a file how far it is."""

    def __init__(self, said: Path) -> None:
        """Nothing done yet."""
        self.said = said

    def claim_slot(self, _name: str, _slot: datetime) -> bool:
        """Nothing is due by the clock."""
        return False

    def take_job(self, _worker: str, _now: datetime) -> None:
        """Begin, work, finish."""
        self.said.write_text("begun", encoding="utf-8")
        time.sleep(0.5)
        self.said.write_text("done", encoding="utf-8")


def work_then_end(said: Path) -> None:
    """What a worker process does: start a job thread, and end while it is at work."""
    world = SimpleNamespace(store=SlowOutbox(said), now=lambda: datetime.now(UTC))
    start_runners(cast("World", world), meters(), 1)
    while not said.exists():
        time.sleep(0.01)


def test_the_job_in_hand_is_finished(tmp_path: Path) -> None:
    """Processes of multiprocessing, as granian's workers are, end without `atexit`; job threads finish all the same."""
    said = tmp_path / "said"
    process = multiprocessing.get_context("spawn").Process(target=work_then_end, args=(said,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert said.read_text(encoding="utf-8") == "done"


def test_only_a_child_can_ask_for_its_successor() -> None:
    """Outside of granian nobody is told to reload: a restart is needed, and `/setup` says so."""
    assert renewal() is None
