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
    """Lines of one file that could not be used. first: the first fifty, (number from 1, reason); reasons: all, counted."""

    path: str
    first: tuple[tuple[int, str], ...]
    reasons: dict[str, int]


class LocalUsage(msgspec.Struct, frozen=True, array_like=True):
    """What the logs tell.

    groups: oldest first. sessions: those with a pull request or a commit. files: how many there are; read: how many of them were
    opened this time, the others are known from the cache. unread: files that could not be opened, each with the reason.
    unpriced: calls by model of which no price is known.
    """

    groups: tuple[UsageGroup, ...] = ()
    sessions: tuple[SessionFacts, ...] = ()
    skipped: tuple[SkippedLines, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    unpriced: dict[str, int] = {}
    files: int = 0
    read: int = 0
