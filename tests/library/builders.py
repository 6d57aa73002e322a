"""Builders: a governor on a clock that only waiting moves, with a folder of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tabstop.library import Governor
from tabstop.session import Limits

BEGUN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


class Clock:
    """Time passes by sleeping; `slept` says how long each time."""

    def __init__(self) -> None:
        self.at = BEGUN
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.at += timedelta(seconds=seconds)

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)


def governor(limits: Limits | None = None, clock: Clock | None = None, **further: Any) -> Governor:
    """In memory, unless it is given a session and an environ; it looks at no working tree, unless it is given a folder."""
    clock = clock or Clock()
    further.setdefault("environ", {})
    further.setdefault("folder", "")
    return Governor(limits, now=clock.now, sleep=clock.sleep, async_sleep=clock.async_sleep, **further)
