"""Assign, split, unassign: somebody says where usages of a session lie; all of it in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.ledger.attribute_again import attribute_again
from app.ledger.books import AuditRow, SessionRow, UsageRow
from app.ledger.by_hand import ByHand, Target, is_by_hand
from app.ledger.evidence import ask_again
from app.ledger.move import move
from app.ledger.reached import Reached
from app.registry import Transaction
from tabstop.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Word:
    """Why, and who says so where it is somebody known: no login, since ledger and audit log name people by id only."""

    why: str
    engineer_id: int | None = None

    @property
    def reason(self) -> str:
        """The reason that a place keeps."""
        return f"assigned by hand: {self.why}"


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. moved: usages that moved. changed: whether anything did, what is used later included."""

    moved: int
    changed: bool


def usages_to_place(db: Transaction, session: SessionRow) -> list[UsageRow]:
    """The session's usages, oldest first, without those that turned out to be another one."""
    return [row for row in db.usages_of(session.id) if row.same_as is None]


def chosen(
    db: Transaction, rows: Sequence[UsageRow], since: datetime | None, until: datetime | None, *, unplaced: bool = False
) -> list[UsageRow]:
    """Those from `since` on and before `until` (None for no bound); only those that lie on no tab, if asked for."""
    found = [
        row
        for row in rows
        if (since is None or since <= row.occurred_at) and (until is None or row.occurred_at < until)
    ]
    places = db.places({row.place_id for row in found}) if unplaced else {}
    return [row for row in found if not unplaced or places[row.place_id].tab_id is None]


def assign(
    db: Transaction,
    session: SessionRow,
    to: Target,
    word: Word,
    now: datetime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    unplaced: bool = False,
) -> Done:
    """Put a session's usages there; without bounds as a whole, so that what it uses later goes there too.

    unplaced: only those that lie on no tab. Doing it again changes nothing and leaves no audit row, also where only the reason is another one. `session` was read in
    this transaction.
    """
    rows = chosen(db, usages_to_place(db, session), since, until, unplaced=unplaced)
    whole = since is None and until is None and not unplaced
    hand = _hand(db, session, to, word, now)
    moved = _put(hand, rows, word, now)
    kept = whole and not _goes_there(hand)
    if kept:
        db.change_session(replace(session, assigned_place=hand.place_for(session.admitted_at)))
    if moved or kept:
        bounds = {"since": since.isoformat() if since else None, "until": until.isoformat() if until else None}
        body = {**_named(to), **bounds, "unplaced": unplaced, "moved": moved}
        _note(db, "session.assigned", session, word, now, body)
    return Done(moved, bool(moved) or kept)


def split(
    db: Transaction, session: SessionRow, parts: Mapping[Target, Iterable[int]], word: Word, now: datetime
) -> Done:
    """Put a session's usages (by id) in several places. What it uses later lies where it is made.

    parts: every usage of `usages_to_place` in exactly one of them. Raises `ValueError` where it is not so.
    """
    rows = {row.id: row for row in usages_to_place(db, session)}
    wanted = {to: list(ids) for to, ids in parts.items()}
    if sorted(usage_id for ids in wanted.values() for usage_id in ids) != sorted(rows):
        raise ValueError("a split has every usage of its session in exactly one part")
    moved = 0
    for to, ids in wanted.items():
        moved += _put(_hand(db, session, to, word, now), [rows[usage_id] for usage_id in ids], word, now)
    released = session.assigned_place is not None
    if released:
        db.change_session(replace(session, assigned_place=None))
    if moved or released:
        body = {"parts": [{**_named(to), "usages": len(ids)} for to, ids in wanted.items()], "moved": moved}
        _note(db, "session.split", session, word, now, body)
    return Done(moved, bool(moved) or released)


def unassign(db: Transaction, session: SessionRow, word: Word, now: datetime) -> Done:
    """Take back every assignment and split of a session: its usages lie where the evidence says, as if nobody had said anything."""
    rows = usages_to_place(db, session)
    reached = Reached(db, now).reach({row.place_id for row in rows})
    by_hand = [row.id for row in rows if is_by_hand(reached.places[row.place_id])]
    if not by_hand and session.assigned_place is None:
        return Done(0, changed=False)
    released = replace(session, assigned_place=None)
    db.change_session(released)
    policy, login = _whose(db, session)
    why = f"What was assigned by hand was taken back: {word.why}."
    moved = attribute_again(db, released, policy, login, now, release=by_hand, why=why)
    if session.has_evidence:
        ask_again(db, session.id, now)
    _note(db, "session.unassigned", session, word, now, {"moved": moved})
    return Done(moved, changed=True)


def _hand(db: Transaction, session: SessionRow, to: Target, word: Word, now: datetime) -> ByHand:
    policy, login = _whose(db, session)
    return ByHand(db, Reached(db, now).reach([session.place_id]), session, to, word.reason, policy, login)


def _put(hand: ByHand, rows: Sequence[UsageRow], word: Word, now: datetime) -> int:
    """Move what does not lie there by hand already."""
    places = hand.reached.reach({row.place_id for row in rows}).places
    going: dict[int, list[int]] = {}
    for row in rows:
        if not hand.to.has(places[row.place_id]):
            going.setdefault(hand.place_for(row.occurred_at), []).append(row.id)
    steps, who = hand.policy.steps, word.engineer_id
    return sum(
        move(hand.db, ids, places[to_id], why=hand.reason, steps=steps, now=now, engineer_id=who)
        for to_id, ids in going.items()
    )


def _goes_there(hand: ByHand) -> bool:
    """Whether what the session uses later goes there already."""
    place_id = hand.session.assigned_place
    return place_id is not None and hand.to.has(hand.reached.reach([place_id]).places[place_id])


def _whose(db: Transaction, session: SessionRow) -> tuple[Policy, str]:
    engineer = db.engineer(session.engineer_id) if session.engineer_id is not None else None
    return db.policy_in_force(session.repository_id).policy, engineer.login if engineer else ""


def _named(to: Target) -> dict[str, int | None]:
    return {"tab": to.tab_id, "repository": to.repository_id}


def _note(
    db: Transaction, kind: str, session: SessionRow, word: Word, now: datetime, body: Mapping[str, object]
) -> None:
    db.audit(AuditRow(kind, now, session.id, {**body, "why": word.why}, word.engineer_id))
