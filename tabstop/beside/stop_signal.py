"""StopSignal: word that a process should end, which a signal handler may leave at any moment."""

from __future__ import annotations

import queue
from typing import Protocol


class Stop(Protocol):
    """What a loop asks: a `StopSignal`, or a `threading.Event` that another thread sets."""

    def is_set(self) -> bool:
        """Whether it should end."""

    def wait(self, timeout: float | None = None, /) -> bool:
        """Let so many seconds pass, None for no end; less where it should end. Whether it should."""


class StopSignal:
    """Works like `threading.Event`, whose `set` takes a lock: a handler that comes while `wait` has it would wait for ever.

    Of all queues and events only this queue's `put` may be used in a signal handler (docs.python.org, queue).
    """

    def __init__(self) -> None:
        """Nobody has said anything."""
        self._word: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self, *_signal: object) -> None:
        """Have it end. It may stand for a signal handler."""
        self._word.put(None)

    def is_set(self) -> bool:
        """See `Stop`."""
        return not self._word.empty()

    def wait(self, timeout: float | None = None) -> bool:
        """See `Stop`. One thread at a time."""
        try:
            self._word.get(timeout=timeout)
        except queue.Empty:
            return False
        self._word.put(None)
        return True
