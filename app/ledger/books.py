"""The books: what one transaction on one organization's ledger can read and write, in memory or in a database.

Writers of one organization come one after another (SQLite: one writer at all; PostgreSQL: the organization's row is
locked first), so an operation loads, decides on plain values, and writes; nothing changes in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from app.ledger.rows import (
    AuditRow,
    BudgetChange,
    Cause,
    CauseSums,
    Entry,
    EntryKind,
    EntrySums,
    Head,
    Job,
    KnownUsage,
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
from tabstop.breaker_memory import RememberedBreaker
from tabstop.budget import Amount, Budget, BudgetKey
from tabstop.evidence import CommitMade, Evidence, PullRequestLink
from tabstop.gauge import GaugeReading
from tabstop.gauge_estimate import Spent
from tabstop.policy.model import Cap
from tabstop.usage import Tokens
from tabstop.window_share import WindowShare
from tabstop.wire import BreakerTrip, SessionEvent

__all__ = [  # whoever opens the books works with their rows
    "AuditRow",
    "Books",
    "BudgetChange",
    "Cause",
    "CauseSums",
    "Entry",
    "EntryKind",
    "EntrySums",
    "Head",
    "Job",
    "KnownUsage",
    "Ledger",
    "OverbookedError",
    "Overdrive",
    "Place",
    "SealedRow",
    "SessionChange",
    "SessionOverdrive",
    "SessionRow",
    "StartAttempt",
    "Tab",
    "UsageRow",
]


class OverbookedError(RuntimeError):
    """A hold does not fit after all: somebody changed a budget between reading and writing it. Asking again helps."""


class Books(Protocol):
    """One open transaction on one organization's books. It commits as a whole or not at all."""

    organization_id: int
    timezone: str

    def attempt(self, key: str, token_id: str) -> StartAttempt | None:
        """The start asked for under this idempotency key, or else with this token."""

    def add_attempt(self, attempt: StartAttempt) -> None:
        """Remember a start and its answer."""

    def open_tab(self, repository_id: int, branch: str, now: datetime) -> Tab:
        """The branch's tab of the current generation; opened when there is none."""

    def end_tab(self, tab_id: int, now: datetime) -> None:
        """End a tab's generation; the next session on its branch opens another. One that has ended may have ended later, not earlier."""

    def reopen_tab(self, repository_id: int, branch: str, now: datetime) -> Tab:
        """The branch's newest tab, not ended any more; opened when there is none. A pull request was opened again."""

    def past_tab(self, repository_id: int, branch: str, ended_at: datetime) -> Tab:
        """A tab of the branch for an earlier life of it, of which we hear only now; it has ended."""

    def generations(self, repository_id: int, branch: str) -> list[Tab]:
        """The branch's tabs, the one that ended first before the others; the open one comes last."""

    def budgets(self, wanted: Sequence[tuple[BudgetKey, Cap]], now: datetime) -> list[Budget]:
        """The budgets of these keys, in this order, opened where missing, with the caps given and overdrives in force."""

    def budgets_by_id(self, ids: Iterable[int], now: datetime) -> dict[int, Budget]:
        """Budgets by id, with overdrives in force."""

    def hold(self, budgets: Sequence[Budget], amount: Amount) -> None:
        """Add to what these budgets hold, on condition that spent + held stays within every ceiling.

        Raises `OverbookedError`, which undoes the whole transaction: the last line of promise 3, whatever was read.
        """

    def change_budgets(self, changes: Mapping[int, BudgetChange]) -> None:
        """Add to budgets."""

    def place_id(self, place: Place) -> int:
        """The id of this place, stored when it is new."""

    def places(self, ids: Iterable[int]) -> dict[int, Place]:
        """Places by id."""

    def session(self, session_id: str) -> SessionRow | None:
        """A session of this organization."""

    def live_sessions(self, *, run_id: str = "", silent_at: datetime | None = None) -> list[SessionRow]:
        """Sessions not ended: of a workflow run, or whose lease ran out before an instant."""

    def add_session(self, session: SessionRow) -> None:
        """Store a new session."""

    def session_of_thread(self, engineer_id: int, agent: str, thread: str) -> str | None:
        """The newest session opened for an engineer's vendor thread; 0 for nobody known."""

    def keep_thread(self, engineer_id: int, agent: str, thread: str, session_id: str) -> None:
        """Remember which session a vendor's thread is, in place of an earlier one."""

    def change_session(self, session: SessionRow) -> None:
        """Store a session's new state: everything but its totals."""

    def add_to_sessions(self, changes: Mapping[str, SessionChange]) -> None:
        """Add to sessions' totals."""

    def add_to_tabs(self, changes: Mapping[tuple[int, str], SessionChange]) -> None:
        """Add to what each session (by id) spent on each tab (by id)."""

    def all_tab_shares(self) -> dict[tuple[int, str], SessionChange]:
        """What each session spent on each tab."""

    def learned(self, repository_id: int, agent: str) -> tuple[Amount | None, RememberedBreaker]:
        """What every start asks of earlier sessions of this repository and agent, in one question: need and breaker.

        The need is that of 9 of 10 recent sessions, None without history. A breaker that never tripped is closed.
        """

    def recent_needs(self, repository_id: int, agent: str, count: int) -> list[Amount]:
        """What each of the last `count` ended sessions used, newest first."""

    def remember_need(self, repository_id: int, agent: str, needed: Amount) -> None:
        """Keep what `learned` says is needed."""

    def known(self, keys: Sequence[str]) -> dict[str, KnownUsage]:
        """Which of these usage keys are stored, and for which usage."""

    def keys_of(self, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """All keys of these usages."""

    def repoint_keys(self, from_usage: int, to_usage: int) -> None:
        """Let every key of one usage name another: two rows turned out to be the same response."""

    def usages(self, ids: Sequence[int]) -> dict[int, UsageRow]:
        """Stored usages by id."""

    def usages_of(self, session_id: str) -> list[UsageRow]:
        """All usages of a session, oldest first."""

    def call_sums(self, session_id: str) -> dict[str, tuple[Tokens, int]]:
        """What the calls a session reported (no aggregates) add up to per model, others' that it reported too included."""

    def witness(self, session_ids: Iterable[str], usage_ids: Iterable[int]) -> None:
        """Remember that these sessions reported usages which others reported too. Saying it twice is saying it once."""

    def shares_calls(self, session_id: str) -> bool:
        """Whether `witness` was ever told of this session."""

    def witnesses(self, usage_ids: Iterable[int]) -> set[str]:
        """The sessions of which `witness` was told with any of these usages."""

    def reported_too(self, session_id: str) -> list[UsageRow]:
        """The usages of others that this session reported too, oldest first."""

    def sessions_beside(self, session_id: str) -> list[str]:
        """The sessions that tell of some calls that this one tells of too, sorted."""

    def disputed_calls(self, since: datetime) -> dict[str, int]:
        """By session, how many of its calls from then on are disputed: reports of them contradict each other."""

    def calls_of_threads(self, session_id: str, threads: Iterable[str]) -> list[int]:
        """The ids of a session's own calls (no aggregates) in these vendor threads."""

    def evidence_of(self, session_id: str) -> dict[Evidence, int]:
        """What a session told of where its calls were made, with its ids; folders are never stored."""

    def evidence(self, ids: Iterable[int]) -> dict[int, Evidence]:
        """The same by id, of any session."""

    def add_evidence(self, session_id: str, told: Sequence[Evidence]) -> dict[Evidence, int]:
        """Keep what the session has not told before; answers its ids."""

    def links_of(self, session_id: str) -> list[PullRequestLink]:
        """The pull requests its client saw, by repository (in lower case), number and branch."""

    def keep_link(self, session_id: str, link: PullRequestLink) -> None:
        """Keep a link, or a new time of one known by repository, number and branch."""

    def commits_of(self, session_id: str) -> list[CommitMade]:
        """The commits its client saw being made, by id, repository (in lower case) and branch."""

    def keep_commit(self, session_id: str, commit: CommitMade) -> None:
        """Keep a commit, or a new time of one known by id, repository and branch."""

    def sessions_that_saw(self, repository: str, number: int, branch: str, sha: str) -> list[str]:
        """Sessions that linked this pull request, made this commit, or lately were on this branch of any repository.

        An empty branch or commit is nobody's. Sorted.
        """

    def pulls_of_commits(self, repository_id: int, shas: Iterable[str]) -> dict[str, tuple[tuple[int, ...], datetime]]:
        """What GitHub said these commits (as sessions name them) are in: numbers, and when it was asked."""

    def keep_pulls_of_commit(self, repository_id: int, sha: str, numbers: Sequence[int], now: datetime) -> None:
        """Keep GitHub's answer, in place of an earlier one."""

    def add_usages(self, rows: Sequence[UsageRow], keys: Mapping[str, int]) -> None:
        """Store new usages, and keys for them or for stored ones."""

    def change_usage(self, row: UsageRow) -> None:
        """Store a corrected, repriced or moved usage."""

    def add_entries(self, entries: Sequence[Entry]) -> None:
        """Append to the ledger."""

    def client_totals(self, session_id: str) -> dict[tuple[str, str], tuple[Tokens, int]]:
        """The largest totals the client reported for (thread, model): tokens and web searches."""

    def keep_client_total(self, session_id: str, thread: str, model: str, tokens: Tokens, web_searches: int) -> None:
        """Keep a client's total."""

    def latch(self, budget_id: int, step: int) -> bool:
        """Remember that a budget crossed a step; True the first time only, for ever."""

    def add_overdrive(self, overdrive: Overdrive) -> None:
        """Store a raise."""

    def overdrive(self, overdrive_id: int) -> Overdrive | None:
        """A raise by id."""

    def revoke_overdrive(self, overdrive_id: int, now: datetime) -> None:
        """End a raise."""

    def keep_breaker(self, repository_id: int, agent: str, breaker: RememberedBreaker) -> None:
        """Store its new state."""

    def breakers(self, repository_id: int | None = None) -> dict[tuple[int, str], RememberedBreaker]:
        """By repository and agent, those that ever tripped: of one repository or of all, in order."""

    def trips_of(self, session_id: str) -> list[BreakerTrip]:
        """What a session has told of its breakers, oldest first."""

    def add_trip(self, session_id: str, trip: BreakerTrip) -> None:
        """Keep a trip that the session has not told of before."""

    def events_of(self, session_id: str) -> list[SessionEvent]:
        """What a session has told of its governor, oldest first."""

    def add_event(self, session_id: str, event: SessionEvent) -> None:
        """Keep an event that the session has not told of before."""

    def gauges_of(self, engineer_id: int) -> list[GaugeReading]:
        """What is known of an engineer's vendor windows, by vendor, account and window."""

    def all_gauges(self) -> list[tuple[int, GaugeReading]]:
        """The same of everybody, with the engineer's id, in its order."""

    def keep_gauge(self, engineer_id: int, reading: GaugeReading) -> None:
        """Keep a reading in place of the one known of the same window."""

    def earlier_gauges(self, engineer_id: int) -> list[GaugeReading]:
        """Readings from before those: what is kept of them, by vendor, account and window, the newest first."""

    def change_earlier_gauges(
        self, engineer_id: int, *, added: Iterable[GaugeReading], dropped: Iterable[GaugeReading]
    ) -> None:
        """Drop earlier readings and keep others: one of each window at each time."""

    def plan_usage(self, engineer_id: int, since: datetime) -> dict[str, list[Spent]]:
        """What an engineer's sessions used on plans since then, cache reads left out, in sums of 5 minutes and a model.

        By the vendor of the model called, whatever the agent; what is no vendor's is left out.
        """

    def plan_tokens_on(self, tab_id: int, session_ids: Sequence[str]) -> dict[tuple[str, str], int]:
        """What these sessions used on plans that lies on a tab, cache reads left out: by session and vendor, as above."""

    def window_shares(self, session_ids: Sequence[str]) -> list[tuple[str, WindowShare]]:
        """How far vendors' windows moved while these sessions ran, by session, vendor, account and window."""

    def keep_window_shares(self, session_id: str, shares: Sequence[WindowShare]) -> None:
        """Keep them in place of those known of the same windows."""

    def add_session_overdrive(self, overdrive: SessionOverdrive) -> None:
        """Store a raise of a session."""

    def session_overdrives(self, session_id: str) -> list[SessionOverdrive]:
        """All raises of a session, oldest first."""

    def end_session_overdrive(self, session_id: str, overdrive_id: int, now: datetime) -> None:
        """Remember that a session's raise was taken back."""

    def audit(self, row: AuditRow) -> None:
        """Append a decision."""

    def enqueue(self, job: Job) -> None:
        """Add work to be done once this commits."""

    def audit_rows(self, after: int = 0, limit: int = 1_000) -> list[SealedRow]:
        """Sealed rows with numbers above `after`, in order."""

    def audit_head(self) -> Head | None:
        """Where the chain ends; None before the first seal."""

    def new_id(self) -> int:
        """A fresh id, rising with time."""

    def new_ids(self, count: int) -> Sequence[int]:
        """So many fresh ids, rising with time."""

    def add_causes(self, changes: Mapping[tuple[int, Cause], Amount]) -> None:
        """Add to what each budget (by id) was charged for each cause other than ADMITTED: what an overrun is named by."""

    def causes_of(self, budget_id: int) -> dict[Cause, Amount]:
        """What one budget was charged for causes that may take it past its cap."""

    def all_causes(self) -> dict[tuple[int, Cause], Amount]:
        """The same for every budget."""

    def cause_sums(self) -> list[CauseSums]:
        """What `all_causes` should be, from the ledger."""

    def entry_sums(self, since: datetime | None = None) -> list[EntrySums]:
        """The whole ledger, or what happened since then, added up by place and session."""

    def all_entries(self) -> list[Entry]:
        """The whole ledger, oldest first: to be looked through offline, and in tests."""

    def all_budgets(self, now: datetime) -> list[Budget]:
        """Every budget, with overdrives in force."""

    def all_places(self) -> dict[int, Place]:
        """Every place."""

    def all_sessions(self) -> list[SessionRow]:
        """Every session, oldest first."""

    def count_calls(self) -> dict[str, tuple[int, int]]:
        """What each session's stored calls say: how many there are, and how many tool results they carried."""


class Ledger(Protocol):
    """Opens the books. `with ledger.open(organization_id) as books:` commits at the end, rolls back on an exception."""

    def open(self, organization_id: int) -> AbstractContextManager[Books]:
        """One transaction that may write."""
