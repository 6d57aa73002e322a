"""Told: what a session's reports say of where its calls were made, kept once, whatever is told how often and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.ledger.books import Books
from tabstop.evidence import MOST_COMMITS, MOST_LINKS, NOWHERE, CommitMade, Evidence, PullRequestLink

MOST_PLACES = 200
"""Of one session: repositories, branches and commits that its calls name. More are a mistake; such calls count as untold."""


@dataclass(frozen=True, slots=True)
class Told:
    """Everything a session has told so far. evidence: with its ids. new: of that, what this report was the first to say.

    news: whether it said anything new, links and commits included.
    """

    evidence: dict[Evidence, int] = field(default_factory=dict)
    links: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()
    new: tuple[Evidence, ...] = ()
    news: bool = False

    @property
    def anything(self) -> bool:
        """Whether there is anything to go by."""
        return bool(self.evidence or self.links or self.commits)

    def ids_of(self, told: Sequence[Evidence]) -> list[int | None]:
        """The ids of what calls told."""
        ids = {one: self.id_of(one) for one in set(told)}
        return [ids[one] for one in told]

    def id_of(self, evidence: Evidence) -> int | None:
        """The id of what a call told; None for nothing."""
        return None if evidence is NOWHERE else self.evidence.get(as_kept(evidence))


def as_kept(evidence: Evidence) -> Evidence:
    """What is kept of it: never the folder; the commit only where no branch is told, since a branch says more."""
    return Evidence(evidence.repository, evidence.branch, "" if evidence.branch else evidence.commit)


def fuller(one: Evidence, other: Evidence) -> Evidence:
    """The one that says more: of two sources of one call, whatever their order. Never a mixture of both."""
    return max(one, other, key=_says)


def together(told: Sequence[Told]) -> Told:
    """What several sessions told, as one."""
    return Told(
        {evidence: name for one in told for evidence, name in one.evidence.items()},
        tuple(dict.fromkeys(link for one in told for link in one.links)),
        tuple(dict.fromkeys(made for one in told for made in one.commits)),
    )


def learn(
    books: Books,
    session_id: str,
    evidence: Iterable[Evidence],
    links: Sequence[PullRequestLink] = (),
    commits: Sequence[CommitMade] = (),
) -> Told:
    """Keep what is new of this; answers everything the session has told."""
    known = books.evidence_of(session_id)
    new = sorted({as_kept(one) for one in evidence} - {NOWHERE} - known.keys(), key=_says)[: MOST_PLACES - len(known)]
    if new:
        known |= books.add_evidence(session_id, new)
    kept_links, new_links = _learn_links(books, session_id, links)
    kept_commits, new_commits = _learn_commits(books, session_id, commits)
    return Told(known, kept_links, kept_commits, tuple(new), bool(new) or new_links or new_commits)


def _learn_links(
    books: Books, session_id: str, told: Sequence[PullRequestLink]
) -> tuple[tuple[PullRequestLink, ...], bool]:
    known = {(link.repository, link.number, link.branch): link.at for link in books.links_of(session_id)}
    news = False
    for link in told:
        key = (link.repository.lower(), link.number, link.branch)
        if key in known:
            at = _earlier(known[key], link.at)
            if at == known[key]:
                continue
        elif len(known) >= MOST_LINKS:
            continue
        else:
            at = link.at
        known[key], news = at, True
        books.keep_link(session_id, PullRequestLink(*key, at))
    return tuple(PullRequestLink(*key, at) for key, at in sorted(known.items(), key=lambda one: one[0])), news


def _learn_commits(books: Books, session_id: str, told: Sequence[CommitMade]) -> tuple[tuple[CommitMade, ...], bool]:
    known = {(made.sha, made.repository, made.branch): made.at for made in books.commits_of(session_id)}
    news = False
    for made in told:
        key = (made.sha, made.repository.lower(), made.branch)
        if key in known:
            at = _earlier(known[key], made.at)
            if at == known[key]:
                continue
        elif len(known) >= MOST_COMMITS:
            continue
        else:
            at = made.at
        known[key], news = at, True
        books.keep_commit(session_id, CommitMade(*key, at))
    return tuple(CommitMade(*key, at) for key, at in sorted(known.items(), key=lambda one: one[0])), news


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """What happened has happened at the first time told; any time is better than none."""
    return min((at for at in (one, other) if at is not None), default=None)


def _says(evidence: Evidence) -> tuple[bool, bool, bool, str, str, str]:
    branch, repository, commit = evidence.branch, evidence.repository, evidence.commit
    return bool(branch), bool(repository), bool(commit), repository, branch, commit
