"""Usage, entries, audit rows and jobs of one organization, in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from app.ledger.books import AuditRow, Entry, EntrySums, Head, Job, KnownUsage, SealedRow, UsageRow
from app.registry import WaitingJob
from app.store.memory_tables import Journal, MemoryPart, QueuedJob
from app.store.usage_rows import known_of
from tabstop.usage import Grain, Tokens


class MemoryUsage(MemoryPart):
    """The part of `app.ledger.books.Books` about usage, entries, audit and jobs."""

    def known(self, keys: Sequence[str]) -> dict[str, KnownUsage]:
        """See `Books`."""
        return {key: known_of(self._t.usages[self._t.keys[key]]) for key in keys if key in self._t.keys}

    def keys_of(self, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """See `Books`."""
        found: dict[int, list[str]] = {usage_id: [] for usage_id in ids}
        for key, usage_id in self._t.keys.items():
            if usage_id in found:
                found[usage_id].append(key)
        return {usage_id: tuple(keys) for usage_id, keys in found.items()}

    def repoint_keys(self, from_usage: int, to_usage: int) -> None:
        """See `Books`."""
        for key in [key for key, usage_id in self._t.keys.items() if usage_id == from_usage]:
            self._put(self._t.keys, key, to_usage)

    def usages(self, ids: Sequence[int]) -> dict[int, UsageRow]:
        """See `Books`."""
        return {usage_id: self._t.usages[usage_id] for usage_id in sorted(set(ids)) if usage_id in self._t.usages}

    def usages_of(self, session_id: str) -> list[UsageRow]:
        """See `Books`."""
        return [self._t.usages[usage_id] for usage_id in sorted(self._t.usages_of.get(session_id, ()))]

    def call_sums(self, session_id: str) -> dict[str, tuple[Tokens, int]]:
        """See `Books`."""
        sums: dict[str, tuple[Tokens, int]] = {}
        seen = [self._t.usages[usage] for usage, witness in self._t.witnesses if witness == session_id]
        for row in (*self.usages_of(session_id), *(row for row in seen if row.session_id != session_id)):
            if row.grain is Grain.CALL:
                tokens, searches = sums.get(row.model, (Tokens(), 0))
                sums[row.model] = (tokens + row.tokens, searches + row.web_searches)
        return sums

    def witness(self, session_ids: Iterable[str], usage_ids: Iterable[int]) -> None:
        """See `Books`."""
        sessions = list(session_ids)
        for usage_id in usage_ids:
            for session_id in sessions:
                self._put(self._t.witnesses, (usage_id, session_id), None)

    def shares_calls(self, session_id: str) -> bool:
        """See `Books`."""
        return any(witness == session_id for _, witness in self._t.witnesses)

    def witnesses(self, usage_ids: Iterable[int]) -> set[str]:
        """See `Books`."""
        wanted = set(usage_ids)
        return {session_id for usage_id, session_id in self._t.witnesses if usage_id in wanted}

    def reported_too(self, session_id: str) -> list[UsageRow]:
        """See `Books`."""
        seen = sorted(usage_id for usage_id, witness in self._t.witnesses if witness == session_id)
        return [row for usage_id in seen if (row := self._t.usages[usage_id]).session_id != session_id]

    def sessions_beside(self, session_id: str) -> list[str]:
        """See `Books`."""
        owners = {row.session_id for row in self.reported_too(session_id)}
        witnesses = self.witnesses(self._t.usages_of.get(session_id, ()))
        return sorted((owners | witnesses) - {session_id})

    def disputed_calls(self, since: datetime) -> dict[str, int]:
        """See `Books`."""
        rows = self._t.usages.values()
        return dict(Counter(row.session_id for row in rows if row.disputed and row.occurred_at >= since))

    def calls_of_threads(self, session_id: str, threads: Iterable[str]) -> list[int]:
        """See `Books`."""
        wanted = set(threads)
        return [row.id for row in self.usages_of(session_id) if row.thread in wanted and row.grain is Grain.CALL]

    def add_usages(self, rows: Sequence[UsageRow], keys: Mapping[str, int]) -> None:
        """See `Books`."""
        for row in rows:
            self._put(self._t.usages, row.id, row)
            if row.session_id not in self._t.usages_of:
                self._put(self._t.usages_of, row.session_id, {})
            self._put(self._t.usages_of[row.session_id], row.id, None)
        for key, usage_id in keys.items():
            if key in self._t.keys:
                raise ValueError(f"key {key!r} is stored already")
            self._put(self._t.keys, key, usage_id)

    def change_usage(self, row: UsageRow) -> None:
        """See `Books`."""
        self._put(self._t.usages, row.id, row)

    def add_entries(self, entries: Sequence[Entry]) -> None:
        """See `Books`."""
        for entry in entries:
            self._put(self._t.entries, entry.id, entry)

    def all_entries(self) -> list[Entry]:
        """See `Books`."""
        return [entry for _, entry in sorted(self._t.entries.items())]

    def entry_sums(self, since: datetime | None = None) -> list[EntrySums]:
        """See `Books`."""
        sums: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for entry in self._t.entries.values():
            if since is not None and entry.occurred_at < since:
                continue
            tally = sums[entry.place_id, entry.session_id]
            for n, part in enumerate((entry.nano, entry.notional, entry.tokens, entry.unknown)):
                tally[n] += part
        return [EntrySums(*key, *tally) for key, tally in sums.items()]

    def count_calls(self) -> dict[str, tuple[int, int]]:
        """See `Books`."""
        counts: dict[str, tuple[int, int]] = {}
        for row in self._t.usages.values():
            if row.grain is Grain.CALL and row.same_as is None:
                calls, tools = counts.get(row.session_id, (0, 0))
                counts[row.session_id] = (calls + 1, tools + row.tool_calls)
        return counts

    def client_totals(self, session_id: str) -> dict[tuple[str, str], tuple[Tokens, int]]:
        """See `Books`."""
        return dict(self._t.client_totals.get(session_id, {}))

    def keep_client_total(self, session_id: str, thread: str, model: str, tokens: Tokens, web_searches: int) -> None:
        """See `Books`."""
        kept = {**self._t.client_totals.get(session_id, {}), (thread, model): (tokens, web_searches)}
        self._put(self._t.client_totals, session_id, kept)

    def audit(self, row: AuditRow) -> None:
        """See `Books`."""
        self._put(self._t.unsealed, self.new_id(), row)

    def audit_rows(self, after: int = 0, limit: int = 1_000) -> list[SealedRow]:
        """See `Books`."""
        return [row for seq, row in sorted(self._t.sealed.items()) if seq > after][:limit]

    def audit_head(self) -> Head | None:
        """See `Books`."""
        return self._t.head.get(None)

    def enqueue(self, job: Job) -> None:
        """See `Books`."""
        put_job(self._jobs, self._journal, job, self.organization_id)


def put_job(jobs: dict[tuple[int, str, str], QueuedJob], journal: Journal, job: Job, organization_id: int) -> None:
    """Add a job, or one more request to the one that waits. organization_id: 0 for none."""
    key = (organization_id, job.kind, job.key)
    payload = dict(job.payload)
    found = jobs.get(key)
    if found is None:
        waiting = WaitingJob(journal.ids.next(), organization_id or None, job.kind, job.key, payload, 0, 1)
        journal.put(jobs, key, QueuedJob(waiting, job.run_at))
        return
    waiting = replace(found.waiting, payload=payload, want=found.waiting.want + 1, attempts=0)
    sooner = job.run_at is None or (found.run_at is not None and job.run_at < found.run_at)
    run_at = job.run_at if sooner or found.dead_at is not None else found.run_at
    journal.put(jobs, key, replace(found, waiting=waiting, run_at=run_at, dead_at=None))
