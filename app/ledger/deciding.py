"""Deciding: where each call of a session belongs, by what it and its company tell of the call, of its thread and of what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from app.ledger.beside import of_same_engineer
from app.ledger.books import UsageRow
from app.ledger.company import Company, Teller
from app.ledger.known import work_of
from app.ledger.placing import Placing, placing_of
from app.ledger.reached import Reached
from app.ledger.told import together
from app.ledger.windows import Current
from app.registry import Transaction
from tabstop.attribution import AT_THE_END, Attribution, Confidence
from tabstop.evidence import NOWHERE
from tabstop.policy.model import Policy
from tabstop.usage import Grain

_Key = tuple[str, tuple[str, ...]]
"""A thread, or none, and the sessions that know something."""


@dataclass(frozen=True)
class Deciding:
    """For the session that `company` is of. policy, login: of its own repository and engineer."""

    db: Transaction
    reached: Reached
    company: Company
    current: Current
    policy: Policy
    login: str
    _placed: dict[_Key, Placing | None] = field(default_factory=dict)

    def place_id(self, row: UsageRow) -> int:
        """The place that this usage of the session should lie in."""
        at, where = self._when(row), self.company.where(row)
        found: list[tuple[Placing, Attribution]] = []
        for placing in self._placings(row):
            found.append((placing, placing.ladder.place(at, where)))
            if found[-1][1].branch:
                return placing.place_id(found[-1][1], row.occurred_at)
        placing, there = found[0]
        return placing.place_id(self._proven.get(row.id, there), row.occurred_at)

    def _placings(self, row: UsageRow) -> Iterator[Placing]:
        """The thread's own first, for what tells nothing of its place: a session may have several, each on a branch of its own."""
        group = self.company.of_call(row)
        knowing = sorted((one for one in group if one.knows), key=lambda one: one.session.id)
        ids = tuple(one.session.id for one in knowing)
        if not knowing or (row.thread and self.company.where(row) is NOWHERE):
            if (row.thread, ids) not in self._placed:
                self._placed[row.thread, ids] = self._by_thread(row.thread, group, knowing)
            of_thread = self._placed[row.thread, ids]
            if of_thread is not None:
                yield of_thread
        if knowing:
            whole = self._placed.get(("", ids))
            if whole is None:
                rows = (call for one in knowing for call in one.rows.values())
                whole = self._placed["", ids] = self._placing(knowing, rows)
            yield whole

    def _by_thread(self, thread: str, group: Sequence[Teller], knowing: Sequence[Teller]) -> Placing | None:
        """None where somebody knows something, though nothing of the thread's place."""
        calls = [call for one in group for call in one.of_thread(thread)]
        told = any(self.company.where(call) is not NOWHERE for call in calls)
        return self._placing(knowing, calls) if told or not knowing else None

    def _placing(self, knowing: Sequence[Teller], rows: Iterable[UsageRow]) -> Placing:
        """By these calls, and by what these sessions told besides."""
        session = self.company.of_itself.session
        ends = {one.session.ended_on for one in knowing if one.session.repository_id == session.repository_id}
        ended = replace(session, ended_on=max(ends, default=""))
        calls = [(self._when(row), self.company.where(row)) for row in {row.id: row for row in rows}.values()]
        told = together([one.told for one in knowing])
        return placing_of(self.db, self.reached, ended, self.current, told, calls, self.policy, self.login)

    def _when(self, row: UsageRow) -> datetime:
        """A total of its client's that no call accounts for is of no moment: it comes after everything."""
        return AT_THE_END if row.grain is Grain.AGGREGATE and row.evidence_id is None else row.occurred_at

    @cached_property
    def _proven(self) -> dict[int, Attribution]:
        """By usage, the tab that a run's identity token proves, of calls which that person's run reported too.

        A runner with telemetry of its own tells its calls twice, and only the run knows the pull request.
        """
        session = self.company.of_itself.session
        found: dict[int, Attribution] = {}
        for other in of_same_engineer(self.db, session, self.db.sessions_beside(session.id)):
            start = work_of(self.db, other).start if other.run_id else None
            if start is not None and start.confidence is Confidence.PROVEN and start.branch:
                found |= {row.id: start for row in self.db.reported_too(other.id) if row.session_id == session.id}
        return found
