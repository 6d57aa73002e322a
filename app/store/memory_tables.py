"""The tables of the store in memory: dictionaries, and a journal by which a transaction is taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from app.ledger.books import (
    AuditRow,
    Cause,
    Entry,
    Head,
    Overdrive,
    Place,
    SealedRow,
    SessionChange,
    SessionOverdrive,
    SessionRow,
    StartAttempt,
    Tab,
    UsageRow,
)
from app.registry import Engineer, Organization, PolicyFile, PullRequest, Repository, SlackMember, WaitingJob
from app.store.ids import IdMaker
from tabstop.breaker_memory import RememberedBreaker
from tabstop.budget import Amount, Budget
from tabstop.evidence import Evidence
from tabstop.gauge import Gauge, GaugeReading
from tabstop.usage import Tokens
from tabstop.window_share import WindowShare
from tabstop.wire import BreakerTrip, SessionEvent

K = TypeVar("K")
V = TypeVar("V")
_ABSENT: Any = object()
EventKey = tuple[str, datetime, str, str, str]
"""Session, time, kind, signal, scope."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A remembered webhook."""

    event: str
    body: Mapping[str, Any] | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job with its state; `waiting.lease` and `waiting.attempts` are those so far."""

    waiting: WaitingJob
    run_at: datetime | None = None
    not_before: datetime | None = None
    leased_until: datetime | None = None
    error: str = ""
    dead_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether a worker may take it."""
        waits = (self.run_at, self.not_before, self.leased_until)
        return self.dead_at is None and all(at is None or at <= now for at in waits)


@dataclass
class OrganizationTables:
    """Everything that belongs to one organization, by id unless said otherwise."""

    organization: Organization
    repositories: dict[int, Repository] = field(default_factory=dict)
    former_names: dict[int, tuple[int, str]] = field(default_factory=dict)
    former_defaults: dict[tuple[int, str], datetime] = field(default_factory=dict)
    """Of a repository and a branch, until when it was the default one."""
    engineers: dict[int, Engineer] = field(default_factory=dict)
    slack_members: dict[int, SlackMember] = field(default_factory=dict)
    """By engineer."""
    pull_requests: dict[int, PullRequest] = field(default_factory=dict)
    policy_files: dict[int, PolicyFile] = field(default_factory=dict)
    tabs: dict[int, Tab] = field(default_factory=dict)
    places: dict[int, Place] = field(default_factory=dict)
    place_ids: dict[Place, int] = field(default_factory=dict)
    budgets: dict[int, Budget] = field(default_factory=dict)
    lines: dict[str, dict[int, int]] = field(default_factory=dict)
    """Of each line, the budget's id by its window's end."""
    latches: dict[tuple[int, int], None] = field(default_factory=dict)
    causes: dict[tuple[int, Cause], Amount] = field(default_factory=dict)
    overdrives: dict[int, Overdrive] = field(default_factory=dict)
    sessions: dict[str, SessionRow] = field(default_factory=dict)
    attempts: dict[str, StartAttempt] = field(default_factory=dict)
    tokens_used: dict[str, str] = field(default_factory=dict)
    """Of a start's token, the start's key."""
    needs: dict[tuple[int, str], Amount] = field(default_factory=dict)
    breakers: dict[tuple[int, str], RememberedBreaker] = field(default_factory=dict)
    trips: dict[tuple[str, str, datetime], BreakerTrip] = field(default_factory=dict)
    events: dict[EventKey, SessionEvent] = field(default_factory=dict)
    gauges: dict[tuple[int, Gauge], GaugeReading] = field(default_factory=dict)
    earlier_gauges: dict[tuple[int, Gauge, datetime], GaugeReading] = field(default_factory=dict)
    """By engineer, and when they were observed."""
    window_shares: dict[tuple[str, Gauge], WindowShare] = field(default_factory=dict)
    """By session."""
    threads: dict[tuple[int, str, str], str] = field(default_factory=dict)
    session_overdrives: dict[tuple[str, int], SessionOverdrive] = field(default_factory=dict)
    usages: dict[int, UsageRow] = field(default_factory=dict)
    usages_of: dict[str, dict[int, None]] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    witnesses: dict[tuple[int, str], None] = field(default_factory=dict)
    evidence: dict[int, tuple[str, Evidence]] = field(default_factory=dict)
    """With the session that told it."""
    links: dict[tuple[str, str, int, str], datetime | None] = field(default_factory=dict)
    """Of a session, repository, number and branch, when it was seen."""
    commits: dict[tuple[str, str, str, str], datetime | None] = field(default_factory=dict)
    """Of a session, commit, repository and branch, when it was made."""
    tab_shares: dict[tuple[int, str], SessionChange] = field(default_factory=dict)
    """Of a tab and a session."""
    pulls_of_commits: dict[tuple[int, str], tuple[tuple[int, ...], datetime]] = field(default_factory=dict)
    client_totals: dict[str, dict[tuple[str, str], tuple[Tokens, int]]] = field(default_factory=dict)
    unsealed: dict[int, AuditRow] = field(default_factory=dict)
    sealed: dict[int, SealedRow] = field(default_factory=dict)
    """By number."""
    head: dict[None, Head] = field(default_factory=dict)


class Journal:
    """Writes to dictionaries and remembers what stood there before."""

    def __init__(self, ids: IdMaker) -> None:
        """Nothing written yet."""
        self.ids = ids
        self._before: list[tuple[dict[Any, Any], Any, Any]] = []

    def put(self, table: dict[K, V], key: K, value: V) -> None:
        """Set a value."""
        self._before.append((table, key, table.get(key, _ABSENT)))
        table[key] = value

    def drop(self, table: dict[K, V], key: K) -> None:
        """Remove a value that is there."""
        self._before.append((table, key, table.pop(key)))

    def undo(self) -> None:
        """Put everything back as it was."""
        for table, key, value in reversed(self._before):
            if value is _ABSENT:
                del table[key]
            else:
                table[key] = value
        self._before.clear()


class MemoryPart:
    """What every part of a transaction in memory shares."""

    organization_id: int
    new_id: Callable[[], int]
    """A fresh id, rising with time."""
    new_ids: Callable[[int], Sequence[int]]
    """Several, likewise."""

    def __init__(
        self, tables: OrganizationTables, jobs: dict[tuple[int, str, str], QueuedJob], journal: Journal
    ) -> None:
        """Work on the tables of one organization, and on the outbox of all."""
        self.organization_id = tables.organization.id
        self._t = tables
        self._jobs = jobs
        self._journal = journal
        self._put = journal.put
        self._drop = journal.drop
        self.new_id, self.new_ids = journal.ids.next, journal.ids.block
