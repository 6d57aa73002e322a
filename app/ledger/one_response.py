"""What a report may do to stored usages: whose it may change, and which of them may turn out to be one response."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from app.ledger.beside import of_same_engineer
from app.ledger.books import Books, KnownUsage, SessionRow
from tabstop.alike import tell_apart


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one session's reports. strangers: sessions whose usages they leave as they are."""

    books: Books
    strangers: Collection[str] = ()
    _apart: dict[tuple[int, ...], bool] = field(default_factory=dict)

    def allow(self, named: Mapping[int, KnownUsage]) -> bool:
        """Whether all that a report names is this person's or run's, and may be one response."""
        return not any(one.session_id in self.strangers for one in named.values()) and self.may_be_one(named)

    def may_be_one(self, ids: Collection[int]) -> bool:
        """Whether no two of these usages are told apart by their keys."""
        if len(ids) < 2:
            return True
        wanted = tuple(sorted(ids))
        if wanted not in self._apart:
            keys = self.books.keys_of(wanted)
            self._apart[wanted] = any(tell_apart(keys[one], keys[other]) for one, other in combinations(wanted, 2))
        return not self._apart[wanted]


def bounds_of(books: Books, session: SessionRow, owners: Collection[str]) -> Bounds:
    """For a session that reports calls which these sessions told first.

    It may change what is its own engineer's, and what was told by a session of its own run: another run may have brought in a part.
    """
    hers = {other.id for other in of_same_engineer(books, session, owners)}
    return Bounds(books, {owner for owner in owners if owner not in hers and not _same_run(books, session, owner)})


def _same_run(books: Books, session: SessionRow, owner: str) -> bool:
    other = books.session(owner) if session.run_id else None
    return other is not None and (other.run_id, other.repository_id) == (session.run_id, session.repository_id)
