"""Backoff: how long a session has been waiting for its vendor, request after request without an answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tabstop.governor.facts import Answer, CallFailed, Fact, Paused, Resumed

LONGEST_WAIT = 30 * 86_400
"""Seconds; a vendor that asks for more than a month is not believed."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """since: the first request that failed; None while answers come. until: the end of the wait that was asked for."""

    since: datetime | None = None
    until: datetime | None = None
    failures: int = 0
    at: datetime | None = None

    @property
    def seconds(self) -> int:
        """How long it has waited, or will have waited when it does as it was told."""
        if self.since is None or self.at is None:
            return 0
        end = self.at if self.until is None else max(self.at, self.until)
        return max(0, int((end - self.since).total_seconds()))


def take(part: Waiting, fact: Fact) -> Waiting:
    """With this fact. An answer ends the wait, and so does the end of the process."""
    if isinstance(fact, CallFailed):
        asked = min(fact.retry_after, LONGEST_WAIT)
        until = fact.at + timedelta(seconds=asked) if asked > 0 else None
        return Waiting(part.since or fact.at, until, part.failures + 1, fact.at)
    if part.since is None:
        return part
    if isinstance(fact, Answer | Paused | Resumed):
        return Waiting()
    return Waiting(part.since, part.until, part.failures, fact.at)
