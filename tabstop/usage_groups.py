"""Usage groups: the calls of one session, model, place and quarter of an hour, counted together.

What `tabstop cost` adds up. A quarter of an hour is the finest step between the world's timezones, so groups fall into whole days
everywhere, and 100,000 calls become a few thousand groups.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from tabstop.money import Nano
from tabstop.usage import Tokens

QUARTER = 900
"""Seconds of a quarter of an hour."""


class UsageGroup(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Calls of one session that share everything named here.

    began: start of the quarter of an hour, seconds since 1970 UTC; of calls that name a folder and no branch, the second they were made in,
    since git's own log tells their branch. folder: where the agent worked; it never leaves the machine.
    aggregate: no call of its own, but what the client counted for the session and no call tells (compaction, side calls).
    cost: nano-dollars of the calls that have a price. unpriced: calls that have none; they are in no cost, and never zero.
    estimated: priced calls whose cost is only an estimate. calls: responses; 0 in an aggregate.
    """

    agent: str
    session: str
    model: str
    repository: str
    branch: str
    commit: str
    folder: str
    began: int
    aggregate: bool = False
    calls: int = 0
    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    web_searches: int = 0
    cost: Nano = 0
    unpriced: int = 0
    estimated: int = 0

    @property
    def at(self) -> datetime:
        """When the quarter of an hour began, UTC."""
        return datetime.fromtimestamp(self.began, UTC)

    @property
    def tokens(self) -> Tokens:
        """All tokens, by kind."""
        return Tokens(self.input, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.output)
