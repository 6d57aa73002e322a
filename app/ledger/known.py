"""Known: what the books say of the repositories, branches, pull requests and commits that a session names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from app.ledger.books import SessionRow
from app.registry import FORK, PullRequest, Repository, Transaction
from tabstop.attribution import Attribution, Confidence, Known, KnownPullRequest, Work
from tabstop.default_branches import DefaultBranches
from tabstop.evidence import CommitMade, Evidence, PullRequestLink


@dataclass(slots=True)
class Registered:
    """What was looked up so far, each thing once.

    repositories, bases: by name in lower case; None for none of the organization's, and for a fork of none. tabs: of pull requests,
    by repository, number and branch.
    """

    db: Transaction
    repositories: dict[str, Repository | None] = field(default_factory=dict)
    bases: dict[str, Repository | None] = field(default_factory=dict)
    pulls: dict[tuple[str, int], KnownPullRequest] = field(default_factory=dict)
    commits: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    tabs: dict[tuple[str, int, str], int] = field(default_factory=dict)

    def repository(self, name: str) -> Repository | None:
        """By the name it goes by now, or went by."""
        key = name.lower()
        if key not in self.repositories:
            self.repositories[key] = self.db.repository_by_name(key)
        return self.repositories[key]

    def base_of(self, name: str) -> Repository | None:
        """The repository itself, or the one of which it may be a fork: by a pull request's word, else the organization's of the same name."""
        key = name.lower()
        if key not in self.bases:
            self.bases[key] = self.repository(key) or self._base_of_fork(key)
        return self.bases[key]

    def _base_of_fork(self, name: str) -> Repository | None:
        told = self.db.repository_by_name(f"{FORK}{name}")
        like = f"{self.db.organization().login}/{name.partition('/')[2]}"
        return self.repository(told.full_name if told is not None else like)

    def look_up(
        self,
        own: str,
        evidence: Iterable[Evidence],
        links: Iterable[PullRequestLink],
        commits: Iterable[CommitMade],
    ) -> Known:
        """What is known of all this. own: the name of the session's repository."""
        made = list(commits)
        self._know_own(own)
        heads = {(one.repository or own, one.branch) for one in evidence} | {
            (c.repository or own, c.branch) for c in made
        }
        for name, branch in sorted(heads):
            self._branch(name, branch)
        for link in links:
            self._pull_request(link.repository, link.number)
        shas = {(one.repository or own, one.commit) for one in evidence if one.commit}
        for name, sha in sorted(shas | {(one.repository or own, one.sha) for one in made}):
            self._commit(name, sha)
        ours = {name: found for name, found in self.repositories.items() if found is not None}
        return Known(
            {found.full_name.lower(): found.default_branch for found in ours.values()},
            tuple(self.pulls[key] for key in sorted(self.pulls)),
            self.commits,
            {name: now for name, found in ours.items() if (now := found.full_name.lower()) != name},
            {
                name: base.full_name.lower()
                for name, base in self.bases.items()
                if base is not None and self.repository(name) is None
            },
            {found.full_name.lower(): self.db.former_defaults(found.id) for found in ours.values()},
        )

    def _know_own(self, name: str) -> None:
        """A name the session's own repository went by means that one, even if another has it by now."""
        repository = self.repository(name)
        if repository is not None:
            for former in self.db.former_names(repository.id):
                self.repositories[former] = repository

    def _branch(self, name: str, branch: str) -> None:
        repository = self.base_of(name) if name else None
        if repository is None or not branch:
            return
        ours = self.repository(name) is not None
        label = branch if ours else f"{name.partition('/')[0]}:{branch}"
        for tab in self.db.generations(repository.id, label):
            for pull_request in self.db.pull_requests_of_tab(tab.id):
                self._keep(repository, pull_request)

    def _pull_request(self, name: str, number: int) -> None:
        repository = self.repository(name)
        found = self.db.pull_request(repository.id, number) if repository is not None else None
        if repository is not None and found is not None:
            self._keep(repository, found)

    def _commit(self, name: str, sha: str) -> None:
        repository = self.base_of(name) if name else None
        if repository is None:
            return
        numbers, _ = self.db.pulls_of_commits(repository.id, [sha]).get(sha, ((), None))
        for number in numbers:
            self._pull_request(repository.full_name, number)
        if numbers:
            self.commits[sha] = tuple((repository.full_name.lower(), number) for number in numbers)

    def _keep(self, repository: Repository, found: PullRequest) -> None:
        ended_at = None
        if found.state != "open":
            tab = self.db.tab(found.tab_id)
            ended_at = found.ended_at or (tab.ended_at if tab else None) or found.updated_at
        key = (repository.full_name.lower(), found.number)
        self.tabs[(*key, found.head_branch)] = found.tab_id
        self.pulls[key] = KnownPullRequest(key[0], found.number, found.head_branch, ended_at, found.opened_at)


def is_default(db: Transaction, repository: Repository, branch: str, now: datetime) -> bool:
    """Whether whoever says to be on this branch now is on the default one, or on one of before that a clone goes on with."""
    if branch == repository.default_branch:
        return True
    if branch not in db.former_defaults(repository.id):
        return False
    known = Registered(db).look_up(repository.full_name, [Evidence(repository.full_name, branch)], (), ())
    return DefaultBranches(known).include(repository.full_name.lower(), branch, now)


def work_of(db: Transaction, session: SessionRow) -> Work:
    """The session without its calls, links and commits: where it began, and what its word counts for.

    A workflow run has a run's id or nobody who answers for it; an engineer's own token has neither.
    """
    place = db.places([session.place_id])[session.place_id]
    repository = db.repository(place.repository_id) if place.repository_id is not None else None
    tab = db.tab(place.tab_id) if place.tab_id is not None else None
    start = Attribution(
        repository.full_name.lower() if repository else "",
        tab.branch if tab else "",
        place.reason,
        Confidence(place.confidence) if place.confidence else Confidence.CLAIMED,
        session.pull_request,
    )
    return Work(
        start,
        ended_on=session.ended_on,
        has_engineer=session.engineer_id is not None,
        own_repository_only=bool(session.run_id) or session.engineer_id is None,
    )
