"""The table of whom engineers are in Slack."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "slack_member",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("engineer_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("checked_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "engineer_id"),
    )
