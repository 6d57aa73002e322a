"""Default branches: which branch of a repository is the default one, which ones were, and what is work on them."""

from __future__ import annotations

from datetime import datetime

from tabstop.attribution import A_MOMENT, Known, KnownPullRequest


class DefaultBranches:
    """Those of the repositories that are known; a fork's are taken to be those of the repository it came from."""

    def __init__(self, known: Known) -> None:
        """Sort them by name, and by what a repository has in common with its forks."""
        self._forks = known.forks
        self._now = {name.lower(): branch for name, branch in known.default_branches.items()}
        self._of_family = {self.family(name): branch for name, branch in self._now.items()}
        self._former = {name.lower(): former for name, former in known.former_defaults.items() if former}
        self._former_of_family = {self.family(name): former for name, former in self._former.items()}
        self._heads: dict[tuple[str, str], list[KnownPullRequest]] = {}
        for one in known.pull_requests if self._former else ():
            self._heads.setdefault((one.repository.lower(), one.branch), []).append(one)

    def __contains__(self, repository: str) -> bool:
        """Whether it is one of those repositories, by its name in lower case; no fork is."""
        return repository in self._now

    def of(self, repository: str) -> str | None:
        """The default branch of now."""
        return self._now.get(repository) or self._of_family.get(self.family(repository))

    def include(self, repository: str, branch: str, at: datetime) -> bool:
        """Whether work on this branch was work on the default one.

        Also on one that was it before: clones go on with it that were not told. But one that has been a pull request's head
        since is a branch like any other from then on.
        """
        until = self._until(repository, branch) if self._former else None
        if until is None:
            return branch == self.of(repository)
        heads = self._heads.get((repository, branch), ())
        return at < until or not any(one.covers(until + A_MOMENT) for one in heads)

    def has_ceased(self, repository: str, branch: str, at: datetime) -> bool:
        """Whether it was the default branch before, and no longer then."""
        until = self._until(repository, branch)
        return until is not None and until <= at

    def family(self, repository: str) -> str:
        """What a repository has in common with its forks: its name without the owner."""
        return self._forks.get(repository, repository).partition("/")[2]

    def _until(self, repository: str, branch: str) -> datetime | None:
        """Until when this was the default branch; None for the one of now, and for every other."""
        if branch == self.of(repository):
            return None
        family = self._former_of_family.get(self.family(repository), {})
        return (self._former.get(repository, {}) if repository in self else family).get(branch)
