"""Names that repositories went by, and when pull requests were opened and ended."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()


def upgrade() -> None:
    """Create the table and add the columns; of what is stored neither is known."""
    op.add_column("pull_request", sa.Column("opened_at", MOMENT, nullable=True))
    op.add_column("pull_request", sa.Column("ended_at", MOMENT, nullable=True))
    op.create_table(
        "former_name",
        sa.Column("organization_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("repository_id", WHOLE, nullable=False),
        sa.Column("folded", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("former_name_was", "former_name", ["organization_id", "folded"])
    op.create_index("former_name_of", "former_name", ["organization_id", "repository_id"])
