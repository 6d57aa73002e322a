"""Pace: not more than one write a second to GitHub for long, as its best practices ask, with room for a short burst.

docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api: "wait at least one second between" many
writes. One pull request needs two or three; those go out at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Pace:
    """A bucket of `burst` writes that refills by one every `every` seconds; shared by all threads."""

    every: float = 1.0
    burst: int = 10
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _free_at: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def wait(self) -> None:
        """Wait for this write's turn."""
        with self._lock:
            now = self.clock()
            self._free_at = max(self._free_at, now - self.every * (self.burst - 1)) + self.every
            turn = self._free_at - self.every
        if turn > now:
            self.sleep(turn - now)
