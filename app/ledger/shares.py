"""Shares: a session's calls divided among several, whole calls only, as near to what was asked as they allow."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from app.ledger.books import UsageRow


def by_share(rows: Sequence[UsageRow], shares: Sequence[Fraction]) -> list[list[UsageRow]]:
    """One list of usages for each share; every usage is in exactly one. The same usages are always divided alike.

    shares: positive, together 1. What has a price is divided by its cost; what has none, or costs nothing, by its tokens: a
    price that is not known is not zero. Real and notional dollars are each divided by themselves.
    """
    parts: list[list[UsageRow]] = [[] for _ in shares]
    real = [(row, row.cost) for row in rows if row.cost and not row.billing.notional]
    notional = [(row, row.cost) for row in rows if row.cost and row.billing.notional]
    others = [(row, row.tokens.total) for row in rows if not row.cost]
    for weighed in (real, notional, others):
        _divide(weighed, shares, parts)
    return [sorted(part, key=lambda row: (row.occurred_at, row.id)) for part in parts]


def _divide(weighed: Sequence[tuple[UsageRow, int]], shares: Sequence[Fraction], parts: list[list[UsageRow]]) -> None:
    """The largest call first, each to whom most is missing."""
    whole = sum(weight for _, weight in weighed)
    missing = [share * whole for share in shares]
    for row, weight in sorted(weighed, key=lambda one: (-one[1], one[0].occurred_at, one[0].id)):
        most = max(range(len(shares)), key=lambda n: (missing[n], -n))
        missing[most] -= weight
        parts[most].append(row)
