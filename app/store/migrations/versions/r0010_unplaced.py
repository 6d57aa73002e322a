"""What of each budget's spend lies on no tab."""

from collections import defaultdict

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_PLACE = sa.table(
    "place",
    sa.column("organization_id", WHOLE),
    sa.column("id", WHOLE),
    sa.column("tab_id", WHOLE),
    sa.column("counts_notional", sa.Boolean()),
    sa.column("budget_ids", sa.JSON()),
)
_ENTRY = sa.table(
    "entry",
    sa.column("organization_id", WHOLE),
    sa.column("place_id", WHOLE),
    sa.column("nano", WHOLE),
    sa.column("notional", WHOLE),
    sa.column("tokens", WHOLE),
)
_SUMS = (
    sa.select(
        _PLACE.c.organization_id,
        _PLACE.c.id,
        sa.func.sum(_ENTRY.c.nano),
        sa.func.sum(_ENTRY.c.notional),
        sa.func.sum(_ENTRY.c.tokens),
    )
    .join_from(
        _PLACE, _ENTRY, (_ENTRY.c.organization_id == _PLACE.c.organization_id) & (_ENTRY.c.place_id == _PLACE.c.id)
    )
    .where(_PLACE.c.tab_id.is_(None))
    .group_by(_PLACE.c.organization_id, _PLACE.c.id)
)


def upgrade() -> None:
    """Add the columns, and fill them from the ledger."""
    for name in ("unplaced_nano", "unplaced_tokens"):
        op.add_column("budget", sa.Column(name, WHOLE, server_default="0", autoincrement=False, nullable=False))
    db = op.get_bind()
    places = {
        (row.organization_id, row.id): row for row in db.execute(sa.select(_PLACE).where(_PLACE.c.tab_id.is_(None)))
    }
    unplaced: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for organization_id, place_id, nano, notional, tokens in db.execute(_SUMS):
        place = places[organization_id, place_id]
        for budget_id in place.budget_ids:
            sums = unplaced[organization_id, budget_id]
            # PostgreSQL adds bigints up as decimals.
            sums[0] += int(nano) + (int(notional) if place.counts_notional else 0)
            sums[1] += int(tokens)
    for (organization_id, budget_id), (nano, tokens) in unplaced.items():
        db.execute(
            sa.text(
                "UPDATE budget SET unplaced_nano = :nano, unplaced_tokens = :tokens"
                " WHERE organization_id = :organization AND id = :budget"
            ),
            {"nano": nano, "tokens": tokens, "organization": organization_id, "budget": budget_id},
        )
