"""Passed: what one pass of `tabstop sync` did at one server, for people to read."""

from __future__ import annotations

from dataclasses import dataclass, field

from tabstop.beside.sync.queue import Unsent
from tabstop.beside.sync.reading import Read
from tabstop.beside.sync.sending import Sent
from tabstop.money import Nano


@dataclass(slots=True)
class Left:
    """Calls that were not sent. cost: nano-dollars at list prices, of those whose price is known; the others are `unpriced`."""

    calls: int = 0
    cost: Nano = 0
    unpriced: int = 0
    sessions: set[tuple[str, str]] = field(default_factory=set)

    def add(self, one: Unsent) -> None:
        """Count these too; the session once, in however many repositories it worked."""
        self.calls += one.calls
        self.cost += one.cost
        self.unpriced += one.unpriced
        self.sessions.add((one.part.agent, one.part.session))


@dataclass(slots=True)
class Passed:
    """What one pass did at one server.

    elsewhere: in repositories of others, which the server is never told of. nowhere: where no repository is known.
    kept: what the server did not take and a later pass tries again, by its reason. waiting: all calls that are kept for later.
    unread: lines of logs that could not be used, by file, the most first. problem: why not all was told. retry_after: seconds the server asked for.
    """

    server: str
    organizations: tuple[str, ...]
    read: Read = field(default_factory=Read)
    sent: Sent = field(default_factory=Sent)
    elsewhere: Left = field(default_factory=Left)
    nowhere: Left = field(default_factory=Left)
    kept: dict[str, Left] = field(default_factory=dict)
    waiting: int = 0
    too_late: int = 0
    unread: dict[str, int] = field(default_factory=dict)
    problem: str = ""
    retry_after: int = 0
