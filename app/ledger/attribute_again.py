"""Attribute again: where everything a session did belongs, by all that is known by now. What lies elsewhere is moved."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from app.ledger.books import Place, SessionRow, UsageRow
from app.ledger.by_hand import assigned, is_by_hand
from app.ledger.company import Company
from app.ledger.deciding import Deciding
from app.ledger.evidence import goes_by_evidence
from app.ledger.move import move
from app.ledger.reached import Reached
from app.ledger.windows import places_for
from app.registry import Transaction
from tabstop.policy.model import Policy

WHY = "What is known of where the work was done has changed."


def attribute_again(
    db: Transaction,
    session: SessionRow,
    policy: Policy,
    login: str,
    now: datetime,
    release: Collection[int] = (),
    why: str = WHY,
) -> int:
    """Move what does not lie where it belongs; answers how many usages moved. Doing it again moves nothing.

    policy, login: of the session's own repository and engineer. What somebody placed by hand stays, but for the usages
    (by id) in `release`: those go back to where the evidence puts them, or to where the session was assigned as a whole.
    """
    rows = [row for row in db.usages_of(session.id) if row.same_as is None]
    reached = Reached(db, now).reach({session.place_id, *(row.place_id for row in rows)})
    free = [row for row in rows if row.id in release or not is_by_hand(reached.places[row.place_id])]
    wanted = _wanted(db, reached, session, policy, login, rows, free)
    moved = 0
    for place_id, ids in _to_move(reached, free, wanted).items():
        to = reached.places[place_id]
        moved += move(db, ids, to, why=f"{why} It is {to.confidence}: {to.reason}.", steps=policy.steps, now=now)
    return moved


def _wanted(
    db: Transaction,
    reached: Reached,
    session: SessionRow,
    policy: Policy,
    login: str,
    rows: Sequence[UsageRow],
    free: Sequence[UsageRow],
) -> dict[int, int]:
    """By usage, the place it should lie in."""
    by_hand = assigned(db, reached, session, policy, login)
    if by_hand is not None:
        return {row.id: by_hand.place_for(row.occurred_at) for row in free}
    current = places_for(reached, session, policy, login, [row.occurred_at for row in rows])
    if not goes_by_evidence(reached, session):
        return {row.id: current.place_for(row.occurred_at) for row in free}
    deciding = Deciding(db, reached, Company(db, session), current, policy, login)
    return {row.id: deciding.place_id(row) for row in free}


def _to_move(reached: Reached, rows: Sequence[UsageRow], wanted: Mapping[int, int]) -> dict[int, list[int]]:
    """By the place they should lie in, usages that lie elsewhere or for another reason. Windows alone move nothing."""
    found: dict[int, list[int]] = {}
    for row in rows:
        to_id = wanted[row.id]
        if to_id != row.place_id and _seen(reached.places[to_id]) != _seen(reached.places[row.place_id]):
            found.setdefault(to_id, []).append(row.id)
    return found


def _seen(place: Place) -> tuple[int | None, int | None, int | None, str, str]:
    """A place without its windows."""
    return place.tab_id, place.repository_id, place.engineer_id, place.reason, place.confidence
