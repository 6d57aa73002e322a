"""Tabs, places, sessions and the starts asked for, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from app.ledger.books import Place, SessionChange, SessionRow, StartAttempt, Tab
from app.store.memory_tables import MemoryPart
from app.store.sql_sessions import by_life
from app.store.sql_tab_sessions import with_share
from tabstop.budget import Amount


class MemorySessions(MemoryPart):
    """The part of `app.ledger.books.Books` about tabs, places, starts and sessions."""

    def attempt(self, key: str, token_id: str) -> StartAttempt | None:
        """See `Books`."""
        found = self._t.attempts.get(key)
        return found or self._t.attempts.get(self._t.tokens_used.get(token_id, ""))

    def add_attempt(self, attempt: StartAttempt) -> None:
        """See `Books`."""
        if attempt.key in self._t.attempts or attempt.token_id in self._t.tokens_used:
            raise ValueError(f"{attempt.key!r} was asked for already, or with the same token")
        self._put(self._t.attempts, attempt.key, attempt)
        if attempt.token_id:
            self._put(self._t.tokens_used, attempt.token_id, attempt.key)

    def open_tab(self, repository_id: int, branch: str, now: datetime) -> Tab:  # noqa: ARG002 - ids tell the time
        """See `Books`."""
        last = self._last_tab(repository_id, branch)
        return last if last and last.ended_at is None else self._add_tab(repository_id, branch)

    def past_tab(self, repository_id: int, branch: str, ended_at: datetime) -> Tab:
        """See `Books`."""
        return self._add_tab(repository_id, branch, ended_at)

    def reopen_tab(self, repository_id: int, branch: str, now: datetime) -> Tab:
        """See `Books`."""
        last = self._last_tab(repository_id, branch)
        if last is None:
            return self.open_tab(repository_id, branch, now)
        opened = replace(last, ended_at=None)
        self._put(self._t.tabs, last.id, opened)
        return opened

    def end_tab(self, tab_id: int, now: datetime) -> None:
        """See `Books`."""
        tab = self._t.tabs.get(tab_id)
        if tab and (tab.ended_at is None or tab.ended_at < now):
            self._put(self._t.tabs, tab_id, replace(tab, ended_at=now))

    def generations(self, repository_id: int, branch: str) -> list[Tab]:
        """See `Books`."""
        found = [t for t in self._t.tabs.values() if (t.repository_id, t.branch) == (repository_id, branch)]
        return by_life(found)

    def tab(self, tab_id: int) -> Tab | None:
        """See `Registry`."""
        return self._t.tabs.get(tab_id)

    def tab_of_branch(self, repository_id: int, branch: str) -> Tab | None:
        """See `Registry`."""
        last = self._last_tab(repository_id, branch)
        return last if last and last.ended_at is None else None

    def place_id(self, place: Place) -> int:
        """See `Books`."""
        found = self._t.place_ids.get(place)
        if found is None:
            found = self.new_id()
            self._put(self._t.place_ids, place, found)
            self._put(self._t.places, found, place)
        return found

    def places(self, ids: Iterable[int]) -> dict[int, Place]:
        """See `Books`."""
        return {place_id: self._t.places[place_id] for place_id in sorted(set(ids)) if place_id in self._t.places}

    def all_places(self) -> dict[int, Place]:
        """See `Books`."""
        return dict(self._t.places)

    def session(self, session_id: str) -> SessionRow | None:
        """See `Books`."""
        return self._t.sessions.get(session_id)

    def live_sessions(self, *, run_id: str = "", silent_at: datetime | None = None) -> list[SessionRow]:
        """See `Books`."""
        return [
            session
            for _, session in sorted(self._t.sessions.items())
            if session.ended_at is None
            and (not run_id or session.run_id == run_id)
            and (silent_at is None or session.lease_until < silent_at)
        ]

    def all_sessions(self) -> list[SessionRow]:
        """See `Books`."""
        return sorted(self._t.sessions.values(), key=lambda session: (session.admitted_at, session.id))

    def sessions_of_tab(self, tab_id: int, limit: int = 50) -> list[SessionRow]:
        """See `Registry`."""
        newest = [session for session in reversed(self.all_sessions()) if self._is_of_tab(session, tab_id)]
        return [with_share(session, self._t.tab_shares.get((tab_id, session.id))) for session in newest[:limit]]

    def count_sessions_of_tab(self, tab_id: int) -> int:
        """See `Registry`."""
        return sum(self._is_of_tab(session, tab_id) for session in self._t.sessions.values())

    def _is_of_tab(self, session: SessionRow, tab_id: int) -> bool:
        share = self._t.tab_shares.get((tab_id, session.id), SessionChange())
        return session.tab_id == tab_id or share != SessionChange()

    def add_to_tabs(self, changes: Mapping[tuple[int, str], SessionChange]) -> None:
        """See `Books`."""
        for key, change in changes.items():
            self._put(self._t.tab_shares, key, self._t.tab_shares.get(key, SessionChange()) + change)

    def all_tab_shares(self) -> dict[tuple[int, str], SessionChange]:
        """See `Books`."""
        return dict(self._t.tab_shares)

    def add_session(self, session: SessionRow) -> None:
        """See `Books`."""
        if session.id in self._t.sessions:
            raise ValueError(f"session {session.id} is stored already")
        self._put(self._t.sessions, session.id, session)

    def change_session(self, session: SessionRow) -> None:
        """See `Books`."""
        stored = self._t.sessions[session.id]
        totals = {
            name: getattr(stored, name) for name in ("spent", "notional", "unknown_usages", "iterations", "tool_calls")
        }
        self._put(self._t.sessions, session.id, replace(session, **totals))

    def add_to_sessions(self, changes: Mapping[str, SessionChange]) -> None:
        """See `Books`."""
        for session_id, change in changes.items():
            stored = self._t.sessions[session_id]
            after = replace(
                stored,
                spent=stored.spent + change.spent,
                notional=stored.notional + change.notional,
                unknown_usages=stored.unknown_usages + change.unknown_usages,
                iterations=stored.iterations + change.iterations,
                tool_calls=stored.tool_calls + change.tool_calls,
            )
            self._put(self._t.sessions, session_id, after)

    def recent_needs(self, repository_id: int, agent: str, count: int) -> list[Amount]:
        """See `Books`."""
        ended = [
            (session.ended_at, session.id, session)
            for session in self._t.sessions.values()
            if session.ended_at is not None
            and (session.repository_id, session.agent) == (repository_id, agent)
            and session.spent.tokens > 0
        ]
        ended.sort(key=lambda found: found[:2], reverse=True)
        return [Amount(s.spent.nano + s.notional, s.spent.tokens) for _, _, s in ended[:count]]

    def remember_need(self, repository_id: int, agent: str, needed: Amount) -> None:
        """See `Books`."""
        self._put(self._t.needs, (repository_id, agent), needed)

    def _add_tab(self, repository_id: int, branch: str, ended_at: datetime | None = None) -> Tab:
        generation = 1 + max((tab.generation for tab in self.generations(repository_id, branch)), default=0)
        tab = Tab(self.new_id(), repository_id, branch, generation, ended_at)
        self._put(self._t.tabs, tab.id, tab)
        return tab

    def _last_tab(self, repository_id: int, branch: str) -> Tab | None:
        return next(reversed(self.generations(repository_id, branch)), None)
