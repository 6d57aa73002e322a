"""Local usage facts: what all agents' logs on this machine tell together, as `tabstop.beside.local_usage` gives it."""

from __future__ import annotations

import msgspec

from tabstop.evidence import CommitMade, PullRequestLink
from tabstop.usage_groups import UsageGroup


class SessionFacts(msgspec.Struct, frozen=True, array_like=True):
    """What one session tells of where it belongs, beside its calls."""

    agent: str
    session: str
    pull_requests: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()


class SkippedLines(msgspec.Struct, frozen=True, array_like=True):
    """Lines of one file that could not be used. first: the first fifty, (number from 1, reason); reasons: all, counted.

    A call with more tokens than it can have has the number 0: it may be told by several lines.
    """

    path: str
    first: tuple[tuple[int, str], ...]
    reasons: dict[str, int]


class LocalUsage(msgspec.Struct, frozen=True, array_like=True):
    """What the logs tell.

    groups: oldest first. sessions: those with a pull request or a commit. files: how many there are; read: how many of them were
    opened this time, the others are known from the cache. unread: files that could not be read, or not to their end, each with the reason.
    unpriced: calls by model of which no price is known. own_prices: working trees whose policies name prices; False where such a
    policy has a problem, and the list's prices were taken.
    """

    groups: tuple[UsageGroup, ...] = ()
    sessions: tuple[SessionFacts, ...] = ()
    skipped: tuple[SkippedLines, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    unpriced: dict[str, int] = {}
    files: int = 0
    read: int = 0
    own_prices: tuple[tuple[str, bool], ...] = ()

    @property
    def folders(self) -> set[str]:
        """Where agents worked."""
        return {group.folder for group in self.groups if group.folder}
