"""Hand over: an ended session turns out to be another engineer's, and everything it used with it; in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.ledger.books import AuditRow, Place, SessionRow
from app.ledger.move import move
from app.ledger.reached import Reached
from app.ledger.rows import NO_REPOSITORY
from app.ledger.touched import Where, touched_budgets
from app.registry import Engineer, Transaction
from tabstop.budget import Budget, Scope

PERSONAL = frozenset({Scope.ENGINEER, Scope.GUEST, Scope.DOWNGRADE})


def hand_over(db: Transaction, session: SessionRow, to: Engineer, person: Scope, why: str, now: datetime) -> int:
    """Charge a session to this engineer instead; answers how many usages moved. person: whose budget they draw on.

    Tab, repository and organization stay as they are, in the windows they were charged in; the person's budget changes, in
    the window of the old one, or of the time of use where there was none. `session` was read in this transaction and has
    ended: a hold lies where it was made.
    """
    if session.ended_at is None:
        raise ValueError(f"session {session.id} has not ended")
    hands = _Hands(db, Reached(db, now), to, person)
    rows = db.usages_of(session.id)
    held = [session.place_id, *session.earlier_places, *([session.assigned_place] if session.assigned_place else [])]
    hands.reached.reach({*held, *(row.place_id for row in rows)})
    going: dict[int, list[int]] = {}
    for row in rows:
        going.setdefault(hands.place_for(row.place_id, row.occurred_at), []).append(row.id)
    steps = db.policy_in_force(session.repository_id).policy.steps
    places = hands.reached.places
    moved = sum(move(db, ids, places[to_id], why=why, steps=steps, now=now) for to_id, ids in going.items())
    began = session.admitted_at
    db.change_session(
        replace(
            session,
            engineer_id=to.id,
            place_id=hands.place_for(session.place_id, began),
            earlier_places=tuple(hands.place_for(place_id, began) for place_id in session.earlier_places),
            assigned_place=hands.place_for(session.assigned_place, began) if session.assigned_place else None,
        )
    )
    body = {"from": session.engineer_id, "moved": moved, "why": why}
    db.audit(AuditRow("session.handed_over", now, session.id, body, to.id))
    return moved


@dataclass(slots=True)
class _Hands:
    """Places as they are with another engineer."""

    db: Transaction
    reached: Reached
    to: Engineer
    person: Scope
    _turned: dict[tuple[int, int | None], int] = field(default_factory=dict)

    def place_for(self, place_id: int, at: datetime) -> int:
        """The same place with this engineer, for usage of this time."""
        place = self.reached.places[place_id]
        before = next((one for one in self._budgets(place) if one.key.scope in PERSONAL), None)
        if before is not None and not before.key.window.holds(at):
            at = before.key.window.start
        after = self._budget(place, before, at)
        key = (place_id, after.id if after else None)
        if key not in self._turned:
            others = [budget_id for budget_id in place.budget_ids if before is None or budget_id != before.id]
            if after is not None:
                others.append(after.id)
            turned = replace(place, engineer_id=self.to.id, budget_ids=tuple(others))
            self._turned[key] = self.db.place_id(turned)
            self.reached.places[self._turned[key]] = turned
        return self._turned[key]

    def _budgets(self, place: Place) -> Iterable[Budget]:
        return (self.reached.budgets[budget_id] for budget_id in place.budget_ids)

    def _budget(self, place: Place, before: Budget | None, at: datetime) -> Budget | None:
        """The person's; none for guests outside of any repository."""
        cheaper = before is not None and before.key.scope is Scope.DOWNGRADE and self.person is Scope.ENGINEER
        person = Scope.DOWNGRADE if cheaper else self.person
        where = Where(self.db.organization_id, place.repository_id, place.tab_id, self.to.id, person, self.to.login)
        policy = self.db.policy_in_force(place.repository_id or NO_REPOSITORY).policy
        wanted = [one for one in touched_budgets(where, policy, self.db.timezone, at) if one[0].scope in PERSONAL]
        opened = self.db.budgets(wanted, self.reached.now)
        self.reached.budgets.update((one.id, one) for one in opened)
        return opened[0] if opened else None
