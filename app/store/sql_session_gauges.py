"""How far vendors' windows moved while sessions ran, in a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, select

from app.store.columns import from_micros, to_micros
from app.store.sql_part import SqlPart, per_database
from app.store.tables import PLACE, SESSION, SESSION_GAUGE, USAGE
from tabstop.gauge import GaugeReading, GaugeSource, vendor_of
from tabstop.gauge_estimate import Spent
from tabstop.usage import Billing
from tabstop.window_share import WindowShare

BUCKET = 5 * 60 * 1_000_000
"""Microseconds of usage that are summed: an estimate needs no more."""

_G = SESSION_GAUGE.c
_KEY = (_G.organization_id, _G.session_id, _G.vendor, _G.account, _G.window_name)

_OF_SESSIONS = select(SESSION_GAUGE).where(
    _G.organization_id == bindparam("org"), _G.session_id.in_(bindparam("sessions", expanding=True))
)

_S, _U, _P = SESSION.c, USAGE.c, PLACE.c
_FRESH = func.sum(_U.input + _U.cache_write_5m + _U.cache_write_1h + _U.output).label("tokens")
_ON_PLAN = (_U.billing == Billing.SUBSCRIPTION.value, _U.same_as.is_(None))
_PLAN_USAGE = (
    select(_U.agent, _U.model, func.min(_U.occurred_at).label("at"), _FRESH)
    .select_from(SESSION.join(USAGE, and_(_U.organization_id == _S.organization_id, _U.session_id == _S.id)))
    .where(
        _S.organization_id == bindparam("org"),
        _S.engineer_id == bindparam("engineer"),
        func.coalesce(_S.heard_at, _S.admitted_at) >= bindparam("heard"),
        _U.occurred_at >= bindparam("since"),
        *_ON_PLAN,
    )
    .group_by(_U.occurred_at - _U.occurred_at % BUCKET, _U.agent, _U.model)
)
_PLAN_TOKENS_ON = (
    select(_U.session_id, _U.agent, _U.model, _FRESH)
    .select_from(USAGE.join(PLACE, and_(_P.organization_id == _U.organization_id, _P.id == _U.place_id)))
    .where(
        _U.organization_id == bindparam("org"),
        _U.session_id.in_(bindparam("sessions", expanding=True)),
        _P.tab_id == bindparam("tab"),
        *_ON_PLAN,
    )
    .group_by(_U.session_id, _U.agent, _U.model)
)


def _keep(into: Any) -> Any:
    statement = into(SESSION_GAUGE).values(organization_id=bindparam("org"))
    changed = {
        c.name: statement.excluded[c.name] for c in SESSION_GAUGE.columns if c.name not in {k.name for k in _KEY}
    }
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=changed)


_KEEP = per_database(_keep)


class SqlSessionGauges(SqlPart):
    """The part of `app.ledger.books.Books` about sessions' shares of vendors' windows."""

    def plan_usage(self, engineer_id: int, since: datetime) -> dict[str, list[Spent]]:
        """See `Books`."""
        found: dict[str, list[Spent]] = {}
        for row in self._rows(_PLAN_USAGE, engineer=engineer_id, heard=since, since=to_micros(since)):
            if vendor := vendor_of(row.agent, row.model):
                found.setdefault(vendor, []).append(Spent(from_micros(int(row.at)), int(row.tokens)))
        return found

    def plan_tokens_on(self, tab_id: int, session_ids: Sequence[str]) -> dict[tuple[str, str], int]:
        """See `Books`."""
        found: Counter[tuple[str, str]] = Counter()
        if session_ids:
            for row in self._rows(_PLAN_TOKENS_ON, tab=tab_id, sessions=list(session_ids)):
                if vendor := vendor_of(row.agent, row.model):
                    found[row.session_id, vendor] += int(row.tokens)
        return dict(found)

    def window_shares(self, session_ids: Sequence[str]) -> list[tuple[str, WindowShare]]:
        """See `Books`."""
        rows = self._rows(_OF_SESSIONS, sessions=list(session_ids)) if session_ids else []
        return sorted(((row.session_id, _share(row)) for row in rows), key=lambda one: (one[0], one[1].last.gauge))

    def keep_window_shares(self, session_id: str, shares: Sequence[WindowShare]) -> None:
        """See `Books`."""
        if shares:
            self._write(_KEEP, [{"session_id": session_id, **_row(share)} for share in shares])


def _row(share: WindowShare) -> dict[str, Any]:
    last = share.last
    return {
        "vendor": last.vendor,
        "account": last.account,
        "window_name": last.window,
        "moved": share.moved,
        "used": last.used,
        "observed_at": last.observed_at,
        "source": last.source.value,
        "resets_at": last.resets_at,
        "minutes": last.minutes,
    }


def _share(row: Any) -> WindowShare:
    source = GaugeSource(row.source)
    last = GaugeReading(
        row.vendor, row.account, row.window_name, row.used, row.observed_at, source, row.resets_at, row.minutes
    )
    return WindowShare(last, row.moved)
