"""One transaction on one organization in a database: the parts put together, the organization read and locked first."""

from __future__ import annotations

from sqlalchemy import Connection

from app.store.ids import IdMaker
from app.store.sql_breakers import SqlBreakers
from app.store.sql_budgets import SqlBudgets
from app.store.sql_causes import SqlCauses
from app.store.sql_evidence import SqlEvidence
from app.store.sql_gauges import SqlGauges
from app.store.sql_governed import SqlGoverned
from app.store.sql_pull_requests import SqlPullRequests
from app.store.sql_registry import ORGANIZATION_BY_ID, ORGANIZATION_LOCKED, SqlRegistry, organization_of
from app.store.sql_session_gauges import SqlSessionGauges
from app.store.sql_sessions import SqlSessions
from app.store.sql_slack import SqlSlack
from app.store.sql_tab_sessions import SqlTabSessions
from app.store.sql_threads import SqlThreads
from app.store.sql_usage import SqlUsage
from app.store.sql_work import SqlWork


class UnknownOrganizationError(LookupError):
    """No organization has this id."""


class SqlTransaction(
    SqlWork,
    SqlRegistry,
    SqlSlack,
    SqlPullRequests,
    SqlBudgets,
    SqlCauses,
    SqlBreakers,
    SqlGoverned,
    SqlGauges,
    SqlSessionGauges,
    SqlThreads,
    SqlSessions,
    SqlTabSessions,
    SqlEvidence,
    SqlUsage,
):
    """`app.registry.Transaction` on an open connection."""

    def __init__(
        self, db: Connection, organization_id: int, ids: IdMaker, *, is_sqlite: bool, writes: bool = True
    ) -> None:
        """Read the organization; a writer on PostgreSQL locks its row, so that its writers come one after another.

        Raises `UnknownOrganizationError`.
        """
        super().__init__(db, organization_id, ids, is_sqlite=is_sqlite, writes=writes)
        row = self._row(ORGANIZATION_LOCKED if writes and not is_sqlite else ORGANIZATION_BY_ID)
        if row is None:
            raise UnknownOrganizationError(f"no organization {organization_id}")
        self._organization = organization_of(row)
        self.timezone = self._organization.timezone
