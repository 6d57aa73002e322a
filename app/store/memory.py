"""The store in memory: a real one, by the same contract as the databases'. For tests, and for looking around."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from app.ledger.books import Head, Job
from app.registry import EngineerToken, Organization, WaitingJob
from app.store.audit_chain import BEFORE_THE_FIRST, sealed
from app.store.ids import IdMaker
from app.store.memory_breakers import MemoryBreakers
from app.store.memory_budgets import MemoryBudgets
from app.store.memory_evidence import MemoryEvidence
from app.store.memory_gauges import MemoryGauges
from app.store.memory_governed import MemoryGoverned
from app.store.memory_registry import MemoryRegistry
from app.store.memory_session_gauges import MemorySessionGauges
from app.store.memory_sessions import MemorySessions
from app.store.memory_tables import Delivery, Journal, OrganizationTables, QueuedJob
from app.store.memory_threads import MemoryThreads
from app.store.memory_usage import MemoryUsage, put_job
from app.store.sql_outbox import KEEP_EVENTS, KEEP_GAUGES, KEEP_SLOTS, LEASE, NO_ORGANIZATION, delivery_job
from app.store.sql_transaction import UnknownOrganizationError
from app.store.writer_lock import WriterLock

Jobs = dict[tuple[int, str, str], QueuedJob]


class MemoryTransaction(
    MemoryUsage,
    MemoryEvidence,
    MemoryRegistry,
    MemoryBudgets,
    MemoryBreakers,
    MemoryGoverned,
    MemoryGauges,
    MemorySessionGauges,
    MemoryThreads,
    MemorySessions,
):
    """`app.registry.Transaction` in memory."""

    def __init__(
        self, tables: OrganizationTables, jobs: Jobs, tokens: dict[str, EngineerToken], journal: Journal
    ) -> None:
        """Work on the tables themselves; the journal takes everything back."""
        super().__init__(tables, jobs, journal)
        self._tokens = tokens
        self.timezone = tables.organization.timezone


class MemoryStore:
    """`app.registry.Store` in memory. One transaction at a time, readers included; safe to use from several threads."""

    def __init__(self, lease: timedelta = LEASE) -> None:
        """Empty."""
        self._lease = lease
        self._turn = WriterLock()
        self._ids = IdMaker()
        self._organizations: dict[int, OrganizationTables] = {}
        self._jobs: Jobs = {}
        self._tokens: dict[str, EngineerToken] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._slots: set[tuple[str, datetime]] = set()
        self._secrets: dict[str, bytes] = {}
        self._guard = threading.RLock()

    @contextmanager
    def open(self, organization_id: int) -> Iterator[MemoryTransaction]:
        """See `Store`. Raises `UnknownOrganizationError`."""
        with self._turn, self._guard:
            journal = Journal(self._ids)
            try:
                yield self._transaction(organization_id, journal)
            except BaseException:
                journal.undo()
                raise

    @contextmanager
    def look(self, organization_id: int) -> Iterator[MemoryTransaction]:
        """See `Store`. Raises `UnknownOrganizationError`."""
        with self._turn, self._guard:
            journal = Journal(self._ids)
            try:
                yield self._transaction(organization_id, journal)
            finally:
                journal.undo()

    def organizations(self) -> list[Organization]:
        """See `Store`."""
        with self._guard:
            return sorted((t.organization for t in self._organizations.values()), key=lambda o: (o.login, o.id))

    def organization_by_github_id(self, github_id: int) -> Organization | None:
        """See `Store`."""
        return next((o for o in self.organizations() if o.github_id == github_id), None)

    def organization_by_installation(self, installation_id: int) -> Organization | None:
        """See `Store`."""
        return next((o for o in self.organizations() if o.installation_id == installation_id), None)

    def register(self, github_id: int, login: str, installation_id: int) -> Organization:
        """See `Store`."""
        with self._guard:
            stored = self.organization_by_github_id(github_id)
            if stored is None:
                organization = Organization(self._ids.next(), github_id, login, installation_id)
                self._organizations[organization.id] = OrganizationTables(organization)
            else:
                organization = replace(stored, login=login, installation_id=installation_id, active=True)
                self._organizations[organization.id].organization = organization
            return organization

    def keep_delivery(self, guid: str, event: str, body: Mapping[str, Any], now: datetime) -> bool:
        """See `Store`."""
        with self._guard:
            if guid in self._deliveries:
                return False
            self._deliveries[guid] = Delivery(event, dict(body), now)
            self.enqueue([delivery_job(guid)])
            return True

    def delivery(self, guid: str) -> tuple[str, Mapping[str, Any]] | None:
        """See `Store`."""
        found = self._deliveries.get(guid)
        return (found.event, found.body) if found and found.body is not None else None

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """See `Store`."""
        with self._guard:
            for job in jobs:
                put_job(self._jobs, Journal(self._ids), job, NO_ORGANIZATION)

    def take_job(self, worker: str, now: datetime) -> WaitingJob | None:  # noqa: ARG002 - nobody reads it here
        """See `Store`."""
        with self._guard:
            due = [(job.waiting.id, key) for key, job in self._jobs.items() if job.is_due(now)]
            if not due:
                return None
            _, key = min(due)
            found = self._jobs[key]
            waiting = replace(found.waiting, attempts=found.waiting.attempts + 1, lease=found.waiting.lease + 1)
            self._jobs[key] = replace(found, waiting=waiting, leased_until=now + self._lease)
            return waiting

    def finish_job(self, job: WaitingJob, now: datetime) -> None:  # noqa: ARG002 - what is due again is due at once
        """See `Store`."""
        with self._guard:
            key, found = self._mine(job)
            if found and found.waiting.want == job.want:
                del self._jobs[key]
            elif found:
                self._again(key, found)

    def retry_job(self, job: WaitingJob, at: datetime, error: str, *, firm: bool = False) -> None:
        """See `Store`."""
        with self._guard:
            key, found = self._mine(job)
            if found:
                not_before = at if firm else found.not_before
                self._jobs[key] = replace(found, leased_until=None, run_at=at, not_before=not_before, error=error)

    def bury_job(self, job: WaitingJob, error: str, now: datetime) -> None:
        """See `Store`."""
        with self._guard:
            key, found = self._mine(job)
            if found and found.waiting.want == job.want:
                self._jobs[key] = replace(found, leased_until=None, error=error, dead_at=now)
            elif found:
                self._again(key, found)

    def dead_jobs(self) -> list[tuple[WaitingJob, str]]:
        """See `Store`."""
        with self._guard:
            dead = [(job.dead_at, job) for job in self._jobs.values() if job.dead_at is not None]
        dead.sort(key=lambda found: found[0], reverse=True)
        return [(job.waiting, job.error) for _, job in dead]

    def claim_slot(self, name: str, slot: datetime) -> bool:
        """See `Store`."""
        with self._guard:
            new = (name, slot) not in self._slots
            self._slots.add((name, slot))
            return new

    def remove_old(self, now: datetime, bodies_days: int, deliveries_days: int) -> int:
        """See `Store`."""
        bodies, deliveries = now - timedelta(days=bodies_days), now - timedelta(days=deliveries_days)
        with self._guard:
            gone = [guid for guid, kept in self._deliveries.items() if kept.received_at < deliveries]
            for guid in gone:
                del self._deliveries[guid]
            old = [
                guid for guid, kept in self._deliveries.items() if kept.received_at < bodies and kept.body is not None
            ]
            for guid in old:
                self._deliveries[guid] = replace(self._deliveries[guid], body=None)
            answered = 0
            for tables in self._organizations.values():
                past = [attempt for attempt in tables.attempts.values() if attempt.at < deliveries]
                for attempt in past:
                    del tables.attempts[attempt.key]
                    tables.tokens_used.pop(attempt.token_id, None)
                answered += len(past)
                for key in [key for key in tables.events if key[1] < now - KEEP_EVENTS]:
                    del tables.events[key]
                for gauge in [gauge for gauge, read in tables.gauges.items() if read.observed_at < now - KEEP_GAUGES]:
                    del tables.gauges[gauge]
                for earlier in [key for key in tables.earlier_gauges if key[2] < now - KEEP_GAUGES]:
                    del tables.earlier_gauges[earlier]
            self._slots = {(name, slot) for name, slot in self._slots if slot >= now - KEEP_SLOTS}
            return len(gone) + len(old) + answered

    def seal_audit(self, organization_id: int, key: bytes) -> int:
        """See `Store`."""
        with self._guard:
            tables = self._organizations[organization_id]
            head = tables.head.get(None, Head(0, BEFORE_THE_FIRST))
            rows = sorted(tables.unsealed.items())
            for row_id, row in rows:
                link = sealed(head.hash, head.seq + 1, row_id, row, key)
                head = Head(link.seq, link.hash)
                tables.sealed[link.seq] = link
            tables.unsealed.clear()
            if rows:
                tables.head[None] = head
            return len(rows)

    def keep_secret(self, name: str, sealed: bytes) -> None:
        """See `Store`."""
        self._secrets[name] = sealed

    def secret(self, name: str) -> bytes | None:
        """See `Store`."""
        return self._secrets.get(name)

    def engineer_token(self, digest: str) -> EngineerToken | None:
        """See `Store`."""
        return self._tokens.get(digest)

    def ping(self) -> None:
        """See `Store`. Memory can always be used."""

    def close(self) -> None:
        """Nothing to close."""

    def _transaction(self, organization_id: int, journal: Journal) -> MemoryTransaction:
        tables = self._organizations.get(organization_id)
        if tables is None:
            raise UnknownOrganizationError(f"no organization {organization_id}")
        return MemoryTransaction(tables, self._jobs, self._tokens, journal)

    def _mine(self, job: WaitingJob) -> tuple[tuple[int, str, str], QueuedJob | None]:
        key = (job.organization_id or NO_ORGANIZATION, job.kind, job.key)
        found = self._jobs.get(key)
        mine = found is not None and (found.waiting.id, found.waiting.lease) == (job.id, job.lease)
        return key, found if mine else None

    def _again(self, key: tuple[int, str, str], found: QueuedJob) -> None:
        waiting = replace(found.waiting, attempts=0)
        self._jobs[key] = replace(found, waiting=waiting, leased_until=None, not_before=None, error="")
