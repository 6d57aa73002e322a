"""What sessions told of where their calls were made, and what GitHub said of their commits, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from app.store.memory_tables import MemoryPart
from app.store.sql_evidence import MOST_ON_BRANCH, beginnings
from tabstop.evidence import CommitMade, Evidence, PullRequestLink


class MemoryEvidence(MemoryPart):
    """The part of `app.ledger.books.Books` about evidence."""

    def evidence_of(self, session_id: str) -> dict[Evidence, int]:
        """See `Books`."""
        return {told: found for found, (session, told) in self._t.evidence.items() if session == session_id}

    def evidence(self, ids: Iterable[int]) -> dict[int, Evidence]:
        """See `Books`."""
        return {found: self._t.evidence[found][1] for found in set(ids) if found in self._t.evidence}

    def add_evidence(self, session_id: str, told: Sequence[Evidence]) -> dict[Evidence, int]:
        """See `Books`."""
        ids = {replace(one, folder=""): self.new_id() for one in told}
        for one, evidence_id in ids.items():
            self._put(self._t.evidence, evidence_id, (session_id, one))
        return ids

    def links_of(self, session_id: str) -> list[PullRequestLink]:
        """See `Books`."""
        mine = [(key[1:], at) for key, at in self._t.links.items() if key[0] == session_id]
        return [PullRequestLink(*key, at) for key, at in sorted(mine, key=lambda one: one[0])]

    def keep_link(self, session_id: str, link: PullRequestLink) -> None:
        """See `Books`."""
        key = (session_id, link.repository.lower(), link.number, link.branch)
        self._put(self._t.links, key, link.at)

    def commits_of(self, session_id: str) -> list[CommitMade]:
        """See `Books`."""
        mine = [(key[1:], at) for key, at in self._t.commits.items() if key[0] == session_id]
        return [CommitMade(*key, at) for key, at in sorted(mine, key=lambda one: one[0])]

    def keep_commit(self, session_id: str, commit: CommitMade) -> None:
        """See `Books`."""
        key = (session_id, commit.sha, commit.repository.lower(), commit.branch)
        self._put(self._t.commits, key, commit.at)

    def sessions_that_saw(self, repository: str, number: int, branch: str, sha: str) -> list[str]:
        """See `Books`."""
        linked = {key[0] for key in self._t.links if key[1:3] == (repository.lower(), number)}
        on_branch = [
            session for _, (session, told) in sorted(self._t.evidence.items()) if branch and told.branch == branch
        ]
        names = set(beginnings(sha))
        return sorted(
            linked | set(on_branch[-MOST_ON_BRANCH:]) | {key[0] for key in self._t.commits if key[1] in names}
        )

    def pulls_of_commits(self, repository_id: int, shas: Iterable[str]) -> dict[str, tuple[tuple[int, ...], datetime]]:
        """See `Books`."""
        wanted = {(repository_id, sha) for sha in shas}
        return {key[1]: self._t.pulls_of_commits[key] for key in sorted(wanted & self._t.pulls_of_commits.keys())}

    def keep_pulls_of_commit(self, repository_id: int, sha: str, numbers: Sequence[int], now: datetime) -> None:
        """See `Books`."""
        self._put(self._t.pulls_of_commits, (repository_id, sha), (tuple(numbers), now))
