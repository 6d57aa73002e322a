"""Which session a vendor's own thread is, in a database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from app.store.sql_part import SqlPart, per_database
from app.store.tables import SESSION_THREAD

_T = SESSION_THREAD.c
_KEY = (_T.organization_id, _T.engineer_id, _T.agent, _T.thread)

_SESSION = select(_T.session_id).where(
    _T.organization_id == bindparam("org"),
    _T.engineer_id == bindparam("engineer"),
    _T.agent == bindparam("of_agent"),
    _T.thread == bindparam("named"),
)


def _keep(into: Any) -> Any:
    statement = into(SESSION_THREAD).values(organization_id=bindparam("org"))
    changed = {"session_id": statement.excluded.session_id}
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=changed)


_KEEP = per_database(_keep)


class SqlThreads(SqlPart):
    """The part of `app.ledger.books.Books` about vendors' threads."""

    def session_of_thread(self, engineer_id: int, agent: str, thread: str) -> str | None:
        """See `Books`."""
        row = self._row(_SESSION, engineer=engineer_id, of_agent=agent, named=thread)
        return row.session_id if row else None

    def keep_thread(self, engineer_id: int, agent: str, thread: str, session_id: str) -> None:
        """See `Books`."""
        self._write(_KEEP, {"engineer_id": engineer_id, "agent": agent, "thread": thread, "session_id": session_id})
