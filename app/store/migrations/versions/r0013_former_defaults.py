"""Branches that were repositories' default ones, and until when."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()


def upgrade() -> None:
    """Create the table; of what is stored none is known."""
    op.create_table(
        "former_default",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("repository_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("branch", sa.String(), nullable=False),
        sa.Column("ended_at", MOMENT, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "repository_id", "branch"),
        sqlite_with_rowid=False,
    )
