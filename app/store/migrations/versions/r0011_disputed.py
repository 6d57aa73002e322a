"""Calls whose reports contradict each other, and what reports said of a call besides its counts."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns. Of what is stored already nothing else is known: it is undisputed."""
    op.add_column("usage", sa.Column("disputed", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("usage", sa.Column("told", sa.String(), server_default="", nullable=False))
    where = sa.text("disputed")
    op.create_index(
        "usage_disputed", "usage", ["organization_id", "occurred_at"], sqlite_where=where, postgresql_where=where
    )
