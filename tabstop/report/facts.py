"""What this machine and GitHub know beside the agents' logs: repositories of folders, branches, pull requests."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

_NONE: Mapping[Any, Any] = MappingProxyType({})


class Checkouts(NamedTuple):
    """Which branch a working tree had checked out when. changes: (seconds since 1970 UTC, branch), oldest first; empty: detached.

    before: the branch before the first change.
    """

    before: str = ""
    changes: tuple[tuple[int, str], ...] = ()

    def at(self, moment: int) -> str:
        """The branch at this second; empty for none."""
        number = bisect_right(self.changes, moment, key=lambda change: change[0])
        return self.changes[number - 1][1] if number else self.before

    def all_along(self, first: int, last: int) -> str:
        """The branch from one second to another, as far as the log tells of a switch before and of none between; else empty."""
        number = bisect_right(self.changes, first, key=lambda change: change[0])
        same = number and number == bisect_right(self.changes, last, key=lambda change: change[0])
        return self.changes[number - 1][1] if same else ""


class Repository(NamedTuple):
    """A repository on this machine. name: `owner/name`; of one without a remote, its folder (`~/src/widget`).

    default_branch: empty where nothing tells. branches: the local ones; merged: those that lie in the default branch.
    fork_of: the repository that its remote `upstream` names. on_github: its remotes at github.com, by name in lower case.
    """

    name: str
    default_branch: str = ""
    branches: frozenset[str] = frozenset()
    merged: frozenset[str] = frozenset()
    fork_of: str = ""
    on_github: frozenset[str] = frozenset()


class PullRequest(NamedTuple):
    """A pull request as GitHub tells it. branch: its head, `owner:branch` from a fork. state: `open`, `draft`, `merged`, `closed`."""

    repository: str
    number: int
    branch: str
    title: str = ""
    state: str = ""
    url: str = ""
    ended_at: datetime | None = None
    opened_at: datetime | None = None
    default_branch: str = ""


class Facts(NamedTuple):
    """All of it.

    folders: the repository's name by the folder an agent worked in; elsewhere: of the other folders, how people write them.
    checkouts: by folder. repositories: by name in lower case.
    """

    folders: Mapping[str, str] = _NONE
    elsewhere: Mapping[str, str] = _NONE
    checkouts: Mapping[str, Checkouts] = _NONE
    repositories: Mapping[str, Repository] = _NONE
    pull_requests: tuple[PullRequest, ...] = ()
