"""The outbox in a database: jobs taken, done, retried and buried; webhooks remembered; cron slots claimed.

A job is leased, not removed, when it is taken: a worker that is killed leaves it behind, and its lease runs out. Only
the latest lease may end a job. `want` counts requests, so that one that arrives while the job runs makes it run again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, delete, literal, select, update

from app.ledger.books import Job
from app.registry import WaitingJob
from app.store.columns import to_micros
from app.store.engine import Database
from app.store.ids import IdMaker
from app.store.sql_part import PerDatabase, per_database
from app.store.sql_work import ENQUEUE, job_values
from app.store.tables import ATTEMPT, DELIVERY, EARLIER_GAUGE, GAUGE, JOB, SESSION_EVENT, SLOT
from tabstop.gauge import LONGEST_WINDOW

LEASE = timedelta(seconds=60)
"""How long a worker may be at one job before another takes it over."""

KEEP_SLOTS = timedelta(days=2)
"""How long claimed cron slots are kept: longer than the longest period (a day). Each posted tab claims one in five seconds."""

KEEP_EVENTS = timedelta(days=90)
"""How long what sessions told of their governors is kept; what mattered of it is in the audit log."""

KEEP_GAUGES = LONGEST_WINDOW
"""How long a reading of a vendor's window is kept: by then every window has begun anew."""

NO_ORGANIZATION = 0
"""Stored in place of an organization, so that kind and key stay unique without one."""

_J, _D = JOB.c, DELIVERY.c

_DUE: Select[Any] = (
    select(JOB)
    .where(
        _J.dead_at.is_(None),
        _J.run_at <= bindparam("now"),
        _J.not_before <= bindparam("now"),
        _J.leased_until <= bindparam("now"),
    )
    .order_by(_J.id)
    .limit(1)
)
_TAKE_ONE = _DUE.with_for_update(skip_locked=True)
_LEASE = (
    update(JOB)
    .where(_J.id == bindparam("job"))
    .values(leased_until=bindparam("until"), worker=bindparam("by"), lease=_J.lease + 1, attempts=_J.attempts + 1)
)
_MINE = (_J.id == bindparam("job"), _J.lease == bindparam("my_lease"))
_DONE = delete(JOB).where(*_MINE, _J.want == bindparam("answered"))
_AGAIN = update(JOB).where(*_MINE).values(leased_until=0, not_before=0, attempts=0, error="")
_RETRY = update(JOB).where(*_MINE).values(leased_until=0, run_at=bindparam("at"), error=bindparam("why"))
_RETRY_FIRMLY = _RETRY.values(not_before=bindparam("at"))
_BURY = (
    update(JOB)
    .where(*_MINE, _J.want == bindparam("answered"))
    .values(leased_until=0, dead_at=bindparam("at"), error=bindparam("why"))
)
_DEAD = select(JOB).where(_J.dead_at.is_not(None)).order_by(_J.dead_at.desc())

_CLAIM = per_database(
    lambda into: (
        into(SLOT).values(name=bindparam("of"), slot=bindparam("at", type_=SLOT.c.slot.type)).on_conflict_do_nothing()
    )
)
_CLAIMED = select(SLOT.c.slot).where(
    SLOT.c.name == bindparam("of"), SLOT.c.slot == bindparam("at", type_=SLOT.c.slot.type)
)
_KEEP_DELIVERY = per_database(lambda into: into(DELIVERY).on_conflict_do_nothing())
_DELIVERY = select(_D.event, _D.body).where(_D.guid == bindparam("wanted"))
_AGE = bindparam("before", type_=_D.received_at.type)
_DROP_BODIES = (
    update(DELIVERY).where(_D.received_at < _AGE, _D.body.is_not(None)).values(body=literal(None, _D.body.type))
)
_DROP_DELIVERIES = delete(DELIVERY).where(_D.received_at < _AGE)
_DROP_ATTEMPTS = delete(ATTEMPT).where(ATTEMPT.c.at < _AGE)
_DROP_SLOTS = delete(SLOT).where(SLOT.c.slot < _AGE)
_DROP_GAUGES = [delete(table).where(table.c.observed_at < _AGE) for table in (GAUGE, EARLIER_GAUGE)]
_DROP_EVENTS = delete(SESSION_EVENT).where(SESSION_EVENT.c.occurred_at < bindparam("before"))


class SqlOutbox:
    """The part of `app.registry.Store` about work that waits."""

    def __init__(self, database: Database, ids: IdMaker, lease: timedelta = LEASE) -> None:
        """Work on a database that is migrated."""
        self._database = database
        self._ids = ids
        self._lease = lease

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """See `Store`."""
        values = [job_values(job, NO_ORGANIZATION, self._ids.next()) for job in jobs]
        with self._database.writing() as db:
            for one in values:
                db.execute(self._pick(ENQUEUE), one)

    def take_job(self, worker: str, now: datetime) -> WaitingJob | None:
        """See `Store`."""
        due = {"now": to_micros(now)}
        if self._database.is_sqlite:  # do not queue with the writers only to find nothing
            with self._database.reading() as db:
                if db.execute(_DUE, due).first() is None:
                    return None
        with self._database.writing() as db:
            row = db.execute(_TAKE_ONE, due).first()
            if row is None:
                return None
            db.execute(_LEASE, {"job": row.id, "until": to_micros(now + self._lease), "by": worker})
        return _waiting(row, attempts=row.attempts + 1, lease=row.lease + 1)

    def finish_job(self, job: WaitingJob, now: datetime) -> None:  # noqa: ARG002 - what is due again is due at once
        """See `Store`."""
        mine = {"job": job.id, "my_lease": job.lease}
        with self._database.writing() as db:
            if db.execute(_DONE, {**mine, "answered": job.want}).rowcount == 0:
                db.execute(_AGAIN, mine)

    def retry_job(self, job: WaitingJob, at: datetime, error: str, *, firm: bool = False) -> None:
        """See `Store`."""
        again = _RETRY_FIRMLY if firm else _RETRY
        with self._database.writing() as db:
            db.execute(again, {"job": job.id, "my_lease": job.lease, "at": to_micros(at), "why": error[:2000]})

    def bury_job(self, job: WaitingJob, error: str, now: datetime) -> None:
        """See `Store`. Asked for again while it ran, it is due again instead."""
        mine = {"job": job.id, "my_lease": job.lease}
        buried = {**mine, "answered": job.want, "at": to_micros(now), "why": error[:2000]}
        with self._database.writing() as db:
            if db.execute(_BURY, buried).rowcount == 0:
                db.execute(_AGAIN, mine)

    def dead_jobs(self) -> list[tuple[WaitingJob, str]]:
        """See `Store`."""
        with self._database.reading() as db:
            return [(_waiting(row, row.attempts, row.lease), row.error) for row in db.execute(_DEAD)]

    def claim_slot(self, name: str, slot: datetime) -> bool:
        """See `Store`."""
        claim = {"of": name, "at": slot}
        with self._database.reading() as db:  # asked twice a second by every worker
            if db.execute(_CLAIMED, claim).first():
                return False
        with self._database.writing() as db:
            return db.execute(self._pick(_CLAIM), claim).rowcount == 1

    def keep_delivery(self, guid: str, event: str, body: Mapping[str, Any], now: datetime) -> bool:
        """See `Store`. The job is `delivery`, its key and payload the GUID."""
        values = {"guid": guid, "event": event, "body": json.dumps(body), "received_at": now}
        job = job_values(delivery_job(guid), NO_ORGANIZATION, self._ids.next())
        with self._database.writing() as db:
            new = db.execute(self._pick(_KEEP_DELIVERY), values).rowcount == 1
            if new:
                db.execute(self._pick(ENQUEUE), job)
        return new

    def delivery(self, guid: str) -> tuple[str, Mapping[str, Any]] | None:
        """See `Store`."""
        with self._database.reading() as db:
            row = db.execute(_DELIVERY, {"wanted": guid}).first()
        return (row.event, json.loads(row.body)) if row and row.body is not None else None

    def remove_old(self, now: datetime, bodies_days: int, deliveries_days: int) -> int:
        """See `Store`. Answers to starts go with the delivery ids; cron slots, sessions' events and gauges after times of their own."""
        bodies, deliveries = now - timedelta(days=bodies_days), now - timedelta(days=deliveries_days)
        with self._database.writing() as db:
            gone = db.execute(_DROP_DELIVERIES, {"before": deliveries}).rowcount
            gone += db.execute(_DROP_BODIES, {"before": bodies}).rowcount
            gone += db.execute(_DROP_ATTEMPTS, {"before": deliveries}).rowcount
            db.execute(_DROP_SLOTS, {"before": now - KEEP_SLOTS})
            db.execute(_DROP_EVENTS, {"before": to_micros(now - KEEP_EVENTS)})
            for drop in _DROP_GAUGES:
                db.execute(drop, {"before": now - KEEP_GAUGES})
        return gone

    def _pick(self, statement: PerDatabase) -> Any:
        return statement.sqlite if self._database.is_sqlite else statement.postgresql


def delivery_job(guid: str) -> Job:
    """The job that handles a webhook."""
    return Job("delivery", guid, {"guid": guid})


def _waiting(row: Any, attempts: int, lease: int) -> WaitingJob:
    return WaitingJob(
        id=row.id,
        organization_id=row.organization_id or None,
        kind=row.kind,
        key=row.key,
        payload=row.payload,
        attempts=attempts,
        want=row.want,
        lease=lease,
    )
