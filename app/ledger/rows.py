"""The rows of the books as plain values: tabs, places, sessions, usage, entries, raises, jobs, audit rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from tabstop.budget import Amount
from tabstop.cost import CostState
from tabstop.money import Nano
from tabstop.session import Limits, SessionOutcome
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


NO_REPOSITORY = 0
"""In place of a session's repository: in force there is the organization's policy over the defaults."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """An admitted session as stored. Totals are projections of its entries; `held` is what is still set aside.

    repository_id: `NO_REPOSITORY` where its engineer's own machine named none of the organization's.
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
    paused_at: datetime | None = None
    """Since when an operator has it stand still."""
    stood_seconds: int = 0
    """How long it had ended before it was resumed, in all: no part of its wall clock."""
    has_evidence: bool = False
    """Whether it told anything of where its calls were made; most sessions tell nothing, and cost nothing then."""
    ended_on: str = ""
    """The branch it said at its end that it had worked on."""
    assigned_place: int | None = None
    """Where somebody assigned it as a whole, so that what it uses later goes there too; None for nowhere."""
    elsewhere: bool = False
    """As `sessions_of_tab` answers it: whether some of what it used lies on another tab, or on none. Never stored."""


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
    evidence_id: int | None = None
    """What its session told of where it was made; None for nothing."""
    disputed: bool = False
    """Whether reports of it contradict each other."""
    told: str = ""
    """What reports said of it besides its counts, as JSON; see `app.ledger.disagreement`. Empty for nearly all."""


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
    session_id: str
    evidence_id: int | None
    disputed: bool
    told: str

    @property
    def prompt(self) -> tuple[int, int, int, int]:
        """The counts of its prompt, in the order above."""
        return self.input, self.cache_read, self.cache_write_5m, self.cache_write_1h


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
    """What a transaction adds to one budget; parts may be negative. unplaced: the part of `spent` that lies on no tab."""

    spent: Amount = Amount()
    held: Amount = Amount()
    notional: Nano = 0
    unknown_usages: int = 0
    unplaced: Amount = Amount()

    def __add__(self, other: BudgetChange) -> BudgetChange:
        """Add part by part."""
        return BudgetChange(
            self.spent + other.spent,
            self.held + other.held,
            self.notional + other.notional,
            self.unknown_usages + other.unknown_usages,
            self.unplaced + other.unplaced,
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
class SessionOverdrive:
    """A raise of one session's limits, which are stored with it already. key: of the request that asked for it.

    ended_at: when it was taken back.
    """

    id: int
    session_id: str
    key: str
    by_how_much: Limits
    granted_at: datetime
    expires_at: datetime
    approver: str
    why: str
    ended_at: datetime | None = None


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
