"""Ids: whole numbers of 63 bits that rise with time, made here, so that a row's id is known before it is stored."""

from __future__ import annotations

import secrets
import threading
import time

_BEGIN = 1_704_067_200_000_000
"""2024-01-01 UTC in microseconds; 51 bits from there reach to 2095."""

_LOW_BITS = 12


class IdMaker:
    """Makes ids for one process. The low bits are drawn once, so that two processes do not make the same.

    Even where two draw alike they would have to do so within one microsecond; a row's key would then refuse the second,
    and its transaction is tried again by whoever asked. Make a new one after a fork.
    """

    def __init__(self) -> None:
        """Draw this process's low bits."""
        self._low = secrets.randbits(_LOW_BITS)
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        """A fresh id, above every one made before. A burst runs ahead of the clock by a microsecond each."""
        return self.block(1)[0]

    def block(self, count: int) -> range:
        """So many fresh ids, likewise; in one go, since a batch needs one per usage."""
        with self._lock:
            first = max(time.time_ns() // 1_000 - _BEGIN, self._last + 1)
            self._last = first + count - 1
        begin = first << _LOW_BITS | self._low
        return range(begin, begin + (count << _LOW_BITS), 1 << _LOW_BITS)
