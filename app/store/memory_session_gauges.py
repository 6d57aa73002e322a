"""How far vendors' windows moved while sessions ran, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from app.ledger.books import UsageRow
from app.store.columns import to_micros
from app.store.memory_tables import MemoryPart
from app.store.sql_session_gauges import BUCKET
from tabstop.gauge import vendor_of
from tabstop.gauge_estimate import Spent, counted
from tabstop.usage import Billing
from tabstop.window_share import WindowShare


class MemorySessionGauges(MemoryPart):
    """The part of `app.ledger.books.Books` about sessions' shares of vendors' windows."""

    def plan_usage(self, engineer_id: int, since: datetime) -> dict[str, list[Spent]]:
        """See `Books`."""
        theirs = {one.id for one in self._t.sessions.values() if one.engineer_id == engineer_id}
        found: dict[tuple[str, str, int], Spent] = {}
        for row, vendor in self._on_plans():
            if row.session_id in theirs and row.occurred_at >= since:
                key = vendor, row.model, to_micros(row.occurred_at) // BUCKET
                before = found.get(key, Spent(row.occurred_at, 0))
                found[key] = Spent(min(before.at, row.occurred_at), before.tokens + counted(row.tokens))
        by_vendor: dict[str, list[Spent]] = {}
        for (vendor, _, _), spent in found.items():
            by_vendor.setdefault(vendor, []).append(spent)
        return by_vendor

    def plan_tokens_on(self, tab_id: int, session_ids: Sequence[str]) -> dict[tuple[str, str], int]:
        """See `Books`."""
        found: Counter[tuple[str, str]] = Counter()
        for row, vendor in self._on_plans():
            if row.session_id in session_ids and self._t.places[row.place_id].tab_id == tab_id:
                found[row.session_id, vendor] += counted(row.tokens)
        return dict(found)

    def _on_plans(self) -> Iterator[tuple[UsageRow, str]]:
        for row in self._t.usages.values():
            vendor = vendor_of(row.agent, row.model)
            if vendor and row.billing is Billing.SUBSCRIPTION and row.same_as is None:
                yield row, vendor

    def window_shares(self, session_ids: Sequence[str]) -> list[tuple[str, WindowShare]]:
        """See `Books`."""
        wanted = set(session_ids)
        found = [(session, share) for (session, _), share in self._t.window_shares.items() if session in wanted]
        return sorted(found, key=lambda one: (one[0], one[1].last.gauge))

    def keep_window_shares(self, session_id: str, shares: Sequence[WindowShare]) -> None:
        """See `Books`."""
        for share in shares:
            bare = replace(share, last=replace(share.last, plan="", status=""))
            self._put(self._t.window_shares, (session_id, share.last.gauge), bare)
