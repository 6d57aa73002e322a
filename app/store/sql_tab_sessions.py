"""The sessions of a tab, and what each spent there, in a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select

from app.ledger.books import SessionChange, SessionRow
from app.store.sql_part import SqlPart, per_database
from app.store.sql_sessions import session_of
from app.store.tables import SESSION, TAB_SESSION
from tabstop.budget import Amount

_S, _T = SESSION.c, TAB_SESSION.c

_NEWEST = (_S.admitted_at.desc(), _S.id.desc())
_SPENDS = or_(_T.spent_nano != 0, _T.spent_tokens != 0, _T.notional != 0, _T.unknown_usages != 0)

_BEGAN = (
    select(SESSION)
    .where(_S.organization_id == bindparam("org"), _S.tab_id == bindparam("tab"))
    .order_by(*_NEWEST)
    .limit(bindparam("most"))
)
_STRAYED_TO = and_(
    _T.organization_id == bindparam("org"),
    _T.tab_id == bindparam("tab"),
    _SPENDS,
    or_(_S.tab_id.is_(None), _S.tab_id != bindparam("tab")),
)
_BOTH = TAB_SESSION.join(SESSION, and_(_S.organization_id == _T.organization_id, _S.id == _T.session_id))
_STRAYED = select(SESSION).select_from(_BOTH).where(_STRAYED_TO).order_by(*_NEWEST).limit(bindparam("most"))
_COUNT_BEGAN = select(func.count()).where(_S.organization_id == bindparam("org"), _S.tab_id == bindparam("tab"))
_COUNT_STRAYED = select(func.count()).select_from(_BOTH).where(_STRAYED_TO)
_SHARES = select(TAB_SESSION).where(
    _T.organization_id == bindparam("org"),
    _T.tab_id == bindparam("tab"),
    _T.session_id.in_(bindparam("sessions", expanding=True)),
)
_ALL_SHARES = select(TAB_SESSION).where(_T.organization_id == bindparam("org"))


def _add(into: Any) -> Any:
    statement = into(TAB_SESSION).values(organization_id=bindparam("org"))
    return statement.on_conflict_do_update(
        index_elements=[_T.organization_id, _T.tab_id, _T.session_id],
        set_={
            name: _T[name] + statement.excluded[name]
            for name in ("spent_nano", "spent_tokens", "notional", "unknown_usages")
        },
    )


_ADD = per_database(_add)


class SqlTabSessions(SqlPart):
    """The part of `app.registry.Transaction` about a tab's sessions."""

    def sessions_of_tab(self, tab_id: int, limit: int = 50) -> list[SessionRow]:
        """See `Registry`."""
        rows = [*self._rows(_BEGAN, tab=tab_id, most=limit), *self._rows(_STRAYED, tab=tab_id, most=limit)]
        found = sorted(map(session_of, rows), key=lambda one: (one.admitted_at, one.id), reverse=True)[:limit]
        shares = {row.session_id: _share(row) for row in self._shares(tab_id, found)}
        return [with_share(session, shares.get(session.id)) for session in found]

    def count_sessions_of_tab(self, tab_id: int) -> int:
        """See `Registry`."""
        return sum(int(self._read(which, tab=tab_id).scalar_one()) for which in (_COUNT_BEGAN, _COUNT_STRAYED))

    def add_to_tabs(self, changes: Mapping[tuple[int, str], SessionChange]) -> None:
        """See `Books`."""
        self._write(
            _ADD,
            [
                {
                    "tab_id": tab_id,
                    "session_id": session_id,
                    "spent_nano": change.spent.nano,
                    "spent_tokens": change.spent.tokens,
                    "notional": change.notional,
                    "unknown_usages": change.unknown_usages,
                }
                for (tab_id, session_id), change in sorted(changes.items())
            ],
        )

    def all_tab_shares(self) -> dict[tuple[int, str], SessionChange]:
        """See `Books`."""
        return {(row.tab_id, row.session_id): _share(row) for row in self._rows(_ALL_SHARES)}

    def _shares(self, tab_id: int, sessions: list[SessionRow]) -> Any:
        return self._rows(_SHARES, tab=tab_id, sessions=[one.id for one in sessions]) if sessions else ()


def with_share(session: SessionRow, share: SessionChange | None) -> SessionRow:
    """The session with what it spent on one tab in place of all it spent."""
    share = share or SessionChange()
    part = replace(session, spent=share.spent, notional=share.notional, unknown_usages=share.unknown_usages)
    return replace(part, elsewhere=part != session)


def _share(row: Any) -> SessionChange:
    return SessionChange(Amount(row.spent_nano, row.spent_tokens), row.notional, row.unknown_usages)
