"""Where somebody assigned a session as a whole."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the column; no session before it was assigned."""
    op.add_column("agent_session", sa.Column("assigned_place", WHOLE, nullable=True))
