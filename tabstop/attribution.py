"""Attribution: where a call of a session belongs, why and how surely; what a session tells, and what is known of it.

`tabstop.evidence_ladder` decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from tabstop.evidence import CommitMade, Evidence, PullRequestLink

AT_THE_END = datetime.max.replace(tzinfo=UTC)
"""When what a session tells without a time was seen: after everything else."""

A_MOMENT = timedelta(minutes=10)
"""Between a pull request's opening, by GitHub's clock, and what a client says of it, by its own."""


class Confidence(StrEnum):
    """How surely a call lies where it lies; of one without a tab, what it has in its stead."""

    PROVEN = "proven"
    """By an identity token."""
    VERIFIED = "verified"
    """Told by a machine, and GitHub says the same."""
    CLAIMED = "claimed"
    """Told by a machine; nothing contradicts it."""
    INFERRED = "inferred"
    """Concluded from what happened before or after."""
    MANUAL = "manual"
    """Somebody said so."""
    REPOSITORY_ONLY = "repository only"
    ENGINEER_ONLY = "engineer only"
    UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Where a call belongs. repository: empty for none of the organization's. branch: the tab's, empty for no tab.

    branch_at: when the session was on the branch, where that was at another time than the call: a branch is used again.
    """

    repository: str
    branch: str
    reason: str
    confidence: Confidence
    pull_request: int | None = None
    branch_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownPullRequest:
    """A pull request as the books have it. branch: its tab's, `owner:branch` from a fork. ended_at: merged or closed then.

    opened_at: None where nobody tells.
    """

    repository: str
    number: int
    branch: str
    ended_at: datetime | None = None
    opened_at: datetime | None = None

    def covers(self, at: datetime) -> bool:
        """Whether it had not ended by then; what is told without a time may be about any."""
        return self.ended_at is None or at < self.ended_at or at == AT_THE_END

    def was_opened(self, seen: datetime | None) -> bool:
        """Whether what a client saw then may be its opening: it also tells of those it comments on, merges or checks out."""
        return seen is None or self.opened_at is None or seen - self.opened_at < A_MOMENT


@dataclass(frozen=True, slots=True)
class Known:
    """What the books and GitHub say of what a session tells. Letters' case does not matter in repositories' names.

    default_branches: of those repositories that are the organization's; former_defaults: theirs of before, each with until when.
    commits: the pull requests (repository, number) that a commit is in, by the name the session gave it.
    names: what a repository is called now, by what it was called; in lower case.
    forks: of others' repositories the organization's that they are forks of, in lower case; one that is not listed has the name of its fork.
    """

    default_branches: Mapping[str, str] = field(default_factory=dict)
    pull_requests: tuple[KnownPullRequest, ...] = ()
    commits: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    forks: Mapping[str, str] = field(default_factory=dict)
    former_defaults: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """What one session tells of itself.

    start: where it was placed as a whole. calls: when and where each was made. ended_on: the branch it said at its end that it
    had worked on. has_engineer: whether somebody answers for it, so that work outside of the organization's repositories is
    theirs. own_repository_only: its word counts for no other repository (a workflow run's).
    """

    start: Attribution
    calls: tuple[tuple[datetime, Evidence], ...] = ()
    links: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()
    ended_on: str = ""
    has_engineer: bool = True
    own_repository_only: bool = False
