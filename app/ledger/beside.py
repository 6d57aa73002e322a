"""Beside: sessions that tell of one client's calls, such as its logs' and a proxy's. Each learns which of the other's calls its own
client has counted in its totals, so that these are not trued up as if nobody had told them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from app.ledger.books import Books, SessionRow
from tabstop.usage import Usage


def count_together(
    books: Books, session: SessionRow, new: Sequence[Usage], owners: Collection[str], threads: Collection[str]
) -> list[SessionRow]:
    """Let this session, and those beside it, count each other's calls of the threads whose totals they have.

    new: calls that this session was the first to tell, and which are stored. owners: sessions that told others of its calls first.
    threads: those whose totals it tells now. Answers the others whose rest is another one now. Only for one person's sessions,
    runs among them: it changes what is counted twice, and nothing of where it lies.
    """
    if session.engineer_id is None:
        return []
    counted = {thread for thread, _ in books.client_totals(session.id)} | set(threads) if owners or threads else set()
    there = books.sessions_beside(session.id) if threads else owners
    for other in of_same_engineer(books, session, there if counted else ()):
        share(books, session.id, other.id, books.calls_of_threads(other.id, counted))
    asked = {(usage.agent or session.agent, usage.thread) for usage in new if usage.thread}
    named = {books.session_of_thread(session.engineer_id, *one) for one in sorted(asked)}
    changed = []
    for other in of_same_engineer(books, session, {*owners, *(name for name in named if name)}):
        counted = {thread for thread, _ in books.client_totals(other.id)}
        calls = books.known([usage.keys[0] for usage in new if usage.thread in counted])
        if calls:
            share(books, other.id, session.id, sorted({found.id for found in calls.values()}))
            changed.append(other)
    return changed


def share(books: Books, session_id: str, owner: str, usage_ids: Sequence[int]) -> None:
    """Keep that a session tells of calls which the owner told first; one of them says of the owner that it is not alone."""
    books.witness([session_id], usage_ids)
    books.witness([owner], usage_ids[:1])


def of_same_engineer(books: Books, session: SessionRow, ids: Iterable[str]) -> Iterator[SessionRow]:
    """Those of these sessions that are its engineer's too, without itself, in the order of their ids; none where it has no engineer.

    Nobody else's word takes a call anywhere.
    """
    for other_id in sorted({*ids} - {session.id}) if session.engineer_id is not None else ():
        other = books.session(other_id)
        if other is not None and other.engineer_id == session.engineer_id:
            yield other


def own_sessions(books: Books, session: SessionRow, ids: Iterable[str]) -> Iterator[SessionRow]:
    """The same without runs, and none for a run: its word counts for its own repository only."""
    if not session.run_id:
        yield from (one for one in of_same_engineer(books, session, ids) if not one.run_id)
