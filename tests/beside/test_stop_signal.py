"""Word to end: heard wherever it comes, also from a signal in the midst of waiting for it, and kept."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from tabstop.beside.stop_signal import StopSignal


@pytest.fixture
def by_signal() -> Iterator[StopSignal]:
    """One that SIGUSR1 sets."""
    stop = StopSignal()
    before = signal.signal(signal.SIGUSR1, stop.set)
    yield stop
    signal.signal(signal.SIGUSR1, before)


def test_nobody_said_anything() -> None:
    """Waiting ends with its time."""
    stop = StopSignal()
    assert not stop.is_set()
    assert not stop.wait(0.01)
    assert not stop.wait(0)


def test_a_signal_ends_every_wait(by_signal: StopSignal) -> None:
    """The one it comes in, and each after it; a second signal changes nothing."""
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    assert by_signal.wait()
    os.kill(os.getpid(), signal.SIGUSR1)
    for seconds in (None, 0.0, 600.0):
        assert by_signal.wait(seconds)
        assert by_signal.is_set()


def lines_of(stop: StopSignal, at: int) -> int:
    """Set it at that line of its own `wait`, as a handler would between two instructions; how many lines were run."""
    count = 0

    def step(_frame: FrameType, event: str, _given: Any) -> Any:
        nonlocal count
        if event == "line":
            if count == at:
                stop.set()
            count += 1
        return step

    def enter(frame: FrameType, event: str, given: Any) -> Any:
        ours = frame.f_code in {StopSignal.wait.__code__, StopSignal.is_set.__code__}
        return step(frame, event, given) if ours else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        stop.wait(0)
        stop.is_set()
    finally:
        sys.settrace(before)
    return count


def test_it_may_come_at_any_line() -> None:
    """It never waits for itself, and it is never lost."""
    at = 0
    while True:
        stop = StopSignal()
        if lines_of(stop, at) <= at:
            break
        assert stop.is_set()
        assert stop.wait(0)
        at += 1
    assert at >= 4
