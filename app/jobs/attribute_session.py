"""attribute_session: decide again where everything a session did belongs, with GitHub asked for what is not known.

payload: session; by_itself where another session asks. Asked for when a session tells something new and when GitHub tells of
a pull request that the session may be about. Then the sessions beside it, which go by what it told too, are asked for by
themselves; these ask nobody. Jobs of one session that wait are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.events.adoption import Sighting, record
from app.github_api.protocol import GitHubError, GitHubInstallation, RemotePullRequest
from app.jobs.asking_github import asking_github, installed
from app.ledger.attribute_again import attribute_again
from app.ledger.company import Company
from app.ledger.evidence import ask_others
from app.ledger.known import Registered, work_of
from app.ledger.told import Told, learn
from app.registry import Repository, Transaction
from app.world import NotYetError, World
from tabstop.attribution import AT_THE_END

MOST_QUESTIONS = 50
"""Of each kind in one run of this job: what a session names is its machine's word, and asking is everybody's rate limit."""

NEXT = timedelta(minutes=1)
"""After which the rest is asked."""

ASKED_LATELY = timedelta(minutes=10)
"""For how long GitHub's word that a commit is in no pull request is not asked for again."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What GitHub has to be asked: pull requests that links name, and commits. more: whether there are commits it never was asked about."""

    pull_requests: tuple[tuple[Repository, int], ...] = ()
    commits: tuple[tuple[Repository, str], ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """What GitHub said. commits: the numbers of the pull requests each is in."""

    pull_requests: tuple[tuple[Repository, RemotePullRequest], ...] = ()
    commits: tuple[tuple[Repository, str, tuple[int, ...]], ...] = ()


@asking_github()
def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Load, ask, move. While GitHub cannot be asked everything is placed by what is known, and asked for again."""
    if organization_id is None:
        return
    session_id, now = str(payload["session"]), world.now()
    by_itself = bool(payload.get("by_itself"))
    with world.store.look(organization_id) as db:
        github = None if by_itself else installed(world, db.organization())
        unknown = _unknown(db, session_id, now) if github is not None else Unknown()

    answered, refusal = _ask(github, unknown) if github is not None else (Answered(), None)

    with world.store.open(organization_id) as db:
        _keep(db, answered, now)
        session = db.session(session_id)
        if session is not None:
            engineer = db.engineer(session.engineer_id) if session.engineer_id is not None else None
            policy = db.policy_in_force(session.repository_id).policy
            attribute_again(db, session, policy, engineer.login if engineer else "", now)
            if not by_itself and db.shares_calls(session.id):
                ask_others(db, Company(db, session).to_ask(), now)
    if refusal is not None:
        raise refusal
    if unknown.more:
        raise NotYetError("GitHub is asked about the rest of this session's commits in a minute.", now + NEXT)


def _unknown(db: Transaction, session_id: str, now: datetime) -> Unknown:
    session = db.session(session_id)
    if session is None or not session.has_evidence:
        return Unknown()
    told = learn(db, session_id, ())
    own = work_of(db, session).start.repository
    registered = Registered(db)
    pulls = {
        (repository.id, link.number): (repository, link.number)
        for link in told.links
        if (repository := registered.repository(link.repository)) is not None
        and db.pull_request(repository.id, link.number) is None
    }
    new, again = {}, {}
    for name, sha in _in_turn(told, own):
        repository = registered.base_of(name)
        if repository is not None:
            answer = db.pulls_of_commits(repository.id, [sha]).get(sha)
            if answer is None:
                new[repository.id, sha] = repository, sha
            elif not answer[0] and answer[1] <= now - ASKED_LATELY:
                again[repository.id, sha] = repository, sha
    return Unknown(
        tuple(pulls.values())[:MOST_QUESTIONS],
        (*new.values(), *again.values())[:MOST_QUESTIONS],
        more=len(new) > MOST_QUESTIONS,
    )


def _in_turn(told: Told, own: str) -> list[tuple[str, str]]:
    """Repository and commit: of each branch the newest, then the second newest, and so on."""
    turns = [(0, one.repository or own, one.commit) for one in told.evidence if one.commit]
    seen: Counter[tuple[str, str]] = Counter()
    for made in sorted(told.commits, key=lambda made: made.at or AT_THE_END, reverse=True):
        seen[made.repository, made.branch] += 1
        turns.append((seen[made.repository, made.branch], made.repository or own, made.sha))
    return [one[1:] for one in sorted(turns, key=lambda turn: turn[0])]


def _ask(github: GitHubInstallation, unknown: Unknown) -> tuple[Answered, GitHubError | None]:
    """What GitHub says, up to where it refuses."""
    pulls: list[tuple[Repository, RemotePullRequest]] = []
    commits: list[tuple[Repository, str, tuple[int, ...]]] = []
    refusal = None
    try:
        for repository, number in unknown.pull_requests:
            found = github.pull_request(repository.full_name, number)
            if found is not None:
                pulls.append((repository, found))
        for repository, sha in unknown.commits:
            seen = list(github.pull_requests_of_commit(repository.full_name, sha))
            pulls += [(repository, one) for one in seen]
            commits.append((repository, sha, tuple(sorted(one.number for one in seen))))
    except GitHubError as error:
        refusal = error
    return Answered(tuple(pulls), tuple(commits)), refusal


def _keep(db: Transaction, answered: Answered, now: datetime) -> None:
    for repository, remote in answered.pull_requests:
        record(db, repository, Sighting(remote, now, certain=True))
    for repository, sha, numbers in answered.commits:
        known = numbers or tuple(_with_head(db, repository, sha))
        db.keep_pulls_of_commit(repository.id, sha, known, now)


def _with_head(db: Transaction, repository: Repository, sha: str) -> Iterator[int]:
    """GitHub answers nothing for a fork's commits (github.com/pulumi/registry/issues/12160): its head can still be told."""
    for pull_request in db.open_pull_requests(repository.id):
        if pull_request.head_sha.startswith(sha):
            yield pull_request.number
