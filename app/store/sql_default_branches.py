"""Branches that were repositories' default ones, in a database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select

from app.store.sql_part import SqlPart, per_database
from app.store.tables import FORMER_DEFAULT

_F = FORMER_DEFAULT.c
_KEY = (_F.organization_id, _F.repository_id, _F.branch)
_OF_REPOSITORY = (_F.organization_id == bindparam("org"), _F.repository_id == bindparam("repository"))

_FORMER = select(_F.branch, _F.ended_at).where(*_OF_REPOSITORY)
_FORGET = delete(FORMER_DEFAULT).where(*_OF_REPOSITORY, _F.branch == bindparam("again"))


def _keep(into: Any) -> Any:
    statement = into(FORMER_DEFAULT).values(organization_id=bindparam("org"))
    told = statement.excluded.ended_at
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_={"ended_at": told}, where=told < _F.ended_at)


_KEEP = per_database(_keep)


class SqlDefaultBranches(SqlPart):
    """The part of `app.registry.Registry` about default branches of before."""

    def former_defaults(self, repository_id: int) -> dict[str, datetime]:
        """See `Registry`."""
        return {row.branch: row.ended_at for row in self._rows(_FORMER, repository=repository_id)}

    def keep_former_default(self, repository_id: int, branch: str, ended_at: datetime) -> None:
        """See `Registry`."""
        self._write(_KEEP, {"repository_id": repository_id, "branch": branch, "ended_at": ended_at})

    def _is_default_again(self, repository_id: int, branch: str) -> None:
        self._write(_FORGET, {"repository": repository_id, "again": branch})
