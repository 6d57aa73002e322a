"""The books: what one transaction on one organization's ledger can read and write, in memory or in a database.

Writers of one organization come one after another (SQLite: one writer at all; PostgreSQL: the organization's row is
locked first), so an operation loads, decides on plain values, and writes; nothing changes in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from tabstop.budget import Amount, Budget, BudgetKey
from tabstop.cost import CostState
from tabstop.money import Nano
from tabstop.policy.model import Cap
from tabstop.session import SessionOutcome
from tabstop.usage import Billing, Grain, Tokens


class EntryKind(StrEnum):
    """What a ledger entry is."""

    CHARGE = "charge"
    MOVE = "move"
    CORRECT = "correct"
    REPRICE = "reprice"
    TRUE_UP = "true-up"


class Cause(StrEnum):
    """Why an entry was made; all but ADMITTED may take a budget past its cap, and are then named as its overrun."""

    ADMITTED = "admitted"
    """Within what admission set aside, or within the room there was."""
    OVERSHOOT = "overshoot"
    """An admitted session used more than it had set aside, and the room was gone."""
    LATE = "late"
    """Reported after its session had ended and its hold was released."""
    UNADMITTED = "unadmitted"
    """No session was admitted for it."""
    MOVED = "moved"
    REPRICED = "repriced"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Tab:
    """(repository, head branch, generation): what a pull request adopts when it opens."""

    id: int
    repository_id: int
    branch: str
    generation: int
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where entries lie, and the budgets (by id) of the windows they are charged in. None: not there.

    counts_notional: whether notional dollars of its entries count toward the budgets.
    """

    tab_id: int | None = None
    repository_id: int | None = None
    engineer_id: int | None = None
    counts_notional: bool = False
    reason: str = ""
    confidence: str = ""
    budget_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionRow:
    """An admitted session as stored. Totals are projections of its entries; `held` is what is still set aside.

    place_id: where its hold lies and its usage goes now. earlier_places: those whose windows have ended since it was
    admitted, oldest first. wanted: the hold to be topped up to.
    """

    id: str
    repository_id: int
    engineer_id: int | None
    tab_id: int | None
    place_id: int
    agent: str
    admitted_at: datetime
    lease_until: datetime
    held: Amount = Amount()
    wanted: Amount = Amount()
    heard_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: SessionOutcome | None = None
    detail: str = ""
    model: str = ""
    purpose: str = ""
    billing: Billing = Billing.UNKNOWN
    billing_evidence: str = ""
    enforcement: str = "one call"
    limits: Mapping[str, int | None] = field(default_factory=dict)
    spent: Amount = Amount()
    notional: Nano = 0
    unknown_usages: int = 0
    iterations: int = 0
    tool_calls: int = 0
    run_id: str = ""
    run_attempt: str = ""
    job_id: str = ""
    head_sha: str = ""
    pull_request: int | None = None
    policy_commit: str = ""
    earlier_places: tuple[int, ...] = ()
    unadmitted: bool = False
    """Told of after the fact: nothing was held for it, and its usage counts when it happened."""


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """One start asked for, admitted or refused, with the answer given: asking again gives the same."""

    key: str
    token_id: str
    answer: Mapping[str, Any]
    status: int
    at: datetime
    session_id: str = ""


class UsageRow(NamedTuple):
    """A stored usage. A tuple, since a batch makes thousands: several times quicker than a frozen dataclass."""

    id: int
    session_id: str
    place_id: int
    agent: str
    thread: str
    model: str
    matched: str
    tokens: Tokens
    web_searches: int
    tool_calls: int
    grain: Grain
    cost_state: CostState
    billing: Billing
    occurred_at: datetime
    received_at: datetime
    cost: Nano = 0
    """What it costs now, the sum of its entries, real or notional as `billing` says; 0 while its state is unknown."""
    cache_split_known: bool = True
    same_as: int | None = None
    """The usage it turned out to be, which then has its tokens; this one has none any more."""


class KnownUsage(NamedTuple):
    """What a key already stands for: enough to see whether a report says more, without loading the usage."""

    id: int
    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int
    cache_split_known: bool
    web_searches: int
    tool_calls: int
    model: str
    occurred_at: datetime


class Entry(NamedTuple):
    """One line of the ledger. nano: real dollars; notional: the equivalent of a subscription's; unknown: +1 / 0 / -1."""

    id: int
    usage_id: int
    kind: EntryKind
    place_id: int
    nano: Nano
    notional: Nano
    tokens: int
    unknown: int
    cause: Cause
    occurred_at: datetime
    received_at: datetime
    note: str = ""
    session_id: str = ""


class CauseSums(NamedTuple):
    """What the entries of one place and one cause add up to; entries within what was admitted are left out."""

    place_id: int
    cause: Cause
    nano: Nano
    notional: Nano
    tokens: int


class EntrySums(NamedTuple):
    """What the entries of one place and one session add up to."""

    place_id: int
    session_id: str
    nano: Nano
    notional: Nano
    tokens: int
    unknown: int


@dataclass(frozen=True, slots=True)
class BudgetChange:
    """What a transaction adds to one budget; parts may be negative."""

    spent: Amount = Amount()
    held: Amount = Amount()
    notional: Nano = 0
    unknown_usages: int = 0

    def __add__(self, other: BudgetChange) -> BudgetChange:
        """Add part by part."""
        return BudgetChange(
            self.spent + other.spent,
            self.held + other.held,
            self.notional + other.notional,
            self.unknown_usages + other.unknown_usages,
        )


@dataclass(frozen=True, slots=True)
class SessionChange:
    """What a transaction adds to one session's totals; parts may be negative. spent counts real dollars."""

    spent: Amount = Amount()
    notional: Nano = 0
    unknown_usages: int = 0
    iterations: int = 0
    tool_calls: int = 0

    def __add__(self, other: SessionChange) -> SessionChange:
        """Add part by part."""
        return SessionChange(
            self.spent + other.spent,
            self.notional + other.notional,
            self.unknown_usages + other.unknown_usages,
            self.iterations + other.iterations,
            self.tool_calls + other.tool_calls,
        )


@dataclass(frozen=True, slots=True)
class Overdrive:
    """A raise of one budget: how much, until when, who approved and why."""

    id: int
    budget_id: int
    amount: Amount
    granted_at: datetime
    expires_at: datetime | None
    approver: str
    why: str
    revoked_at: datetime | None = None

    def in_force(self, now: datetime) -> bool:
        """Whether it raises its budget now."""
        return self.revoked_at is None and self.granted_at <= now and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Job:
    """Work to be done after the transaction commits. Jobs of the same kind and key that wait are one."""

    kind: str
    key: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    run_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One decision, for ever. Names people by internal id. body: plain JSON values."""

    kind: str
    at: datetime
    subject: str
    body: Mapping[str, Any]
    engineer_id: int | None = None


@dataclass(frozen=True, slots=True)
class SealedRow:
    """An audit row in its organization's chain. hash: see `app.store.audit_chain`."""

    seq: int
    id: int
    row: AuditRow
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: the last row's number and hash. Kept elsewhere, it shows that rows were cut off."""

    seq: int
    hash: str


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
        """End a tab's generation; the next session on its branch opens another."""

    def reopen_tab(self, repository_id: int, branch: str, now: datetime) -> Tab:
        """The branch's newest tab, not ended any more; opened when there is none. A pull request was opened again."""

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

    def change_session(self, session: SessionRow) -> None:
        """Store a session's new state: everything but its totals."""

    def add_to_sessions(self, changes: Mapping[str, SessionChange]) -> None:
        """Add to sessions' totals."""

    def needed_recently(self, repository_id: int, agent: str) -> Amount | None:
        """What 9 of 10 recent sessions of this repository and agent needed; None without history."""

    def recent_needs(self, repository_id: int, agent: str, count: int) -> list[Amount]:
        """What each of the last `count` ended sessions used, newest first."""

    def remember_need(self, repository_id: int, agent: str, needed: Amount) -> None:
        """Keep what `needed_recently` answers."""

    def known(self, keys: Sequence[str]) -> dict[str, KnownUsage]:
        """Which of these usage keys are stored, and for which usage."""

    def repoint_keys(self, from_usage: int, to_usage: int) -> None:
        """Let every key of one usage name another: two rows turned out to be the same response."""

    def usages(self, ids: Sequence[int]) -> dict[int, UsageRow]:
        """Stored usages by id."""

    def usages_of(self, session_id: str) -> list[UsageRow]:
        """All usages of a session, oldest first."""

    def call_sums(self, session_id: str) -> dict[str, tuple[Tokens, int]]:
        """What a session's calls (no aggregates) add up to per model: tokens and web searches."""

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

    def add_causes(self, changes: Mapping[tuple[int, Cause], Amount]) -> None:
        """Add to what each budget (by id) was charged for each cause other than ADMITTED: what an overrun is named by."""

    def causes_of(self, budget_id: int) -> dict[Cause, Amount]:
        """What one budget was charged for causes that may take it past its cap."""

    def all_causes(self) -> dict[tuple[int, Cause], Amount]:
        """The same for every budget."""

    def cause_sums(self) -> list[CauseSums]:
        """What `all_causes` should be, from the ledger."""

    def entry_sums(self) -> list[EntrySums]:
        """The whole ledger, added up by place and session."""

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
