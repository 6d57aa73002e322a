"""Tab choice: which of its branch's tabs each pull request runs on, by when GitHub says that it was open.

Pull requests of one branch that were open at once, or with a third between them, are one piece of work and share a tab; others do
not. It goes by GitHub's times and not by when we heard of them, so that hearing late or in another order makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.ledger.rows import Tab
from app.registry import PullRequest, Transaction

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Choice:
    """Its tab. moved: other pull requests, as they are, each with the tab that it has to run on from now on."""

    tab_id: int
    moved: tuple[tuple[PullRequest, int], ...] = ()


def choose_tab(db: Transaction, known: PullRequest | None, seen: PullRequest, now: datetime) -> Choice:
    """Choose it; opened, or opened again, where that is needed. known: the same pull request as it was before."""
    if known is not None and _life(known) == _life(seen):
        return Choice(known.tab_id)
    tabs = db.generations(seen.repository_id, seen.head_branch)
    before = [one for tab in tabs for one in db.pull_requests_of_tab(tab.id) if one.number != seen.number]
    found = pieces([seen, *before])
    held = _held(found, tabs)
    on: dict[int, Tab] = {}
    for piece, tab in zip(found, held, strict=True):
        free = tabs[-1] if tabs and tabs[-1] not in held and seen in piece else None
        if seen in piece and _ended_at(piece) == _NEVER:
            goes_on = known is not None or tab is not None
            its = (db.reopen_tab if goes_on else db.open_tab)(seen.repository_id, seen.head_branch, now)
        elif free is not None and free.ended_at is None:
            its = tab or free
        else:
            its = tab or db.past_tab(seen.repository_id, seen.head_branch, _ended_at(piece))
        on |= dict.fromkeys((one.number for one in piece), its)
    moved = ((one, on[one.number].id) for one in before if on[one.number].id != one.tab_id)
    return Choice(on[seen.number].id, tuple(moved))


def pieces(pulls: Iterable[PullRequest]) -> list[list[PullRequest]]:
    """Of one branch: those that share a tab, together. The piece that ended first comes first, and what is open last."""
    left, found = list(pulls), []
    while left:
        piece = [left.pop()]
        for here in piece:
            near = [one for one in left if _at_once(one, here)]
            left = [one for one in left if one not in near]
            piece += near
        found.append(piece)
    return sorted(found, key=_ended_at)


def _held(found: Sequence[Sequence[PullRequest]], tabs: Sequence[Tab]) -> list[Tab | None]:
    """The tab that each piece has; of several its newest. Of two that have one tab the later keeps it."""
    holders = {one.tab_id: number for number, piece in enumerate(found) for one in piece}
    return [
        next((tab for tab in reversed(tabs) if holders.get(tab.id) == number), None) for number in range(len(found))
    ]


def _at_once(one: PullRequest, other: PullRequest) -> bool:
    """Whether both were open at some moment. Where nobody tells when one was opened, those that share a tab go on to."""
    if one.opened_at is None or other.opened_at is None:
        return one.tab_id == other.tab_id != 0
    return one.opened_at < _ended_at([other]) and other.opened_at < _ended_at([one])


def _ended_at(piece: Iterable[PullRequest]) -> datetime:
    """When the last of them ended."""
    return max(_NEVER if one.state == "open" else one.ended_at or one.updated_at for one in piece)


def _life(one: PullRequest) -> tuple[bool, datetime | None, datetime | None]:
    return one.state == "open", one.opened_at, one.ended_at
