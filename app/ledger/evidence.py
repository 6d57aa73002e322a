"""Evidence at the door: what of a report's evidence is learned and believed, and when where its calls belong is decided again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from app.ledger.beside import own_sessions
from app.ledger.books import AuditRow, Books, Job, KnownUsage, SessionRow
from app.ledger.reached import Reached
from app.ledger.told import Told, learn
from app.registry import Transaction
from tabstop.attribution import Attribution, Confidence, Work
from tabstop.evidence import NOWHERE, CommitMade, PullRequestLink
from tabstop.usage import Usage
from tabstop.wire import ClientTotal

SETTLES = timedelta(seconds=20)
"""How long a session's news is gathered before everything it did is looked at again: a burst of reports is looked at once."""

SOON = timedelta(seconds=5)
"""How long the news of several sessions is gathered for those beside them."""

_UNTOLD = Told()


def learned(
    books: Books,
    session: SessionRow,
    usages: Sequence[Usage],
    links: Sequence[PullRequestLink],
    commits: Sequence[CommitMade],
) -> Told:
    """Everything the session has told, this report included. Asks the database nothing where nothing was ever told."""
    told = {usage.evidence for usage in usages if usage.evidence is not NOWHERE}
    if not (session.has_evidence or told or links or commits):
        return _UNTOLD
    return learn(books, session.id, told, links, commits)


def believed(
    books: Books, session: SessionRow, usages: Sequence[Usage], known: Mapping[str, KnownUsage]
) -> Sequence[Usage]:
    """The usages without what this session says of another's calls, unless both are one engineer's own.

    Whoever knows a call's key could else move it to another tab.
    """
    others = {found.session_id for found in known.values()} - {session.id}
    strangers = others - {one.id for one in own_sessions(books, session, others)}
    if not strangers:
        return usages

    def is_a_strangers(usage: Usage) -> bool:
        return any(key in known and known[key].session_id in strangers for key in usage.keys)

    return [replace(usage, evidence=NOWHERE) if is_a_strangers(usage) else usage for usage in usages]


def goes_by_evidence(reached: Reached, session: SessionRow) -> bool:
    """Whether what it tells can move its usage: not where an identity token has proven its tab."""
    place = reached.places[session.place_id]
    return place.tab_id is None or place.confidence != Confidence.PROVEN


def may_stray(told: Told, start: Attribution, usages: Sequence[Usage], totals: Sequence[ClientTotal]) -> bool:
    """Whether where earlier calls belong may depend on these: the session was on a branch besides others, or none."""
    elsewhere = any(one.branch and one.branch != start.branch for one in told.evidence) or bool(told.links)
    untold = bool(totals) or any(usage.evidence is NOWHERE for usage in usages)
    return bool(usages or totals) and elsewhere and len(told.evidence) + untold > 1


def note_refused(books: Transaction, session: SessionRow, work: Work, told: Told, now: datetime) -> None:
    """An audit row for what a run says, for the first time, of a repository that is not its own."""
    if not work.own_repository_only:
        return
    own = {"", work.start.repository.lower(), *books.former_names(session.repository_id)}
    others = sorted({one.repository.lower() for one in told.new} - own)
    if others:
        body = {"repository": session.repository_id, "names": others, "run": session.run_id}
        books.audit(AuditRow("evidence.refused", now, session.id, body, session.engineer_id))


def ask_again(books: Books, session_id: str, now: datetime) -> None:
    """Have it decided again where everything of this session belongs, and then of those to whom it can tell something."""
    books.enqueue(Job("attribute_session", session_id, {"session": session_id}, now + SETTLES))


def ask_others(books: Books, session_ids: Iterable[str], now: datetime) -> None:
    """Have the same decided of sessions that tell of another one's calls, each by itself: it asks nobody again."""
    for one in session_ids:
        payload = {"session": one, "by_itself": True}
        books.enqueue(Job("attribute_session", f"{one} by itself", payload, now + SOON))
