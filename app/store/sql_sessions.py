"""Tabs, places, sessions and the starts asked for, in a database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, insert, or_, select, update

from app.ledger.books import Place, SessionChange, SessionRow, StartAttempt, Tab
from app.store.sql_part import SqlPart, per_database
from app.store.tables import ATTEMPT, NEED, PLACE, SESSION, TAB
from tabstop.budget import Amount
from tabstop.session import SessionOutcome
from tabstop.usage import Billing

NEVER = datetime.max.replace(tzinfo=UTC)

_T, _P, _S, _A, _N = TAB.c, PLACE.c, SESSION.c, ATTEMPT.c, NEED.c

_OF_BRANCH = select(TAB).where(
    _T.organization_id == bindparam("org"),
    _T.repository_id == bindparam("repository"),
    _T.branch == bindparam("name"),
)
_TAB = select(TAB).where(_T.organization_id == bindparam("org"), _T.id == bindparam("tab"))
_ADD_TAB = insert(TAB).values(organization_id=bindparam("org"))
_END_TAB = (
    update(TAB)
    .where(_T.organization_id == bindparam("org"), _T.id == bindparam("tab"))
    .where(or_(_T.ended_at.is_(None), _T.ended_at < bindparam("at", type_=_T.ended_at.type)))
    .values(ended_at=bindparam("at", type_=_T.ended_at.type))
)
_REOPEN_TAB = update(TAB).where(_T.organization_id == bindparam("org"), _T.id == bindparam("tab")).values(ended_at=None)
_PLACE_ID = select(_P.id).where(_P.organization_id == bindparam("org"), _P.digest == bindparam("digested"))
_ADD_PLACE = insert(PLACE).values(organization_id=bindparam("org"))
_PLACES = select(PLACE).where(_P.organization_id == bindparam("org"), _P.id.in_(bindparam("ids", expanding=True)))
_ALL_PLACES = select(PLACE).where(_P.organization_id == bindparam("org"))

_BY_KEY_OR_TOKEN = select(ATTEMPT).where(
    _A.organization_id == bindparam("org"), (_A.key == bindparam("wanted")) | (_A.token_id == bindparam("token"))
)
_BY_KEY = select(ATTEMPT).where(_A.organization_id == bindparam("org"), _A.key == bindparam("wanted"))
_ADD_ATTEMPT = insert(ATTEMPT).values(organization_id=bindparam("org"))

_SESSIONS = select(SESSION).where(_S.organization_id == bindparam("org"))
_SESSION = _SESSIONS.where(_S.id == bindparam("session"))
_LIVE = _SESSIONS.where(_S.ended_at.is_(None)).order_by(_S.id)
_LIVE_OF_RUN = _LIVE.where(_S.run_id == bindparam("run"))
_SILENT = _LIVE.where(_S.lease_until < bindparam("at", type_=_S.lease_until.type))
_ALL_SESSIONS = _SESSIONS.order_by(_S.admitted_at, _S.id)
_NEEDS_OF_ENDED = (
    select(_S.spent_nano + _S.notional, _S.spent_tokens)
    .where(
        _S.organization_id == bindparam("org"),
        _S.repository_id == bindparam("repository"),
        _S.agent == bindparam("of_agent"),
        _S.ended_at.is_not(None),
        _S.spent_tokens > 0,
    )
    .order_by(_S.ended_at.desc(), _S.id.desc())
    .limit(bindparam("most"))
)
_TOTALS = {"spent_nano", "spent_tokens", "notional", "unknown_usages", "iterations", "tool_calls"}
_ADD_SESSION = insert(SESSION).values(organization_id=bindparam("org"))
_CHANGE_SESSION = (
    update(SESSION)
    .where(_S.organization_id == bindparam("org"), _S.id == bindparam("session"))
    .values(
        {
            c.name: bindparam(f"new_{c.name}", type_=c.type)
            for c in SESSION.columns
            if c.name not in {"organization_id", "id", *_TOTALS}
        }
    )
)
_ADD_TO_SESSION = (
    update(SESSION)
    .where(_S.organization_id == bindparam("org"), _S.id == bindparam("session"))
    .values({name: _S[name] + bindparam(f"add_{name}") for name in sorted(_TOTALS)})
)


def _remember(into: Any) -> Any:
    statement = into(NEED).values(organization_id=bindparam("org"))
    return statement.on_conflict_do_update(
        index_elements=[_N.organization_id, _N.repository_id, _N.agent],
        set_={"nano": statement.excluded.nano, "tokens": statement.excluded.tokens},
    )


_REMEMBER = per_database(_remember)


class SqlSessions(SqlPart):
    """The part of `app.ledger.books.Books` about tabs, places, starts and sessions."""

    def attempt(self, key: str, token_id: str) -> StartAttempt | None:
        """See `Books`."""
        rows = self._rows(_BY_KEY_OR_TOKEN, wanted=key, token=token_id) if token_id else self._rows(_BY_KEY, wanted=key)
        found = [
            StartAttempt(row.key, row.token_id or "", row.answer, row.status, row.at, row.session_id) for row in rows
        ]
        return min(found, key=lambda attempt: attempt.key != key, default=None)

    def add_attempt(self, attempt: StartAttempt) -> None:
        """See `Books`."""
        self._write(
            _ADD_ATTEMPT,
            {
                "key": attempt.key,
                "token_id": attempt.token_id or None,
                "answer": attempt.answer,
                "status": attempt.status,
                "at": attempt.at,
                "session_id": attempt.session_id,
            },
        )

    def open_tab(self, repository_id: int, branch: str, now: datetime) -> Tab:  # noqa: ARG002 - ids tell the time
        """See `Books`."""
        tabs = self.generations(repository_id, branch)
        if tabs and tabs[-1].ended_at is None:
            return tabs[-1]
        return self._add_tab(tabs, Tab(self.new_id(), repository_id, branch, 0))

    def past_tab(self, repository_id: int, branch: str, ended_at: datetime) -> Tab:
        """See `Books`."""
        tabs = self.generations(repository_id, branch)
        return self._add_tab(tabs, Tab(self.new_id(), repository_id, branch, 0, ended_at))

    def _add_tab(self, others: Sequence[Tab], tab: Tab) -> Tab:
        tab = replace(tab, generation=1 + max((other.generation for other in others), default=0))
        self._write(_ADD_TAB, asdict(tab))
        return tab

    def reopen_tab(self, repository_id: int, branch: str, now: datetime) -> Tab:
        """See `Books`."""
        tabs = self.generations(repository_id, branch)
        if not tabs:
            return self.open_tab(repository_id, branch, now)
        if tabs[-1].ended_at is not None:
            self._write(_REOPEN_TAB, {"tab": tabs[-1].id})
        return replace(tabs[-1], ended_at=None)

    def end_tab(self, tab_id: int, now: datetime) -> None:
        """See `Books`."""
        self._write(_END_TAB, {"tab": tab_id, "at": now})

    def generations(self, repository_id: int, branch: str) -> list[Tab]:
        """See `Books`."""
        return by_life(_tab(row) for row in self._rows(_OF_BRANCH, repository=repository_id, name=branch))

    def tab(self, tab_id: int) -> Tab | None:
        """See `Registry`."""
        row = self._row(_TAB, tab=tab_id)
        return _tab(row) if row else None

    def tab_of_branch(self, repository_id: int, branch: str) -> Tab | None:
        """See `Registry`."""
        tabs = self.generations(repository_id, branch)
        return tabs[-1] if tabs and tabs[-1].ended_at is None else None

    def place_id(self, place: Place) -> int:
        """See `Books`."""
        digest = place_digest(place)
        row = self._row(_PLACE_ID, digested=digest)
        if row:
            return int(row.id)
        values = {field.name: getattr(place, field.name) for field in fields(place)}
        place_id = self.new_id()
        self._write(_ADD_PLACE, {**values, "id": place_id, "digest": digest, "budget_ids": list(place.budget_ids)})
        return place_id

    def places(self, ids: Iterable[int]) -> dict[int, Place]:
        """See `Books`."""
        wanted = sorted(set(ids))
        return {row.id: _place(row) for row in self._rows(_PLACES, ids=wanted)} if wanted else {}

    def all_places(self) -> dict[int, Place]:
        """See `Books`."""
        return {row.id: _place(row) for row in self._rows(_ALL_PLACES)}

    def session(self, session_id: str) -> SessionRow | None:
        """See `Books`."""
        row = self._row(_SESSION, session=session_id)
        return session_of(row) if row else None

    def live_sessions(self, *, run_id: str = "", silent_at: datetime | None = None) -> list[SessionRow]:
        """See `Books`."""
        if run_id:
            found = [session_of(row) for row in self._rows(_LIVE_OF_RUN, run=run_id)]
            return [s for s in found if silent_at is None or s.lease_until < silent_at]
        rows = self._rows(_LIVE) if silent_at is None else self._rows(_SILENT, at=silent_at)
        return [session_of(row) for row in rows]

    def all_sessions(self) -> list[SessionRow]:
        """See `Books`."""
        return [session_of(row) for row in self._rows(_ALL_SESSIONS)]

    def add_session(self, session: SessionRow) -> None:
        """See `Books`."""
        totals = {
            "spent_nano": session.spent.nano,
            "spent_tokens": session.spent.tokens,
            "notional": session.notional,
            "unknown_usages": session.unknown_usages,
            "iterations": session.iterations,
            "tool_calls": session.tool_calls,
        }
        self._write(_ADD_SESSION, {"id": session.id, **_values(session), **totals})

    def change_session(self, session: SessionRow) -> None:
        """See `Books`."""
        values = {f"new_{name}": value for name, value in _values(session).items()}
        self._write(_CHANGE_SESSION, {"session": session.id, **values})

    def add_to_sessions(self, changes: Mapping[str, SessionChange]) -> None:
        """See `Books`."""
        nothing = SessionChange()
        self._write(
            _ADD_TO_SESSION,
            [
                {
                    "session": session_id,
                    "add_spent_nano": change.spent.nano,
                    "add_spent_tokens": change.spent.tokens,
                    "add_notional": change.notional,
                    "add_unknown_usages": change.unknown_usages,
                    "add_iterations": change.iterations,
                    "add_tool_calls": change.tool_calls,
                }
                for session_id, change in sorted(changes.items())
                if change != nothing
            ],
        )

    def recent_needs(self, repository_id: int, agent: str, count: int) -> list[Amount]:
        """See `Books`."""
        rows = self._rows(_NEEDS_OF_ENDED, repository=repository_id, of_agent=agent, most=count)
        return [Amount(row[0], row[1]) for row in rows]

    def remember_need(self, repository_id: int, agent: str, needed: Amount) -> None:
        """See `Books`."""
        values = {"repository_id": repository_id, "agent": agent, "nano": needed.nano, "tokens": needed.tokens}
        self._write(_REMEMBER, values)


def place_digest(place: Place) -> str:
    """The same for the same place, different for different ones."""
    text = json.dumps([getattr(place, field.name) for field in fields(place)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def by_life(tabs: Iterable[Tab]) -> list[Tab]:
    """Those that have ended, in that order, then the open one."""
    return sorted(tabs, key=lambda tab: (tab.ended_at or NEVER, tab.generation))


def _tab(row: Any) -> Tab:
    return Tab(row.id, row.repository_id, row.branch, row.generation, row.ended_at)


def _place(row: Any) -> Place:
    return Place(
        row.tab_id,
        row.repository_id,
        row.engineer_id,
        row.counts_notional,
        row.reason,
        row.confidence,
        tuple(row.budget_ids),
    )


_SAME = (
    "repository_id",
    "engineer_id",
    "tab_id",
    "place_id",
    "agent",
    "admitted_at",
    "lease_until",
    "heard_at",
    "ended_at",
    "detail",
    "model",
    "purpose",
    "billing_evidence",
    "enforcement",
    "run_id",
    "run_attempt",
    "job_id",
    "head_sha",
    "pull_request",
    "policy_commit",
    "paused_at",
    "stood_seconds",
    "has_evidence",
    "ended_on",
    "assigned_place",
)
"""Fields of `SessionRow` that are columns of the same name and type."""


def _values(session: SessionRow) -> dict[str, Any]:
    """Every column but the key and the totals."""
    return {
        **{name: getattr(session, name) for name in _SAME},
        "held_nano": session.held.nano,
        "held_tokens": session.held.tokens,
        "wanted_nano": session.wanted.nano,
        "wanted_tokens": session.wanted.tokens,
        "outcome": session.outcome.value if session.outcome else "",
        "billing": session.billing.value,
        "limits": dict(session.limits),
        "earlier_places": list(session.earlier_places),
        "unadmitted": session.unadmitted,
    }


def session_of(row: Any) -> SessionRow:
    """A row of the session table."""
    return SessionRow(
        id=row.id,
        **{name: getattr(row, name) for name in _SAME},
        held=Amount(row.held_nano, row.held_tokens),
        wanted=Amount(row.wanted_nano, row.wanted_tokens),
        outcome=SessionOutcome(row.outcome) if row.outcome else None,
        billing=Billing(row.billing),
        limits=row.limits,
        earlier_places=tuple(row.earlier_places),
        unadmitted=row.unadmitted,
        spent=Amount(row.spent_nano, row.spent_tokens),
        notional=row.notional,
        unknown_usages=row.unknown_usages,
        iterations=row.iterations,
        tool_calls=row.tool_calls,
    )
