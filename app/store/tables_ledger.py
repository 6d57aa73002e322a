"""Tables of the ledger: tabs, places, budgets, sessions, usage, entries. Every key leads with the organization.

There are no foreign keys: nothing here is ever deleted, every writer holds its organization, and each of them would
cost a lookup per row of a batch. `audit recompute` is the check that the rows belong together.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from app.store.columns import document, maybe_moment, maybe_whole, moment, string, whole

_CLUSTERED = {"sqlite_with_rowid": False}
"""On SQLite the rows lie in their key's own tree, as they are read: by organization, in the order of time."""
_DISPUTED = sql("disputed")


class TabTable(SQLModel, table=True):
    """One generation of one branch."""

    __tablename__ = "tab"
    __table_args__ = (Index("tab_of_branch", "organization_id", "repository_id", "branch", "generation", unique=True),)
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    repository_id: int = whole()
    branch: str = string()
    generation: int = whole()
    ended_at: datetime | None = maybe_moment()


class PlaceTable(SQLModel, table=True):
    """Where entries lie. digest: of everything a place is, so that the same place is stored once."""

    __tablename__ = "place"
    __table_args__ = (Index("place_digest", "organization_id", "digest", unique=True),)
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    digest: str = string()
    tab_id: int | None = maybe_whole()
    repository_id: int | None = maybe_whole()
    engineer_id: int | None = maybe_whole()
    counts_notional: bool
    reason: str = string()
    confidence: str = string()
    budget_ids: list[int] = document()


class BudgetTable(SQLModel, table=True):
    """One budget in one window, with its projections. line: `scope:subject:kind`, the same in every window.

    window_end is `FOR_EVER` for a lifetime, so that the window that holds an instant is one range of one index.
    """

    __tablename__ = "budget"
    __table_args__ = (
        Index("budget_window", "organization_id", "line", "window_end", unique=True),
        Index("budget_subject", "organization_id", "scope", "subject_id", "window_end"),
        CheckConstraint("held_nano >= 0 AND held_tokens >= 0", name="budget_held"),
        CheckConstraint("unknown_usages >= 0", name="budget_unknown"),
        _CLUSTERED,
    )
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    line: str = string()
    scope: str = string()
    subject_id: int = whole()
    window_kind: str = string()
    window_start: int = whole()
    window_end: int = whole()
    window_name: str = string()
    cap_nano: int | None = maybe_whole()
    cap_tokens: int | None = maybe_whole()
    why: str = string()
    spent_nano: int = whole(default=0)
    spent_tokens: int = whole(default=0)
    held_nano: int = whole(default=0)
    held_tokens: int = whole(default=0)
    notional: int = whole(default=0)
    unknown_usages: int = whole(default=0)
    unplaced_nano: int = whole(default=0)
    unplaced_tokens: int = whole(default=0)


class LatchTable(SQLModel, table=True):
    """A step a budget has crossed, once and for all."""

    __tablename__ = "latch"
    __table_args__ = _CLUSTERED
    organization_id: int = whole(key=True)
    budget_id: int = whole(key=True)
    step: int = whole(key=True)


class CauseTable(SQLModel, table=True):
    """What one budget was charged for a cause that may take it past its cap: a projection of the entries."""

    __tablename__ = "overrun_cause"
    __table_args__ = _CLUSTERED
    organization_id: int = whole(key=True)
    budget_id: int = whole(key=True)
    cause: str = string(key=True)
    nano: int = whole()
    tokens: int = whole()


class OverdriveTable(SQLModel, table=True):
    """A raise of one budget."""

    __tablename__ = "overdrive"
    __table_args__ = (Index("overdrive_budget", "organization_id", "budget_id"),)
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    budget_id: int = whole()
    nano: int = whole()
    tokens: int = whole()
    granted_at: datetime = moment()
    expires_at: datetime | None = maybe_moment()
    revoked_at: datetime | None = maybe_moment()
    approver: str = string()
    why: str = string()


class SessionTable(SQLModel, table=True):
    """An admitted session with its projections."""

    __tablename__ = "agent_session"
    __table_args__ = (
        Index(
            "session_live",
            "organization_id",
            "lease_until",
            sqlite_where=sql("ended_at IS NULL"),
            postgresql_where=sql("ended_at IS NULL"),
        ),
        Index("session_run", "organization_id", "run_id"),
        Index("session_tab", "organization_id", "tab_id", "admitted_at"),
        Index("session_ended", "organization_id", "repository_id", "agent", "ended_at"),
        CheckConstraint("held_nano >= 0 AND held_tokens >= 0", name="session_held"),
    )
    organization_id: int = whole(key=True)
    id: str = string(key=True)
    repository_id: int = whole()
    engineer_id: int | None = maybe_whole()
    tab_id: int | None = maybe_whole()
    place_id: int = whole()
    agent: str = string()
    admitted_at: datetime = moment()
    lease_until: datetime = moment()
    held_nano: int = whole()
    held_tokens: int = whole()
    wanted_nano: int = whole()
    wanted_tokens: int = whole()
    heard_at: datetime | None = maybe_moment()
    ended_at: datetime | None = maybe_moment()
    outcome: str = string()
    detail: str = string()
    model: str = string()
    purpose: str = string()
    billing: str = string()
    billing_evidence: str = string()
    enforcement: str = string()
    limits: dict[str, Any] = document()
    spent_nano: int = whole(default=0)
    spent_tokens: int = whole(default=0)
    notional: int = whole(default=0)
    unknown_usages: int = whole(default=0)
    iterations: int = whole(default=0)
    tool_calls: int = whole(default=0)
    run_id: str = string()
    run_attempt: str = string()
    job_id: str = string()
    head_sha: str = string()
    pull_request: int | None = maybe_whole()
    policy_commit: str = string()
    earlier_places: list[int] = document()
    unadmitted: bool = False
    paused_at: datetime | None = maybe_moment()
    stood_seconds: int = whole(default=0)
    assigned_place: int | None = maybe_whole()
    has_evidence: bool = Field(default=False, nullable=False, sa_column_kwargs={"server_default": sql("false")})
    ended_on: str = Field(default="", nullable=False, sa_column_kwargs={"server_default": ""})


class AttemptTable(SQLModel, table=True):
    """A start asked for and its answer. token_id is null where a token may start many sessions."""

    __tablename__ = "start_attempt"
    __table_args__ = (Index("attempt_token", "organization_id", "token_id", unique=True),)
    organization_id: int = whole(key=True)
    key: str = string(key=True)
    token_id: str | None
    answer: dict[str, Any] = document()
    status: int = whole()
    at: datetime = moment()
    session_id: str = string()


class NeedTable(SQLModel, table=True):
    """What 9 of 10 recent sessions of a repository and agent needed."""

    __tablename__ = "need"
    __table_args__ = _CLUSTERED
    organization_id: int = whole(key=True)
    repository_id: int = whole(key=True)
    agent: str = string(key=True)
    nano: int = whole()
    tokens: int = whole()


class BreakerTable(SQLModel, table=True):
    """The remembered breaker of a repository and agent. While it is closed open_until is null and the trip's columns empty."""

    __tablename__ = "breaker"
    __table_args__ = _CLUSTERED
    organization_id: int = whole(key=True)
    repository_id: int = whole(key=True)
    agent: str = string(key=True)
    open_until: datetime | None = maybe_moment()
    probe: str = string()
    closed_at: datetime | None = maybe_moment()
    session_id: str = string()
    metric: str = string()
    subject: str = string()
    value: int = whole()
    threshold: int = whole()
    tripped_at: datetime | None = maybe_moment()


class BreakerTripTable(SQLModel, table=True):
    """A trip as its session told of it."""

    __tablename__ = "breaker_trip"
    __table_args__ = _CLUSTERED
    organization_id: int = whole(key=True)
    session_id: str = string(key=True)
    metric: str = string(key=True)
    occurred_at: int = whole(key=True)
    subject: str = string()
    value: int = whole()
    threshold: int = whole()


class SessionEventTable(SQLModel, table=True):
    """An event of a session's governor, as the session told of it. signal is empty for what a person did."""

    __tablename__ = "session_event"
    __table_args__ = _CLUSTERED
    organization_id: int = whole(key=True)
    session_id: str = string(key=True)
    occurred_at: int = whole(key=True)
    kind: str = string(key=True)
    signal: str = string(key=True)
    scope: str = string(key=True)
    subject: str = string()
    unit: str = string()
    value: int = whole()
    threshold: int | None = maybe_whole()
    asked: int = whole()


class SessionOverdriveTable(SQLModel, table=True):
    """A raise of one session's limits."""

    __tablename__ = "session_overdrive"
    __table_args__ = (
        Index("session_overdrive_key", "organization_id", "session_id", "key", unique=True),
        _CLUSTERED,
    )
    organization_id: int = whole(key=True)
    session_id: str = string(key=True)
    id: int = whole(key=True)
    key: str = string()
    by_how_much: dict[str, Any] = document()
    granted_at: datetime = moment()
    expires_at: datetime = moment()
    ended_at: datetime | None = maybe_moment()
    approver: str = string()
    why: str = string()


class UsageTable(SQLModel, table=True):
    """One stored usage. cost: the sum of its entries. same_as: the usage it turned out to be; null for nearly all.

    The index of disputed ones has no others: it costs nothing where sources agree.
    """

    __tablename__ = "usage"
    __table_args__ = (
        Index("usage_session", "organization_id", "session_id"),
        Index("usage_disputed", "organization_id", "occurred_at", sqlite_where=_DISPUTED, postgresql_where=_DISPUTED),
    )
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    session_id: str = string()
    place_id: int = whole()
    agent: str = string()
    thread: str = string()
    model: str = string()
    matched: str = string()
    input: int = whole()
    cache_read: int = whole()
    cache_write_5m: int = whole()
    cache_write_1h: int = whole()
    output: int = whole()
    web_searches: int = whole()
    tool_calls: int = whole()
    grain: str = string()
    cost_state: str = string()
    billing: str = string()
    occurred_at: int = whole()
    received_at: int = whole()
    cost: int = whole()
    cache_split_known: bool
    same_as: int | None = maybe_whole()
    evidence_id: int | None = maybe_whole()
    disputed: bool = Field(default=False, nullable=False, sa_column_kwargs={"server_default": sql("false")})
    told: str = Field(default="", nullable=False, sa_column_kwargs={"server_default": ""})


class UsageKeyTable(SQLModel, table=True):
    """A key and the usage it stands for."""

    __tablename__ = "usage_key"
    __table_args__ = (Index("usage_key_usage", "organization_id", "usage_id"), _CLUSTERED)
    organization_id: int = whole(key=True)
    key: str = string(key=True)
    usage_id: int = whole()


class EntryTable(SQLModel, table=True):
    """One line of the ledger, never changed."""

    __tablename__ = "entry"
    __table_args__ = _CLUSTERED
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    usage_id: int = whole()
    session_id: str = string()
    kind: str = string()
    place_id: int = whole()
    nano: int = whole()
    notional: int = whole()
    tokens: int = whole()
    unknown: int = whole()
    cause: str = string()
    occurred_at: int = whole()
    received_at: int = whole()
    note: str = string()


class UsageWitnessTable(SQLModel, table=True):
    """A session that reported a usage which another session reported too."""

    __tablename__ = "usage_witness"
    __table_args__ = (Index("witness_session", "organization_id", "session_id"), _CLUSTERED)
    organization_id: int = whole(key=True)
    usage_id: int = whole(key=True)
    session_id: str = string(key=True)


class ClientTotalTable(SQLModel, table=True):
    """The largest total a client reported for one thread and model of a session."""

    __tablename__ = "client_total"
    __table_args__ = _CLUSTERED
    organization_id: int = whole(key=True)
    session_id: str = string(key=True)
    thread: str = string(key=True)
    model: str = string(key=True)
    input: int = whole()
    cache_read: int = whole()
    cache_write_5m: int = whole()
    cache_write_1h: int = whole()
    output: int = whole()
    web_searches: int = whole()
