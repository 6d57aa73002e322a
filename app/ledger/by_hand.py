"""By hand: where somebody said that usages of a session lie, in the windows in which each happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.ledger.books import Place, SessionRow
from app.ledger.reached import Reached
from app.registry import Transaction
from tabstop.attribution import Confidence
from tabstop.policy.model import Policy
from tabstop.usage import Usage


@dataclass(frozen=True, slots=True)
class Target:
    """Where usage is assigned to: a tab with its repository, a repository alone, or (both None) the session's engineer alone."""

    tab_id: int | None = None
    repository_id: int | None = None

    def has(self, place: Place) -> bool:
        """Whether what lies at this place was put there by hand; for which reason and in which windows does not matter."""
        here = (place.tab_id, place.repository_id) == (self.tab_id, self.repository_id)
        return here and is_by_hand(place)


@dataclass(slots=True)
class ByHand:
    """The places of one target for one session. Whose person's budget is drawn on stays as it was.

    policy, login: of the session's own repository and engineer. `reached` has the session's place.
    """

    db: Transaction
    reached: Reached
    session: SessionRow
    to: Target
    reason: str
    policy: Policy
    login: str
    _opened: list[tuple[datetime, datetime | None, int]] = field(default_factory=list)

    def place_for(self, at: datetime) -> int:
        """The place of a usage of this time: nothing was held for it there, so its own windows count."""
        at = max(at, self.session.admitted_at)
        for begins, ends, place_id in self._opened:
            if begins <= at and (ends is None or at < ends):
                return place_id
        policy = self.policy
        if self.to.repository_id is not None and self.to.repository_id != self.session.repository_id:
            policy = self.db.policy_in_force(self.to.repository_id).policy
        wanted = replace(
            self.reached.places[self.session.place_id],
            tab_id=self.to.tab_id,
            repository_id=self.to.repository_id,
            counts_notional=policy.subscription_counts,
            reason=self.reason,
            confidence=Confidence.MANUAL.value,
        )
        place_id = self.reached.opened(wanted, at, policy, self.login)
        begins = max(self.reached.budgets[b].key.window.start for b in self.reached.places[place_id].budget_ids)
        self._opened.append((begins, self.reached.first_end(place_id), place_id))
        return place_id

    def by_place(self, usages: Sequence[Usage]) -> dict[int, Sequence[Usage]]:
        """Usages by the place they go to."""
        found: dict[int, list[Usage]] = {}
        for usage in usages:
            found.setdefault(self.place_for(usage.occurred_at), []).append(usage)
        return {**found}


def is_by_hand(place: Place) -> bool:
    """Whether somebody put usage there."""
    return place.confidence == Confidence.MANUAL


def assigned(db: Transaction, reached: Reached, session: SessionRow, policy: Policy, login: str) -> ByHand | None:
    """Where everything of this session goes, if somebody assigned it as a whole."""
    if session.assigned_place is None:
        return None
    place = reached.reach([session.place_id, session.assigned_place]).places[session.assigned_place]
    return ByHand(db, reached, session, Target(place.tab_id, place.repository_id), place.reason, policy, login)


def place_of_rest(db: Transaction, reached: Reached, session: SessionRow, now: datetime) -> int:
    """Where a total of a session goes that its calls do not account for, while another session reports."""
    if session.assigned_place is None:
        return session.place_id
    engineer = db.engineer(session.engineer_id) if session.engineer_id is not None else None
    policy = db.policy_in_force(session.repository_id).policy
    hand = assigned(db, reached, session, policy, engineer.login if engineer else "")
    return hand.place_for(session.ended_at or now) if hand else session.place_id
