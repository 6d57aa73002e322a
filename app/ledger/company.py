"""Company: the sessions of one engineer that tell of the same calls, or of one thread through others, and what each of them tells.

Who told a call first has its usage. Where it belongs is decided by what all of them tell, so that the order in which they
tell it makes no difference. Runs are in nobody's company: their word counts for their own repository only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from app.ledger.beside import own_sessions
from app.ledger.books import Books, SessionRow, UsageRow
from app.ledger.told import Told, learn
from tabstop.evidence import NOWHERE, Evidence


@dataclass(frozen=True, slots=True)
class Teller:
    """A session with what it said itself, and the calls (by id) it tells of, whoever told them first."""

    session: SessionRow
    told: Told
    rows: dict[int, UsageRow]

    @property
    def knows(self) -> bool:
        """Whether it ever said where it was. A proxy does not; what others say of its calls is their word."""
        return self.told.anything or bool(self.session.ended_on)

    def of_thread(self, thread: str) -> list[UsageRow]:
        """Its calls of a vendor's thread."""
        return [row for row in self.rows.values() if row.thread == thread]


class Company:
    """Of one session, which is the first of its members; alone, it is the only one."""

    def __init__(self, books: Books, session: SessionRow) -> None:
        """Load the session and all who are beside it, also through a third where they tell of a thread of its own."""
        self._books = books
        self._session = session
        self._looked_up: dict[str, SessionRow | None] = {}
        self.of_itself = self._teller(session)
        self.members = [self.of_itself]
        self._groups: dict[str, list[Teller]] = {}
        threads = {row.thread for row in self.of_itself.rows.values()} - {""}
        for member in self.members:  # grows
            rows = member.rows.values()
            near = [row for row in rows if member is self.of_itself or row.thread in threads]
            known = {one.session.id for one in self.members}
            self.members += [self._teller(one) for one in self._tellers_of(near) if one.id not in known]

    def of_call(self, row: UsageRow) -> list[Teller]:
        """Those who tell of this call or, where its thread is told, of the thread: each has a call in common with another."""
        if not row.thread:
            return [one for one in self.members if row.id in one.rows]
        if row.thread not in self._groups:
            self._groups[row.thread] = list(self._sharing(row.thread))
        return self._groups[row.thread]

    def to_ask(self) -> list[str]:
        """Other sessions to which somebody besides themselves can tell something, sorted."""
        groups = [self.of_call(row) for row in self.of_itself.rows.values()]
        return sorted(
            {
                one.session.id
                for group in groups
                for one in group
                if one is not self.of_itself and any(other.knows for other in group if other is not one)
            }
        )

    def where(self, row: UsageRow) -> Evidence:
        """Where a call was made, by whoever says most."""
        return NOWHERE if row.evidence_id is None else self._evidence[row.evidence_id]

    @cached_property
    def _evidence(self) -> dict[int, Evidence]:
        ids = (row.evidence_id for one in self.members for row in one.rows.values())
        return self._books.evidence({one for one in ids if one is not None})

    def _sharing(self, thread: str) -> Iterator[Teller]:
        """The session itself, and whoever shares a call of this thread with one found before."""
        calls = {one.session.id: {row.id for row in one.of_thread(thread)} for one in self.members}
        found, waiting = {self._session.id}, [self.of_itself]
        for one in waiting:  # grows
            yield one
            near = [
                other
                for other in self.members
                if other.session.id not in found and not calls[one.session.id].isdisjoint(calls[other.session.id])
            ]
            found |= {other.session.id for other in near}
            waiting += near

    def _teller(self, session: SessionRow) -> Teller:
        rows = [*self._books.usages_of(session.id), *self._told_too(session)]
        told = learn(self._books, session.id, ())
        return Teller(session, told, {row.id: row for row in rows if row.same_as is None})

    def _told_too(self, session: SessionRow) -> Iterator[UsageRow]:
        rows = self._books.reported_too(session.id)
        own = {one.id for one in self._own({row.session_id for row in rows})} | {self._session.id}
        return (row for row in rows if row.session_id in own)

    def _tellers_of(self, rows: Sequence[UsageRow]) -> Iterator[SessionRow]:
        return self._own({row.session_id for row in rows} | self._books.witnesses([row.id for row in rows]))

    def _own(self, ids: set[str]) -> Iterator[SessionRow]:
        """Those of these sessions that are the engineer's own, without the first; each is looked up once."""
        new = ids - self._looked_up.keys()
        self._looked_up |= dict.fromkeys(new) | {one.id: one for one in own_sessions(self._books, self._session, new)}
        return (one for name in sorted(ids) if (one := self._looked_up[name]) is not None)
