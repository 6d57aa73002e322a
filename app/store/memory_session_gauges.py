"""How far vendors' windows moved while sessions ran, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from app.store.columns import to_micros
from app.store.memory_tables import MemoryPart
from app.store.sql_session_gauges import BUCKET
from tabstop.gauge_estimate import Spent, counted
from tabstop.usage import Billing
from tabstop.window_share import WindowShare


class MemorySessionGauges(MemoryPart):
    """The part of `app.ledger.books.Books` about sessions' shares of vendors' windows."""

    def plan_usage(self, engineer_id: int, agent: str, since: datetime) -> list[Spent]:
        """See `Books`."""
        theirs = {one.id for one in self._t.sessions.values() if (one.engineer_id, one.agent) == (engineer_id, agent)}
        found: dict[int, Spent] = {}
        for row in self._t.usages.values():
            on_plan = row.billing is Billing.SUBSCRIPTION and row.same_as is None
            if on_plan and row.session_id in theirs and row.occurred_at >= since:
                bucket = to_micros(row.occurred_at) // BUCKET
                before = found.get(bucket, Spent(row.occurred_at, 0))
                at = min(before.at, row.occurred_at)
                found[bucket] = Spent(at, before.tokens + counted(row.tokens))
        return list(found.values())

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
