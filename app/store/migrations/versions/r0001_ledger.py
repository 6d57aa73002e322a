"""The tables of the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "agent_session",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("repository_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("engineer_id", WHOLE, nullable=True),
        sa.Column("tab_id", WHOLE, nullable=True),
        sa.Column("place_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("admitted_at", MOMENT, nullable=False),
        sa.Column("lease_until", MOMENT, nullable=False),
        sa.Column("held_nano", WHOLE, autoincrement=False, nullable=False),
        sa.Column("held_tokens", WHOLE, autoincrement=False, nullable=False),
        sa.Column("wanted_nano", WHOLE, autoincrement=False, nullable=False),
        sa.Column("wanted_tokens", WHOLE, autoincrement=False, nullable=False),
        sa.Column("heard_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("billing", sa.String(), nullable=False),
        sa.Column("billing_evidence", sa.String(), nullable=False),
        sa.Column("enforcement", sa.String(), nullable=False),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("spent_nano", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("spent_tokens", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("notional", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("unknown_usages", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("iterations", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("tool_calls", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("run_attempt", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("head_sha", sa.String(), nullable=False),
        sa.Column("pull_request", WHOLE, nullable=True),
        sa.Column("policy_commit", sa.String(), nullable=False),
        sa.Column("earlier_places", sa.JSON(), nullable=False),
        sa.Column("unadmitted", sa.Boolean(), nullable=False),
        sa.Column("paused_at", MOMENT, nullable=True),
        sa.Column("stood_seconds", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.CheckConstraint("held_nano >= 0 AND held_tokens >= 0", name="session_held"),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index(
        "session_ended", "agent_session", ["organization_id", "repository_id", "agent", "ended_at"], unique=False
    )
    op.create_index(
        "session_live",
        "agent_session",
        ["organization_id", "lease_until"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("session_run", "agent_session", ["organization_id", "run_id"], unique=False)
    op.create_index("session_tab", "agent_session", ["organization_id", "tab_id", "admitted_at"], unique=False)
    op.create_table(
        "session_event",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("occurred_at", WHOLE, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("signal", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("value", WHOLE, autoincrement=False, nullable=False),
        sa.Column("threshold", WHOLE, nullable=True),
        sa.Column("asked", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "session_id", "occurred_at", "kind", "signal", "scope"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "session_overdrive",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("by_how_much", sa.JSON(), nullable=False),
        sa.Column("granted_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("approver", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "session_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("session_overdrive_key", "session_overdrive", ["organization_id", "session_id", "key"], unique=True)
    op.create_table(
        "breaker",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("repository_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("open_until", MOMENT, nullable=True),
        sa.Column("probe", sa.String(), nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("value", WHOLE, autoincrement=False, nullable=False),
        sa.Column("threshold", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tripped_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "repository_id", "agent"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "breaker_trip",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("occurred_at", WHOLE, autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("value", WHOLE, autoincrement=False, nullable=False),
        sa.Column("threshold", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "session_id", "metric", "occurred_at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budget",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("subject_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("window_kind", sa.String(), nullable=False),
        sa.Column("window_start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("window_end", WHOLE, autoincrement=False, nullable=False),
        sa.Column("window_name", sa.String(), nullable=False),
        sa.Column("cap_nano", WHOLE, nullable=True),
        sa.Column("cap_tokens", WHOLE, nullable=True),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("spent_nano", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("spent_tokens", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("held_nano", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("held_tokens", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("notional", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("unknown_usages", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.CheckConstraint("held_nano >= 0 AND held_tokens >= 0", name="budget_held"),
        sa.CheckConstraint("unknown_usages >= 0", name="budget_unknown"),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("budget_subject", "budget", ["organization_id", "scope", "subject_id", "window_end"], unique=False)
    op.create_index("budget_window", "budget", ["organization_id", "line", "window_end"], unique=True)
    op.create_table(
        "usage_witness",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("usage_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "usage_id", "session_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("witness_session", "usage_witness", ["organization_id", "session_id"])
    op.create_table(
        "client_total",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("thread", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("input", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cache_read", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cache_write_5m", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cache_write_1h", WHOLE, autoincrement=False, nullable=False),
        sa.Column("output", WHOLE, autoincrement=False, nullable=False),
        sa.Column("web_searches", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "session_id", "thread", "model"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "entry",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("usage_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("place_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("nano", WHOLE, autoincrement=False, nullable=False),
        sa.Column("notional", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tokens", WHOLE, autoincrement=False, nullable=False),
        sa.Column("unknown", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("occurred_at", WHOLE, autoincrement=False, nullable=False),
        sa.Column("received_at", WHOLE, autoincrement=False, nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "latch",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("budget_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("step", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "budget_id", "step"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "need",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("repository_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("nano", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tokens", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "repository_id", "agent"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "overdrive",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("budget_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("nano", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tokens", WHOLE, autoincrement=False, nullable=False),
        sa.Column("granted_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("approver", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("overdrive_budget", "overdrive", ["organization_id", "budget_id"], unique=False)
    op.create_table(
        "overrun_cause",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("budget_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("nano", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tokens", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "budget_id", "cause"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "place",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("tab_id", WHOLE, nullable=True),
        sa.Column("repository_id", WHOLE, nullable=True),
        sa.Column("engineer_id", WHOLE, nullable=True),
        sa.Column("counts_notional", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("confidence", sa.String(), nullable=False),
        sa.Column("budget_ids", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("place_digest", "place", ["organization_id", "digest"], unique=True)
    op.create_table(
        "start_attempt",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("token_id", sa.String(), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("status", WHOLE, autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "key"),
    )
    op.create_index("attempt_token", "start_attempt", ["organization_id", "token_id"], unique=True)
    op.create_table(
        "tab",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("repository_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("branch", sa.String(), nullable=False),
        sa.Column("generation", WHOLE, autoincrement=False, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("tab_of_branch", "tab", ["organization_id", "repository_id", "branch", "generation"], unique=True)
    op.create_table(
        "usage",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("place_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("thread", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("matched", sa.String(), nullable=False),
        sa.Column("input", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cache_read", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cache_write_5m", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cache_write_1h", WHOLE, autoincrement=False, nullable=False),
        sa.Column("output", WHOLE, autoincrement=False, nullable=False),
        sa.Column("web_searches", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tool_calls", WHOLE, autoincrement=False, nullable=False),
        sa.Column("grain", sa.String(), nullable=False),
        sa.Column("cost_state", sa.String(), nullable=False),
        sa.Column("billing", sa.String(), nullable=False),
        sa.Column("occurred_at", WHOLE, autoincrement=False, nullable=False),
        sa.Column("received_at", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cost", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cache_split_known", sa.Boolean(), nullable=False),
        sa.Column("same_as", WHOLE, nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("usage_session", "usage", ["organization_id", "session_id"], unique=False)
    op.create_table(
        "usage_key",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("usage_id", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("usage_key_usage", "usage_key", ["organization_id", "usage_id"], unique=False)
