"""How full the engineers' vendor windows are, and were, in a database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select

from app.store.sql_part import AnyRow, SqlPart, per_database
from app.store.tables import EARLIER_GAUGE, GAUGE
from tabstop.gauge import GaugeReading, GaugeSource

_G, _E = GAUGE.c, EARLIER_GAUGE.c
_KEY = (_G.organization_id, _G.engineer_id, _G.vendor, _G.account, _G.window_name)

_ALL = select(GAUGE).where(_G.organization_id == bindparam("org"))
_OF_ENGINEER = _ALL.where(_G.engineer_id == bindparam("engineer"))

_EARLIER = (
    select(EARLIER_GAUGE)
    .where(_E.organization_id == bindparam("org"), _E.engineer_id == bindparam("engineer"))
    .order_by(_E.observed_at.desc())
)
_DROP_EARLIER = delete(EARLIER_GAUGE).where(
    _E.organization_id == bindparam("org"),
    _E.engineer_id == bindparam("of_engineer"),
    _E.vendor == bindparam("of_vendor"),
    _E.account == bindparam("of_account"),
    _E.window_name == bindparam("of_window"),
    _E.observed_at == bindparam("at", type_=_E.observed_at.type),
)


def _keep(into: Any) -> Any:
    statement = into(GAUGE).values(organization_id=bindparam("org"))
    changed = {c.name: statement.excluded[c.name] for c in GAUGE.columns if c.name not in {k.name for k in _KEY}}
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=changed)


_KEEP = per_database(_keep)
_KEEP_EARLIER = per_database(lambda into: into(EARLIER_GAUGE).values(organization_id=bindparam("org")))


class SqlGauges(SqlPart):
    """The part of `app.ledger.books.Books` about gauges."""

    def gauges_of(self, engineer_id: int) -> list[GaugeReading]:
        """See `Books`."""
        return [reading for _, reading in _sorted(self._rows(_OF_ENGINEER, engineer=engineer_id))]

    def all_gauges(self) -> list[tuple[int, GaugeReading]]:
        """See `Books`."""
        return _sorted(self._rows(_ALL))

    def keep_gauge(self, engineer_id: int, reading: GaugeReading) -> None:
        """See `Books`."""
        self._write(_KEEP, _row(engineer_id, reading))

    def earlier_gauges(self, engineer_id: int) -> list[GaugeReading]:
        """See `Books`."""
        return [reading for _, reading in _sorted(self._rows(_EARLIER, engineer=engineer_id))]

    def change_earlier_gauges(
        self, engineer_id: int, *, added: Iterable[GaugeReading], dropped: Iterable[GaugeReading]
    ) -> None:
        """See `Books`."""
        gone = [
            {
                "of_engineer": engineer_id,
                "of_vendor": reading.vendor,
                "of_account": reading.account,
                "of_window": reading.window,
                "at": reading.observed_at,
            }
            for reading in dropped
        ]
        self._write(_DROP_EARLIER, gone)
        self._write(_KEEP_EARLIER, [_row(engineer_id, reading) for reading in added])


def _row(engineer_id: int, reading: GaugeReading) -> dict[str, Any]:
    return {
        "engineer_id": engineer_id,
        "vendor": reading.vendor,
        "account": reading.account,
        "window_name": reading.window,
        "used": reading.used,
        "observed_at": reading.observed_at,
        "source": reading.source.value,
        "resets_at": reading.resets_at,
        "minutes": reading.minutes,
        "plan": reading.plan,
        "status": reading.status,
    }


def _sorted(rows: Sequence[AnyRow]) -> list[tuple[int, GaugeReading]]:
    """Sorted here: PostgreSQL may compare texts by a language's rules, and there are few."""
    found = [(row.engineer_id, _reading(row)) for row in rows]
    return sorted(found, key=lambda one: (one[0], one[1].gauge))


def _reading(row: AnyRow) -> GaugeReading:
    return GaugeReading(
        row.vendor,
        row.account,
        row.window_name,
        row.used,
        row.observed_at,
        GaugeSource(row.source),
        row.resets_at,
        row.minutes,
        row.plan,
        row.status,
    )
