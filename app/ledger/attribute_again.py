"""Attribute again: where everything a session did belongs, by all that is known by now. What lies elsewhere is moved."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from app.ledger.books import Place, SessionRow, UsageRow
from app.ledger.by_hand import assigned, is_by_hand
from app.ledger.evidence import goes_by_evidence
from app.ledger.known import work_of
from app.ledger.move import move
from app.ledger.placing import Placing, placing_of
from app.ledger.reached import Reached
from app.ledger.told import Told, learn, together
from app.ledger.windows import Current, current_place, places_by_time
from app.registry import Transaction
from tabstop.attribution import AT_THE_END, Attribution, Confidence
from tabstop.evidence import NOWHERE, Evidence
from tabstop.policy.model import Policy
from tabstop.usage import Grain

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
    current = _current(reached, session, policy, login, rows)
    if not goes_by_evidence(reached, session):
        return {row.id: current.place_for(row.occurred_at) for row in free}
    told = learn(db, session.id, ())
    evidence = db.evidence([row.evidence_id for row in rows if row.evidence_id is not None])
    calls = {row.id: (_when(row), _where(row, evidence)) for row in rows}
    placing = placing_of(db, reached, session, current, told, list(calls.values()), policy, login)
    by_thread: dict[str, Placing] = {}
    for thread, (own, beside) in _threads(db, session, rows, free, calls).items():
        owners = sorted({row.session_id for row in beside})
        where = db.evidence([row.evidence_id for row in beside if row.evidence_id is not None])
        told_there = together([told, *(learn(db, owner, ()) for owner in owners)])
        of_thread = [*(calls[row.id] for row in own), *((row.occurred_at, _where(row, where)) for row in beside)]
        by_thread[thread] = placing_of(db, reached, session, current, told_there, of_thread, policy, login)

    def placing_for(row: UsageRow) -> Placing:
        """The thread's own for what tells nothing of its place, where there is one."""
        return by_thread.get(row.thread, placing) if calls[row.id][1] is NOWHERE else placing

    there = {row.id: placing_for(row).ladder.place(*calls[row.id]) for row in free}
    if not all(one.branch for one in there.values()):
        there |= _led_to_by_others(db, reached, session, current, told, policy, login, rows, there, calls)
        proven = _proven(db, session)
        there = {row_id: one if one.branch else proven.get(row_id, one) for row_id, one in there.items()}
    return {row.id: placing_for(row).place_id(there[row.id], row.occurred_at) for row in free}


def _led_to_by_others(
    db: Transaction,
    reached: Reached,
    session: SessionRow,
    current: Current,
    told: Told,
    policy: Policy,
    login: str,
    rows: Sequence[UsageRow],
    there: Mapping[int, Attribution],
    calls: Mapping[int, tuple[datetime, Evidence]],
) -> dict[int, Attribution]:
    """By usage, the tab that work on no branch led to, as other sessions tell of the same thread: they may know what came of it."""
    lost = [row for row in rows if row.thread and row.id in there and not there[row.id].branch]
    others = _hers(
        db, session, [row for row in db.reported_too(session.id) if row.evidence_id is not None] if lost else []
    )
    where = db.evidence([row.evidence_id for row in others if row.evidence_id is not None])
    found: dict[int, Attribution] = {}
    for thread in sorted({row.thread for row in lost} & {row.thread for row in others}):
        beside = [row for row in others if row.thread == thread]
        told_there = together([told, *(learn(db, owner, ()) for owner in sorted({row.session_id for row in beside}))])
        of_thread = [*calls.values(), *((row.occurred_at, _where(row, where)) for row in beside)]
        ladder = placing_of(db, reached, session, current, told_there, of_thread, policy, login).ladder
        for row in lost:
            placed = ladder.place(*calls[row.id])
            if row.thread == thread and placed.branch:
                found[row.id] = placed
    return found


def _hers(db: Transaction, session: SessionRow, rows: Sequence[UsageRow]) -> list[UsageRow]:
    """Those of the same engineer's sessions: nobody else's word takes a call anywhere."""
    owners = [db.session(owner) for owner in sorted({row.session_id for row in rows})]
    hers = {one.id for one in owners if one is not None and one.engineer_id == session.engineer_id is not None}
    return [row for row in rows if row.session_id in hers]


def _proven(db: Transaction, session: SessionRow) -> dict[int, Attribution]:
    """By usage, the tab that a run's identity token proves, of calls which that person's run reported too. A runner with
    telemetry of its own tells its calls twice, and only the run knows the pull request.
    """
    found: dict[int, Attribution] = {}
    for other_id in db.sessions_beside(session.id) if session.engineer_id is not None else ():
        other = db.session(other_id)
        if other is None or not other.run_id or other.engineer_id != session.engineer_id:
            continue
        start = work_of(db, other).start
        if start.confidence is Confidence.PROVEN and start.branch:
            found |= {row.id: start for row in db.reported_too(other.id) if row.session_id == session.id}
    return found


def _threads(
    db: Transaction,
    session: SessionRow,
    rows: Sequence[UsageRow],
    free: Sequence[UsageRow],
    calls: Mapping[int, tuple[datetime, Evidence]],
) -> dict[str, tuple[list[UsageRow], list[UsageRow]]]:
    """Vendor's threads of calls that tell nothing of their place, with what is told of the thread: here, and by other sessions.

    A proxy has calls that no log has, of several clients, and each client's own session knows where it worked then.
    """
    untold = {row.thread for row in free if row.thread and row.grain is Grain.CALL and calls[row.id][1] is NOWHERE}
    others = [row for row in db.reported_too(session.id) if row.evidence_id is not None] if untold else []
    found = {}
    for thread in sorted(untold):
        own, beside = [row for row in rows if row.thread == thread], [row for row in others if row.thread == thread]
        if beside or any(calls[row.id][1] is not NOWHERE for row in own):
            found[thread] = (own, beside)
    return found


def _current(reached: Reached, session: SessionRow, policy: Policy, login: str, rows: Sequence[UsageRow]) -> Current:
    if session.unadmitted:
        return places_by_time(reached, session, policy, login, [row.occurred_at for row in rows])
    return current_place(reached, session, policy, login)


def _when(row: UsageRow) -> datetime:
    """A total of its client's that no call accounts for is of no moment: it comes after everything."""
    return AT_THE_END if row.grain is Grain.AGGREGATE and row.evidence_id is None else row.occurred_at


def _where(row: UsageRow, evidence: Mapping[int, Evidence]) -> Evidence:
    return NOWHERE if row.evidence_id is None else evidence[row.evidence_id]


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
