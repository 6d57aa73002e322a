"""The demo's end before its time: at a safe place, at once, and with nothing left of what it ran."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.demo.ending import Ending
from tests.beside.wrapper.wrapped import alive
from tests.support.waiting import until

GREETS = "import sys; print('out'); print('aside', file=sys.stderr); sys.exit(3)"
FOR_EVER = """
import os, subprocess, sys, time
started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open("new", "w") as stream:
    stream.write(f"{os.getpid()} {started.pid}")
os.rename("new", "runs")
time.sleep(600)
"""


def run(ending: Ending, folder: Path, script: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script]
    return ending.run(command, folder, {**os.environ}, seconds, stderr=subprocess.PIPE)


@pytest.fixture
def by_signal() -> Iterator[Ending]:
    """One that SIGUSR1 tells, as SIGTERM does the demo's."""
    ending = Ending()
    before = signal.signal(signal.SIGUSR1, ending.tell)
    yield ending
    signal.signal(signal.SIGUSR1, before)


def test_what_a_command_printed_is_kept(tmp_path: Path) -> None:
    """With its exit code."""
    done = run(Ending(), tmp_path, GREETS)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "aside\n")


def test_a_signal_leaves_nothing_of_a_command(tmp_path: Path, by_signal: Ending) -> None:
    """Nor of what it started."""
    runs = tmp_path / "runs"

    def tell() -> None:
        until(runs.exists)
        os.kill(os.getpid(), signal.SIGUSR1)

    threading.Thread(target=tell).start()
    with pytest.raises(KeyboardInterrupt):
        run(by_signal, tmp_path, FOR_EVER)
    until(lambda: not any(alive(int(one)) for one in runs.read_text().split()))


def test_a_signal_waits_for_a_safe_place(tmp_path: Path, by_signal: Ending) -> None:
    """It raises nothing where it comes; the next place that waits does, and each after it."""
    os.kill(os.getpid(), signal.SIGUSR1)
    for seconds in (None, 0.0, 600.0):
        with pytest.raises(KeyboardInterrupt):
            by_signal.wait(seconds)
    with pytest.raises(KeyboardInterrupt):
        run(by_signal, tmp_path, FOR_EVER)


def test_a_command_that_takes_too_long_is_said(tmp_path: Path) -> None:
    """With the seconds it was given; nothing of it is left."""
    with pytest.raises(subprocess.TimeoutExpired, match=r"after 0\.3 seconds"):
        run(Ending(), tmp_path, FOR_EVER, 0.3)
