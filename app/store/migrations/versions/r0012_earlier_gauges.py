"""Earlier readings of the vendors' windows, and shares of them that are not known."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()


def upgrade() -> None:
    """Create the table. Where nothing had moved, nobody had looked twice, or nothing had: which of the two is not known."""
    op.create_table(
        "earlier_gauge",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("engineer_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("window_name", sa.String(), nullable=False),
        sa.Column("observed_at", MOMENT, autoincrement=False, nullable=False),
        sa.Column("used", WHOLE, autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("resets_at", MOMENT, nullable=True),
        sa.Column("minutes", WHOLE, autoincrement=False, nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "engineer_id", "vendor", "account", "window_name", "observed_at"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("session_gauge", table_kwargs={"sqlite_with_rowid": False}) as table:
        table.alter_column("moved", existing_type=WHOLE, nullable=True)
    op.execute("UPDATE session_gauge SET moved = NULL WHERE moved = 0")
