"""Which session a vendor's own thread is: telemetry names nothing else."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table; what is stored has no threads."""
    op.create_table(
        "session_thread",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("engineer_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("thread", sa.String(), nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "engineer_id", "agent", "thread"),
        sqlite_with_rowid=False,
    )
