"""Remembered breakers and what sessions told of them, in a database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, insert, select

from app.store.columns import from_micros, to_micros
from app.store.sql_part import AnyRow, SqlPart, per_database
from app.store.tables import BREAKER, BREAKER_TRIP, NEED, ORGANIZATION
from tabstop.breaker_memory import BreakerMetric, RememberedBreaker, Trip
from tabstop.budget import Amount
from tabstop.wire import BreakerTrip

_B, _T, _N = BREAKER.c, BREAKER_TRIP.c, NEED.c
_KEY = (_B.organization_id, _B.repository_id, _B.agent)

_ALL = select(BREAKER).where(_B.organization_id == bindparam("org")).order_by(_B.repository_id, _B.agent)
_OF_REPOSITORY = _ALL.where(_B.repository_id == bindparam("repository"))


def _one(table: Table) -> ColumnElement[bool]:
    return and_(
        table.c.organization_id == bindparam("org"),
        table.c.repository_id == bindparam("repository"),
        table.c.agent == bindparam("of_agent"),
    )


# Either row may be missing, so both are joined to one that never is.
_LEARNED = (
    select(_N.nano, _N.tokens, *BREAKER.columns)
    .select_from(ORGANIZATION.outerjoin(NEED, _one(NEED)).outerjoin(BREAKER, _one(BREAKER)))
    .where(ORGANIZATION.c.id == bindparam("org"))
)
_TRIPS = (
    select(BREAKER_TRIP)
    .where(_T.organization_id == bindparam("org"), _T.session_id == bindparam("session"))
    .order_by(_T.occurred_at, _T.metric)
)
_ADD_TRIP = insert(BREAKER_TRIP).values(organization_id=bindparam("org"))


def _keep(into: Any) -> Any:
    statement = into(BREAKER).values(organization_id=bindparam("org"))
    changed = {c.name: statement.excluded[c.name] for c in BREAKER.columns if c.name not in {k.name for k in _KEY}}
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=changed)


_KEEP = per_database(_keep)
_NO_TRIP = {"session_id": "", "metric": "", "subject": "", "value": 0, "threshold": 0, "tripped_at": None}


class SqlBreakers(SqlPart):
    """The part of `app.ledger.books.Books` about breakers."""

    def learned(self, repository_id: int, agent: str) -> tuple[Amount | None, RememberedBreaker]:
        """See `Books`."""
        row = self._read(_LEARNED, repository=repository_id, of_agent=agent).one()
        return None if row.nano is None else Amount(row.nano, row.tokens), _breaker(row)

    def keep_breaker(self, repository_id: int, agent: str, breaker: RememberedBreaker) -> None:
        """See `Books`."""
        self._write(
            _KEEP,
            {
                "repository_id": repository_id,
                "agent": agent,
                "open_until": breaker.open_until,
                "probe": breaker.probe,
                "closed_at": breaker.closed_at,
                **(_trip_columns(breaker.trip) if breaker.trip else _NO_TRIP),
            },
        )

    def breakers(self, repository_id: int | None = None) -> dict[tuple[int, str], RememberedBreaker]:
        """See `Books`."""
        rows = self._rows(_ALL) if repository_id is None else self._rows(_OF_REPOSITORY, repository=repository_id)
        return {(row.repository_id, row.agent): _breaker(row) for row in rows}

    def trips_of(self, session_id: str) -> list[BreakerTrip]:
        """See `Books`."""
        return [
            BreakerTrip(BreakerMetric(row.metric), row.value, row.threshold, from_micros(row.occurred_at), row.subject)
            for row in self._rows(_TRIPS, session=session_id)
        ]

    def add_trip(self, session_id: str, trip: BreakerTrip) -> None:
        """See `Books`."""
        self._write(
            _ADD_TRIP,
            {
                "session_id": session_id,
                "metric": trip.metric.value,
                "occurred_at": to_micros(trip.occurred_at),
                "subject": trip.subject,
                "value": trip.value,
                "threshold": trip.threshold,
            },
        )


def _trip_columns(trip: Trip) -> dict[str, Any]:
    return {
        "session_id": trip.session,
        "metric": trip.metric.value,
        "subject": trip.subject,
        "value": trip.value,
        "threshold": trip.threshold,
        "tripped_at": trip.at,
    }


def _breaker(row: AnyRow) -> RememberedBreaker:
    if row.open_until is None:
        return RememberedBreaker(closed_at=row.closed_at)
    trip = Trip(row.session_id, BreakerMetric(row.metric), row.subject, row.value, row.threshold, row.tripped_at)
    return RememberedBreaker(trip, row.open_until, row.probe, row.closed_at)
