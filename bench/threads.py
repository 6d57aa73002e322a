"""Threads that begin together: how long a number of them need for a piece of work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def seconds_for(
    threads: int, work: Callable[[int], None], prepare: Callable[[int], None] = lambda _number: None
) -> float:
    """Seconds from a common start until the last thread is done. `prepare` runs in each before the start.

    An error in any of them is raised.
    """
    begun: list[float] = []
    start = threading.Barrier(threads, action=lambda: begun.append(time.perf_counter()))

    def one(number: int) -> None:
        try:
            prepare(number)
        except BaseException:
            start.abort()
            raise
        start.wait()
        work(number)

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(one, number) for number in range(threads)]
    done = time.perf_counter()
    for future in running:
        future.result()
    return done - begun[0]
