"""What a transaction leaves behind besides the ledger: audit rows, and jobs for after it commits."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, case, insert, literal, select

from app.ledger.books import AuditRow, Head, Job, SealedRow
from app.store.columns import to_micros
from app.store.sql_part import Params, SqlPart, per_database
from app.store.tables import AUDIT, AUDIT_HEAD, JOB

_A, _H, _J = AUDIT.c, AUDIT_HEAD.c, JOB.c

_ADD_AUDIT = insert(AUDIT).values(organization_id=bindparam("org"), seq=None, hash=None)
_SEALED = (
    select(AUDIT)
    .where(_A.organization_id == bindparam("org"), _A.seq > bindparam("after"))
    .order_by(_A.seq)
    .limit(bindparam("most"))
)
_HEAD = select(_H.seq, _H.hash).where(_H.organization_id == bindparam("org"))


def _enqueue(into: Any) -> Any:
    statement = into(JOB)
    asked = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[_J.organization_id, _J.kind, _J.key],
        set_={
            "payload": asked.payload,
            "want": _J.want + 1,
            # The earlier of both; a buried job starts afresh. `not_before` stays: it is somebody's Retry-After.
            "run_at": case((_J.dead_at.is_not(None) | (asked.run_at < _J.run_at), asked.run_at), else_=_J.run_at),
            "attempts": literal(0),
            "dead_at": None,
        },
    )


ENQUEUE = per_database(_enqueue)


def job_values(job: Job, organization_id: int, job_id: int) -> Params:
    """A job's columns; without a time it is due at once. organization_id: 0 for none."""
    return {
        "id": job_id,
        "organization_id": organization_id,
        "kind": job.kind,
        "key": job.key,
        "payload": dict(job.payload),
        "run_at": 0 if job.run_at is None else to_micros(job.run_at),
        "worker": "",
        "error": "",
    }


class SqlWork(SqlPart):
    """The part of `app.ledger.books.Books` about audit and jobs."""

    def audit(self, row: AuditRow) -> None:
        """See `Books`."""
        self._write(
            _ADD_AUDIT,
            {
                "id": self.new_id(),
                "kind": row.kind,
                "at": row.at,
                "subject": row.subject,
                "engineer_id": row.engineer_id,
                "body": dict(row.body),
            },
        )

    def audit_rows(self, after: int = 0, limit: int = 1_000) -> list[SealedRow]:
        """See `Books`."""
        return [
            SealedRow(row.seq, row.id, audit_of(row), row.hash) for row in self._rows(_SEALED, after=after, most=limit)
        ]

    def audit_head(self) -> Head | None:
        """See `Books`."""
        row = self._row(_HEAD)
        return Head(row.seq, row.hash) if row else None

    def enqueue(self, job: Job) -> None:
        """See `Books`."""
        self._write(ENQUEUE, job_values(job, self.organization_id, self.new_id()))


def audit_of(row: Any) -> AuditRow:
    """A row of the audit table."""
    return AuditRow(row.kind, row.at, row.subject, row.body, row.engineer_id)
