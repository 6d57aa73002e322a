"""How far the vendors' windows moved while a session ran."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()


def upgrade() -> None:
    """Create the table; of sessions before it nothing is known."""
    op.create_table(
        "session_gauge",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("window_name", sa.String(), nullable=False),
        sa.Column("moved", WHOLE, autoincrement=False, nullable=False),
        sa.Column("used", WHOLE, autoincrement=False, nullable=False),
        sa.Column("observed_at", MOMENT, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("resets_at", MOMENT, nullable=True),
        sa.Column("minutes", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "session_id", "vendor", "account", "window_name"),
        sqlite_with_rowid=False,
    )
