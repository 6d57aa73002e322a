"""Unplaced: what lies on no pull request and no branch, by session, and what everything comes to beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.ledger.books import Place, SessionRow
from app.ledger.postings import NOTHING, Sums
from app.registry import Transaction


@dataclass(frozen=True, slots=True)
class UnplacedPart:
    """What one session has lying at places of one kind. repository_id, reason, confidence: of the place; None for no repository.

    branches: that were checked out, as its calls there tell.
    """

    session: SessionRow
    repository_id: int | None
    engineer_id: int | None
    reason: str
    confidence: str
    branches: tuple[str, ...]
    sums: Sums


@dataclass(frozen=True, slots=True)
class Unplaced:
    """rows: the dearest first. unplaced: what they come to. whole: that and what does lie on tabs."""

    rows: tuple[UnplacedPart, ...]
    unplaced: Sums
    whole: Sums


def unplaced(db: Transaction, *, since: datetime | None = None, repository_id: int | None = None) -> Unplaced:
    """Look through the ledger: all of it, or what happened since, in one repository or everywhere."""
    places = db.all_places()
    whole = none = NOTHING
    parts: dict[_Key, Sums] = {}
    for row in db.entry_sums(since):
        place = places[row.place_id]
        if repository_id is not None and place.repository_id != repository_id:
            continue
        sums = Sums(row.nano, row.notional, row.tokens, row.unknown)
        whole = whole.more(sums)
        if place.tab_id is None:
            none = none.more(sums)
            key = _key(row.session_id, place)
            parts[key] = parts.get(key, NOTHING).more(sums)
    rows = [_part(db, key, sums, places) for key, sums in parts.items() if sums != NOTHING]
    rows.sort(key=lambda row: (-row.sums.nano, -row.sums.notional, -row.sums.tokens, row.session.id, row.reason))
    return Unplaced(tuple(rows), none, whole)


_Key = tuple[str, int | None, int | None, str, str]
"""Session, repository, engineer, reason and confidence: a place is another one in each window, and here it is one."""


def _key(session_id: str, place: Place) -> _Key:
    return session_id, place.repository_id, place.engineer_id, place.reason, place.confidence


def _part(db: Transaction, key: _Key, sums: Sums, places: Mapping[int, Place]) -> UnplacedPart:
    session_id, repository_id, engineer_id, reason, confidence = key
    session = db.session(session_id)
    if session is None:
        raise LookupError(f"session {session_id} is not in the books")
    calls = [row for row in db.usages_of(session_id) if places[row.place_id].tab_id is None]
    told = {row.evidence_id for row in calls if _key(session_id, places[row.place_id]) == key}
    found = db.evidence(one for one in told if one is not None).values()
    branches = tuple(sorted({one.branch for one in found} - {""}))
    return UnplacedPart(session, repository_id, engineer_id, reason, confidence, branches, sums)
