"""The store in a database, SQLite or PostgreSQL: `app.registry.Store`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from app.ledger.books import Head
from app.registry import EngineerToken, Organization
from app.store.audit_chain import BEFORE_THE_FIRST, sealed
from app.store.engine import Database
from app.store.ids import IdMaker
from app.store.sql_outbox import LEASE, SqlOutbox
from app.store.sql_part import per_database
from app.store.sql_registry import (
    ORGANIZATION_BY_ID,
    ORGANIZATION_LOCKED,
    TOKEN_BY_DIGEST,
    organization_of,
    token_of,
)
from app.store.sql_transaction import SqlTransaction
from app.store.sql_work import audit_of
from app.store.tables import AUDIT, AUDIT_HEAD, ORGANIZATION, SECRET

_O, _A, _H, _S = ORGANIZATION.c, AUDIT.c, AUDIT_HEAD.c, SECRET.c

_ALL = select(ORGANIZATION).order_by(_O.login, _O.id)
_BY_GITHUB = select(ORGANIZATION).where(_O.github_id == bindparam("wanted"))
_BY_INSTALLATION = select(ORGANIZATION).where(_O.installation_id == bindparam("wanted")).order_by(_O.id).limit(1)
_ADD = per_database(lambda into: into(ORGANIZATION).on_conflict_do_nothing(index_elements=[_O.github_id]))
_INSTALLED = (
    update(ORGANIZATION)
    .where(_O.github_id == bindparam("wanted"))
    .values(login=bindparam("new_login"), installation_id=bindparam("new_installation"), active=True)
)
_UNSEALED = select(AUDIT).where(_A.organization_id == bindparam("org"), _A.seq.is_(None)).order_by(_A.id).limit(1_000)
_HEAD = select(_H.seq, _H.hash).where(_H.organization_id == bindparam("org"))
_SEAL = (
    update(AUDIT)
    .where(_A.organization_id == bindparam("org"), _A.id == bindparam("row"))
    .values(seq=bindparam("number"), hash=bindparam("hashed"))
)
_SET_HEAD = (
    update(AUDIT_HEAD)
    .where(_H.organization_id == bindparam("org"))
    .values(seq=bindparam("number"), hash=bindparam("hashed"))
)
_ADD_HEAD = insert(AUDIT_HEAD).values(
    organization_id=bindparam("org"), seq=bindparam("number"), hash=bindparam("hashed")
)
_SECRET = select(_S.sealed).where(_S.name == bindparam("wanted"))


def _keep_secret(into: Any) -> Any:
    statement = into(SECRET)
    return statement.on_conflict_do_update(index_elements=[_S.name], set_={"sealed": statement.excluded.sealed})


_KEEP_SECRET = per_database(_keep_secret)


class SqlStore(SqlOutbox):
    """`app.registry.Store` on a migrated database. Make one per process, after a fork."""

    def __init__(self, url: str, lease: timedelta = LEASE) -> None:
        """Connects when first used. Raises `app.store.engine.DatabaseUrlError`."""
        super().__init__(Database(url), IdMaker(), lease)

    @contextmanager
    def open(self, organization_id: int) -> Iterator[SqlTransaction]:
        """See `Store`. Raises `UnknownOrganizationError`."""
        with self._database.writing() as db:
            yield SqlTransaction(db, organization_id, self._ids, is_sqlite=self._database.is_sqlite)

    @contextmanager
    def look(self, organization_id: int) -> Iterator[SqlTransaction]:
        """See `Store`. Raises `UnknownOrganizationError`."""
        with self._database.reading() as db:
            yield SqlTransaction(db, organization_id, self._ids, is_sqlite=self._database.is_sqlite, writes=False)

    def organizations(self) -> list[Organization]:
        """See `Store`."""
        with self._database.reading() as db:
            return [organization_of(row) for row in db.execute(_ALL)]

    def organization_by_github_id(self, github_id: int) -> Organization | None:
        """See `Store`."""
        return self._organization(_BY_GITHUB, github_id)

    def organization_by_installation(self, installation_id: int) -> Organization | None:
        """See `Store`."""
        return self._organization(_BY_INSTALLATION, installation_id)

    def register(self, github_id: int, login: str, installation_id: int) -> Organization:
        """See `Store`. A new installation makes it active again."""
        new = {
            "id": self._ids.next(),
            "github_id": github_id,
            "login": login,
            "installation_id": installation_id,
            "active": True,
            "timezone": "UTC",
            "paused": False,
        }
        change = {"wanted": github_id, "new_login": login, "new_installation": installation_id}
        with self._database.writing() as db:
            if db.execute(self._pick(_ADD), new).rowcount == 0:
                db.execute(_INSTALLED, change)
            return organization_of(db.execute(_BY_GITHUB, {"wanted": github_id}).one())

    def seal_audit(self, organization_id: int, key: bytes) -> int:
        """See `Store`. At most a thousand rows a transaction, so that nobody waits long."""
        count = 0
        while True:
            done = self._seal_some(organization_id, key)
            count += done
            if done < 1_000:
                return count

    def keep_secret(self, name: str, sealed: bytes) -> None:
        """See `Store`."""
        with self._database.writing() as db:
            db.execute(self._pick(_KEEP_SECRET), {"name": name, "sealed": sealed})

    def secret(self, name: str) -> bytes | None:
        """See `Store`."""
        with self._database.reading() as db:
            row = db.execute(_SECRET, {"wanted": name}).first()
        return bytes(row.sealed) if row else None

    def engineer_token(self, digest: str) -> EngineerToken | None:
        """See `Store`."""
        with self._database.reading() as db:
            row = db.execute(TOKEN_BY_DIGEST, {"wanted": digest}).first()
        return token_of(row) if row else None

    def ping(self) -> None:
        """See `Store`."""
        with self._database.reading() as db:
            db.execute(_HEAD, {"org": 0}).first()

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def _organization(self, statement: Any, wanted: int) -> Organization | None:
        with self._database.reading() as db:
            row = db.execute(statement, {"wanted": wanted}).first()
        return organization_of(row) if row else None

    def _seal_some(self, organization_id: int, key: bytes) -> int:
        org = {"org": organization_id}
        with self._database.writing() as db:
            db.execute(ORGANIZATION_BY_ID if self._database.is_sqlite else ORGANIZATION_LOCKED, org).first()
            rows = db.execute(_UNSEALED, org).all()
            if not rows:
                return 0
            found = db.execute(_HEAD, org).first()
            head = Head(found.seq, found.hash) if found else Head(0, BEFORE_THE_FIRST)
            chained = []
            for row in rows:
                link = sealed(head.hash, head.seq + 1, row.id, audit_of(row), key)
                head = Head(link.seq, link.hash)
                chained.append({**org, "row": row.id, "number": link.seq, "hashed": link.hash})
            db.execute(_SEAL, chained)
            db.execute(_SET_HEAD if found else _ADD_HEAD, {**org, "number": head.seq, "hashed": head.hash})
        return len(rows)
