"""The tables of the registry, the outbox and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "audit",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("engineer_id", WHOLE, nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("seq", WHOLE, nullable=True),
        sa.Column("hash", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("audit_seq", "audit", ["organization_id", "seq"], unique=True)
    op.create_index(
        "audit_unsealed",
        "audit",
        ["organization_id", "id"],
        unique=False,
        sqlite_where=sa.text("seq IS NULL"),
        postgresql_where=sa.text("seq IS NULL"),
    )
    op.create_table(
        "audit_head",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("seq", WHOLE, autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id"),
    )
    op.create_table(
        "cron_slot",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slot", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", "slot"),
    )
    op.create_table(
        "delivery",
        sa.Column("guid", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=True),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("guid"),
    )
    op.create_index("delivery_age", "delivery", ["received_at"], unique=False)
    op.create_table(
        "engineer",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("github_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("checked_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("engineer_github", "engineer", ["organization_id", "github_id"], unique=True)
    op.create_index("engineer_login", "engineer", ["organization_id", "folded"], unique=False)
    op.create_table(
        "engineer_token",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("engineer_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "job",
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("run_at", WHOLE, autoincrement=False, nullable=False),
        sa.Column("not_before", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("leased_until", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("lease", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("attempts", WHOLE, server_default="0", autoincrement=False, nullable=False),
        sa.Column("want", WHOLE, server_default="1", autoincrement=False, nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("dead_at", WHOLE, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "job_due",
        "job",
        ["run_at"],
        unique=False,
        sqlite_where=sa.text("dead_at IS NULL"),
        postgresql_where=sa.text("dead_at IS NULL"),
    )
    op.create_index("job_key", "job", ["organization_id", "kind", "key"], unique=True)
    op.create_table(
        "organization",
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("github_id", WHOLE, nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("installation_id", WHOLE, nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("github_id"),
    )
    op.create_table(
        "policy_file",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("repository_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("commit", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("newest", sa.Boolean(), nullable=False),
        sa.Column("in_force", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index(
        "policy_file_now", "policy_file", ["organization_id", "repository_id", "newest", "in_force"], unique=False
    )
    op.create_table(
        "pull_request",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("repository_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tab_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("head_sha", sa.String(), nullable=False),
        sa.Column("head_branch", sa.String(), nullable=False),
        sa.Column("base_branch", sa.String(), nullable=False),
        sa.Column("author_id", WHOLE, nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("draft", sa.Boolean(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("check_run_id", WHOLE, nullable=True),
        sa.Column("check_sha", sa.String(), nullable=False),
        sa.Column("check_digest", sa.String(), nullable=False),
        sa.Column("comment_id", WHOLE, nullable=True),
        sa.Column("comment_digest", sa.String(), nullable=False),
        sa.Column("edits_policy", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("pull_request_number", "pull_request", ["organization_id", "repository_id", "number"], unique=True)
    op.create_index("pull_request_open", "pull_request", ["organization_id", "state", "repository_id"], unique=False)
    op.create_index("pull_request_tab", "pull_request", ["organization_id", "tab_id"], unique=False)
    op.create_table(
        "repository",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("github_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("full_name", sa.String(), nullable=False),
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("default_branch", sa.String(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("repository_github", "repository", ["organization_id", "github_id"], unique=True)
    op.create_index("repository_name", "repository", ["organization_id", "folded"], unique=False)
    op.create_table(
        "secret",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
