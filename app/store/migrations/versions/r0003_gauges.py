"""The table of the vendors' windows."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "gauge",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("engineer_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("window_name", sa.String(), nullable=False),
        sa.Column("used", WHOLE, autoincrement=False, nullable=False),
        sa.Column("observed_at", MOMENT, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("resets_at", MOMENT, nullable=True),
        sa.Column("minutes", WHOLE, autoincrement=False, nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "engineer_id", "vendor", "account", "window_name"),
        sqlite_with_rowid=False,
    )
