"""Placement: where what a session used lies by now, why and how surely, as far as its reader may be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.ledger.books import Place, SessionRow
from app.ledger.by_hand import is_by_hand
from app.ledger.evidence import goes_by_evidence
from app.ledger.postings import NOTHING, Sums, sums_of
from app.ledger.reached import Reached
from app.registry import Transaction
from tabstop.evidence_ladder import for_the_runs_page
from tabstop.wire import Placement

_BY_HAND = "assigned by hand"
"""Without the operator's words: those are for the audit log, and a job's page is read by everybody in the repository."""

_Key = tuple[int | None, int | None, str, str]
"""Tab, repository, reason and confidence: a place is another one in each window, and here it is one."""


def where_it_lies(books: Transaction, session: SessionRow) -> tuple[Placement, ...]:
    """By place, the dearest first; together they are the session's totals. Nothing where nothing was used."""
    rows = books.usages_of(session.id)
    places = books.places({row.place_id for row in rows})
    placements: dict[_Key, Sums] = {}
    for row in rows:
        key = _key(places[row.place_id], session)
        placements[key] = placements.get(key, NOTHING).more(sums_of(row))
    found = [_placement(books, session, key, sums) for key, sums in placements.items() if sums != NOTHING]
    return tuple(sorted(found, key=lambda one: (-one.cost, -one.notional, -one.tokens, one.reason)))


def may_move(books: Transaction, session: SessionRow, now: datetime) -> bool:
    """Whether GitHub is still asked about what the session told of its work, so that it may lie elsewhere soon."""
    if not session.has_evidence or session.assigned_place is not None:
        return False
    return goes_by_evidence(Reached(books, now).reach([session.place_id]), session)


def _key(place: Place, session: SessionRow) -> _Key:
    return place.tab_id, place.repository_id, _reason(place, session), place.confidence


def _reason(place: Place, session: SessionRow) -> str:
    if is_by_hand(place):
        return _BY_HAND
    return place.reason if _is_an_engineers_own(session) else for_the_runs_page(place.reason)


def _placement(books: Transaction, session: SessionRow, key: _Key, sums: Sums) -> Placement:
    tab_id, repository_id, reason, confidence = key
    part = Placement(
        confidence, reason, cost=sums.nano, notional=sums.notional, tokens=sums.tokens, unpriced=sums.unknown
    )
    repository = books.repository(repository_id) if repository_id is not None else None
    if repository is None:
        return part
    if repository.id != session.repository_id and not _is_an_engineers_own(session):
        return replace(part, elsewhere=True)
    tab = books.tab(tab_id) if tab_id is not None else None
    if tab is None:
        return replace(part, repository=repository.full_name)
    return replace(
        part, repository=repository.full_name, branch=tab.branch, pull_request=_number(books, session, tab.id)
    )


def _is_an_engineers_own(session: SessionRow) -> bool:
    """Whether its engineer alone is answered; a run's answer is on a page that the whole repository reads."""
    return session.engineer_id is not None and not session.run_id


def _number(books: Transaction, session: SessionRow, tab_id: int) -> int | None:
    """The tab's pull request: the session's own, else an open one, else the newest; None where there is none."""
    if tab_id == session.tab_id and session.pull_request is not None:
        return session.pull_request
    pulls = sorted(books.pull_requests_of_tab(tab_id), key=lambda one: one.state != "open")
    return pulls[0].number if pulls else None
