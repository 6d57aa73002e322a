"""Evidence on the wire: what of it is taken at all, as the core's values, and what a session's end adds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from app.ledger.books import SessionRow
from app.ledger.evidence import ask_again
from app.ledger.told import learn
from app.registry import Transaction
from tabstop.evidence import (
    LONGEST_NAME,
    MOST_COMMITS,
    MOST_LINKS,
    NOWHERE,
    CommitMade,
    Evidence,
    PullRequestLink,
    branch_named,
    commit_named,
)
from tabstop.window import chargeable_at
from tabstop.wire import Call, EndRequest, UsageBatch

LARGEST_NUMBER = 10**9
"""Of a pull request: far beyond any repository's, and it fits every database."""


def evidence_of(call: Call) -> Evidence:
    """What a call of the wire tells of where it was made."""
    if not (call.repository or call.branch or call.commit):
        return NOWHERE
    return Evidence(call.repository, branch_named(call.branch), commit_named(call.commit))


def link_within(link: PullRequestLink, now: datetime) -> PullRequestLink:
    """The link, its time kept where a call's would be."""
    at = None if link.at is None else chargeable_at(link.at, now)
    return PullRequestLink(link.repository, link.number, branch_named(link.branch), at)


def commit_within(made: CommitMade, now: datetime) -> CommitMade:
    """The commit, likewise."""
    at = None if made.at is None else chargeable_at(made.at, now)
    return CommitMade(commit_named(made.sha), made.repository, branch_named(made.branch), at)


def problems_of_evidence(batch: UsageBatch) -> Iterator[str]:
    """Texts that are longer than what they could name, or name nothing; they are kept and shown."""
    if len(batch.pull_requests) > MOST_LINKS:
        yield f"{len(batch.pull_requests)} pull requests in one batch; at most {MOST_LINKS}"
    if len(batch.commits) > MOST_COMMITS:
        yield f"{len(batch.commits)} commits in one batch; at most {MOST_COMMITS}"
    for number, call in enumerate(batch.calls):
        if call.repository or call.branch or call.commit:
            yield from _names(f"calls[{number}]", call.repository, call.branch)
            yield from _commit(f"calls[{number}].commit", call.commit, needed=False)
    for number, link in enumerate(batch.pull_requests):
        yield from _names(f"pull_requests[{number}]", link.repository, link.branch)
        if not link.repository:
            yield f"pull_requests[{number}].repository: found nothing, expected owner/name"
        if not 0 < link.number < LARGEST_NUMBER:
            yield f"pull_requests[{number}].number: found {link.number}, expected 1 to {LARGEST_NUMBER:,}"
    for number, made in enumerate(batch.commits):
        yield from _names(f"commits[{number}]", made.repository, made.branch)
        yield from _commit(f"commits[{number}].sha", made.sha, needed=True)


def learn_from_end(books: Transaction, session: SessionRow, request: EndRequest, now: datetime) -> SessionRow:
    """Keep the branch and the pull request that a session's end names, as what its client saw last."""
    branch = branch_named(request.branch[:LONGEST_NAME])
    number = request.pull_request
    repository = books.repository(session.repository_id)
    links = []
    if repository is not None and number is not None and 0 < number < LARGEST_NUMBER:
        links.append(PullRequestLink(repository.full_name, number, branch))
    if not links and not branch:
        return session
    told = learn(books, session.id, (), links)
    after = replace(session, has_evidence=True, ended_on=branch or session.ended_on)
    if told.news or after != session:
        books.change_session(after)
        ask_again(books, session.id, now)
    return after


def _names(path: str, repository: str, branch: str) -> Iterator[str]:
    for name, text in (("repository", repository), ("branch", branch)):
        if len(text) > LONGEST_NAME or not text.isprintable():
            yield f"{path}.{name}: found {text[:60]!r}, expected up to {LONGEST_NAME} printable characters"


def _commit(path: str, sha: str, *, needed: bool) -> Iterator[str]:
    if (sha or needed) and not commit_named(sha):
        yield f"{path}: found {sha[:70]!r}, expected 7 to 64 hexadecimal digits"
