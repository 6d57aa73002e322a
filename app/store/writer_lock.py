"""A lock for writers that serves them in the order they came."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType

_WAKING = -1
"""In place of a thread's number while it wakes up: taken, and not free for whoever comes by."""


class NestedTransactionError(RuntimeError):
    """A thread that writes already asked to write again; it would wait for itself for ever. A mistake in the code."""


class WriterLock:
    """First come, first served. SQLite's own waiting is not a queue: a writer can starve for seconds under load.

    `threading.Lock` is none either: whoever releases it may take it again before a waiter wakes.
    """

    def __init__(self) -> None:
        """Free."""
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._owner: int | None = None

    def __enter__(self) -> None:
        """Wait for the turn. Raises `NestedTransactionError`."""
        me = threading.get_ident()
        with self._guard:
            if self._owner == me:
                raise NestedTransactionError("This thread has a transaction open that writes; end that one first.")
            if self._owner is None:
                self._owner = me
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        try:
            turn.acquire()
        except BaseException:  # Ctrl-C while waiting: leave the queue, or pass on a turn that came just then
            with self._guard:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                else:
                    self._hand_over()
            raise
        self._owner = me

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hand over to whoever waits longest."""
        with self._guard:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._waiting:
            self._owner = _WAKING
            self._waiting.popleft().release()
        else:
            self._owner = None
