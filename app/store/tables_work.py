"""Tables of the work to be done and of what was decided: outbox, cron slots, webhooks, audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from app.store.columns import document, maybe_whole, moment, string, whole


class JobTable(SQLModel, table=True):
    """A job of the outbox; organization_id is 0 for jobs of none. Done jobs are deleted.

    run_at: when it is due. not_before: when it may be tried again at the earliest, whoever asks for it. lease: how often it was
    taken; leased_until: until when the one who took it may be at work. want: how many requests it answers.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index("job_key", "organization_id", "kind", "key", unique=True),
        Index("job_due", "run_at", sqlite_where=sql("dead_at IS NULL"), postgresql_where=sql("dead_at IS NULL")),
    )
    id: int = whole(key=True)
    organization_id: int = whole()
    kind: str = string()
    key: str = string()
    payload: dict[str, Any] = document()
    run_at: int = whole()
    not_before: int = whole(default=0)
    leased_until: int = whole(default=0)
    lease: int = whole(default=0)
    worker: str = string()
    attempts: int = whole(default=0)
    want: int = whole(default=1)
    error: str = string()
    dead_at: int | None = maybe_whole()


class SlotTable(SQLModel, table=True):
    """A cron slot somebody has claimed."""

    __tablename__ = "cron_slot"
    name: str = string(key=True)
    slot: datetime = Field(primary_key=True, sa_type=moment().sa_type)


class DeliveryTable(SQLModel, table=True):
    """A webhook by its delivery id. body: JSON text, null once retention took it."""

    __tablename__ = "delivery"
    __table_args__ = (Index("delivery_age", "received_at"),)
    guid: str = string(key=True)
    event: str = string()
    body: str | None
    received_at: datetime = moment()


class AuditTable(SQLModel, table=True):
    """One decision. seq and hash are null until it is sealed."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("audit_seq", "organization_id", "seq", unique=True),
        Index(
            "audit_unsealed",
            "organization_id",
            "id",
            sqlite_where=sql("seq IS NULL"),
            postgresql_where=sql("seq IS NULL"),
        ),
    )
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    kind: str = string()
    at: datetime = moment()
    subject: str = string()
    engineer_id: int | None = maybe_whole()
    body: dict[str, Any] = document()
    seq: int | None = maybe_whole()
    hash: str | None


class AuditHeadTable(SQLModel, table=True):
    """The end of an organization's chain: how far it goes and what the last hash is."""

    __tablename__ = "audit_head"
    organization_id: int = whole(key=True)
    seq: int = whole()
    hash: str = string()
