"""Where calls were made: evidence, links and commits of sessions, what GitHub said of those commits, and what a session spent on a tab."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()


def upgrade() -> None:
    """Create the tables; what is stored has no evidence."""
    op.add_column("usage", sa.Column("evidence_id", WHOLE, nullable=True))
    op.add_column(
        "agent_session", sa.Column("has_evidence", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("agent_session", sa.Column("ended_on", sa.String(), server_default="", nullable=False))
    op.create_table(
        "evidence",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("branch", sa.String(), nullable=False),
        sa.Column("head", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index(
        "evidence_session",
        "evidence",
        ["organization_id", "session_id", "repository", "branch", "head"],
        unique=True,
    )
    op.create_index("evidence_branch", "evidence", ["organization_id", "branch", "id"])
    op.create_table(
        "session_link",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("branch", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "session_id", "repository", "number", "branch"),
        sqlite_with_rowid=False,
    )
    op.create_index("session_link_number", "session_link", ["organization_id", "repository", "number"])
    op.create_table(
        "session_commit",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("sha", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("branch", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "session_id", "sha", "repository", "branch"),
        sqlite_with_rowid=False,
    )
    op.create_index("session_commit_sha", "session_commit", ["organization_id", "sha"])
    op.create_table(
        "commit_pulls",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("repository_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("sha", sa.String(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "repository_id", "sha"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tab_session",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tab_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("spent_nano", WHOLE, autoincrement=False, nullable=False),
        sa.Column("spent_tokens", WHOLE, autoincrement=False, nullable=False),
        sa.Column("notional", WHOLE, autoincrement=False, nullable=False),
        sa.Column("unknown_usages", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "tab_id", "session_id"),
        sqlite_with_rowid=False,
    )
    # Until now everything of a session lay on its own tab.
    op.execute(
        "INSERT INTO tab_session"
        " SELECT organization_id, tab_id, id, spent_nano, spent_tokens, notional, unknown_usages"
        " FROM agent_session WHERE tab_id IS NOT NULL AND spent_tokens <> 0"
    )
