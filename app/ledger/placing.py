"""Placing: from what the evidence ladder says of a call to the place, in its windows, where its usage lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.ledger.books import SessionRow, Tab
from app.ledger.known import Registered, work_of
from app.ledger.reached import Reached
from app.ledger.told import Told, as_kept
from app.ledger.windows import Current
from app.registry import Repository, Transaction
from tabstop.attribution import Attribution, Work
from tabstop.evidence import Evidence
from tabstop.evidence_ladder import Ladder
from tabstop.policy.model import Policy
from tabstop.usage import Usage

Calls = Sequence[tuple[datetime, Evidence]]
"""When and where calls were made."""


@dataclass(slots=True)
class Placing:
    """Where the usages of one session lie. `current` has the windows of where the session as a whole was placed.

    Usage elsewhere lies in the windows in which it happened: nothing was held for it there.
    """

    db: Transaction
    reached: Reached
    session: SessionRow
    current: Current
    work: Work
    ladder: Ladder
    registered: Registered
    policy: Policy
    login: str
    _tabs: dict[tuple[int, str], list[Tab]] = field(default_factory=dict)
    _starts: dict[Attribution, bool] = field(default_factory=dict)
    _same: dict[tuple[Attribution, int], int] = field(default_factory=dict)
    _opened: dict[tuple[Attribution, int | None], list[tuple[datetime, datetime | None, int]]] = field(
        default_factory=dict
    )

    def by_place(self, usages: Sequence[Usage]) -> dict[int, Sequence[Usage]]:
        """Usages by the place they go to."""
        found: dict[int, list[Usage]] = {}
        for usage in usages:
            place_id = self.place_id(self.ladder.place(usage.occurred_at, usage.evidence), usage.occurred_at)
            found.setdefault(place_id, []).append(usage)
        return {**found}

    def place_id(self, there: Attribution, at: datetime) -> int:
        """The place of a usage that the ladder puts there and that happened at this time."""
        base = self.reached.places[self.current.place_id]
        if self._is_start(there) and self._tab_of_pull_request(there) in {None, base.tab_id}:
            return self.current.place_for(at)
        repository = self.registered.repository(there.repository) if there.repository else None
        tab_id = self._tab_of(repository, there, at) if repository is not None and there.branch else None
        if (tab_id, repository.id if repository else None) == (base.tab_id, base.repository_id):
            return self._for_another_reason(there, self.current.place_for(at))
        return self._elsewhere(there, repository, tab_id, max(at, self.session.admitted_at))

    def _is_start(self, there: Attribution) -> bool:
        """Whether the ladder leaves it where the session as a whole was placed."""
        if there not in self._starts:
            start = replace(self.work.start, pull_request=None)
            self._starts[there] = replace(there, pull_request=None, branch_at=None) == start
        return self._starts[there]

    def _for_another_reason(self, there: Attribution, own_id: int) -> int:
        """The session's own place in its own windows, but for the reason."""
        if (there, own_id) not in self._same:
            own = self.reached.places[own_id]
            place = replace(own, reason=there.reason, confidence=there.confidence.value)
            place_id = self.db.place_id(place)
            self.reached.places[place_id] = place
            self._same[there, own_id] = place_id
        return self._same[there, own_id]

    def _elsewhere(self, there: Attribution, repository: Repository | None, tab_id: int | None, at: datetime) -> int:
        opened = self._opened.setdefault((there, tab_id), [])
        for begins, ends, place_id in opened:
            if begins <= at and (ends is None or at < ends):
                return place_id
        policy = self.policy
        if repository is not None and repository.id != self.session.repository_id:
            policy = self.db.policy_in_force(repository.id).policy
        wanted = replace(
            self.reached.places[self.current.place_id],
            tab_id=tab_id,
            repository_id=repository.id if repository is not None else None,
            counts_notional=policy.subscription_counts,
            reason=there.reason,
            confidence=there.confidence.value,
        )
        place_id = self.reached.opened(wanted, at, policy, self.login)
        begins = max(self.reached.budgets[b].key.window.start for b in self.reached.places[place_id].budget_ids)
        opened.append((begins, self.reached.first_end(place_id), place_id))
        return place_id

    def _tab_of(self, repository: Repository, there: Attribution, at: datetime) -> int:
        """That of the pull request, else the branch's generation of the time."""
        of_pull_request = self._tab_of_pull_request(there)
        return of_pull_request or self._tab_at(repository.id, there.branch, there.branch_at or at).id

    def _tab_of_pull_request(self, there: Attribution) -> int | None:
        """None where none is known, or where it has another branch."""
        if there.pull_request is None:
            return None
        return self.registered.tabs.get((there.repository, there.pull_request, there.branch))

    def _tab_at(self, repository_id: int, branch: str, at: datetime) -> Tab:
        key = (repository_id, branch)
        if key not in self._tabs:
            self._tabs[key] = self.db.generations(*key)
        tab = of_the_time(self._tabs[key], at)
        if tab is None:
            tab = self.db.open_tab(repository_id, branch, self.reached.now)
            self._tabs[key].append(tab)
        return tab


def placing_of(
    db: Transaction,
    reached: Reached,
    session: SessionRow,
    current: Current,
    told: Told,
    calls: Calls,
    policy: Policy,
    login: str,
) -> Placing:
    """Look up what is known of what this session tells, and build its ladder. policy, login: of the session's own place."""
    registered = Registered(db)
    work = work_of(db, session)
    named = {as_kept(evidence) for evidence in {told_there for _, told_there in calls}}
    known = registered.look_up(work.start.repository, named, told.links, told.commits)
    work = replace(work, calls=tuple(calls), links=told.links, commits=told.commits)
    return Placing(db, reached, session, current, work, Ladder(work, known), registered, policy, login)


def of_the_time(generations: Sequence[Tab], at: datetime) -> Tab | None:
    """The generation whose life covers this time: the first that had not ended by then; None where a new one has to begin."""
    return next((tab for tab in generations if tab.ended_at is None or at < tab.ended_at), None)
