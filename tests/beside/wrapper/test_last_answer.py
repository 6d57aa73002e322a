"""The last answer's process: however it ends, it ends."""

from __future__ import annotations

import signal
from typing import cast

import pytest

from tabstop.beside.wrapper import last_answer
from tabstop.beside.wrapper.child import Child, Ended


class Lingering:
    """A process that runs until it got so many signals."""

    def __init__(self, signals: int, code: int) -> None:
        self.left, self.code = signals, code
        self.sent: list[int] = []

    def poll(self) -> Ended | None:
        return Ended(self.code) if len(self.sent) >= self.left else None

    def signal(self, number: int) -> None:
        self.sent.append(number)


CASES = [
    ("ends by itself, well", 0, 0, True, []),
    ("ends by itself, badly", 0, 1, False, []),
    ("lingers after its answer", 1, -15, True, [signal.SIGTERM]),
    ("ignores being asked", 2, -9, True, [signal.SIGTERM, signal.SIGKILL]),
]


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits in a test."""
    monkeypatch.setattr(last_answer, "END_SECONDS", 0.0)


@pytest.mark.parametrize(("ends_after", "code", "well", "sent"), [row[1:] for row in CASES], ids=[r[0] for r in CASES])
def test_it_ends(ends_after: int, code: int, well: bool, sent: list[int]) -> None:
    """With success, or by us once its answer was there."""
    child = Lingering(ends_after, code)
    assert last_answer._wait(cast("Child", child), lambda: True, 0.0) is well
    assert child.sent == sent
