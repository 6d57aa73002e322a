"""One history for the evidence ladder: what a session told and what is known, and where its call then lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tabstop.attribution import Attribution, Confidence, Known, KnownPullRequest, Work
from tabstop.evidence import CommitMade, Evidence, PullRequestLink
from tabstop.evidence_ladder import Ladder

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WIDGET = "acme/widget"
SITE = "acme/site"
REPOSITORIES = {"Acme/Widget": "main", SITE: "trunk"}

LAPTOP = Attribution(WIDGET, "", "named by the engineer's own token", Confidence.REPOSITORY_ONLY)
LAPTOP_ON_A = Attribution(WIDGET, "a", "named by the engineer's own token", Confidence.CLAIMED)
RUN_ON_7 = Attribution(WIDGET, "a", "proven by the run's identity token", Confidence.PROVEN, 7)
RUN_ON_MAIN = Attribution(WIDGET, "", "a run on the default branch", Confidence.REPOSITORY_ONLY)
COMMENT_ON_7 = Attribution(WIDGET, "a", "verified through GitHub's API", Confidence.VERIFIED, 7)
NOBODYS = Attribution("", "", "outside", Confidence.ENGINEER_ONLY)


def at(minutes: float) -> datetime:
    """A moment after `NOW`."""
    return NOW + timedelta(minutes=minutes)


def on(branch: str, commit: str = "", repository: str = WIDGET) -> Evidence:
    """A call's evidence."""
    return Evidence(repository, branch, commit, "/home/alice/widget")


def link(number: int, branch: str = "", minutes: float | None = 0, repository: str = WIDGET) -> PullRequestLink:
    """A pull request seen."""
    return PullRequestLink(repository, number, branch, None if minutes is None else at(minutes))


def made(sha: str, branch: str = "", minutes: float | None = 0, repository: str = "") -> CommitMade:
    """A commit made."""
    return CommitMade(sha, repository, branch, None if minutes is None else at(minutes))


def pull(
    number: int, branch: str, ended: float | None = None, repository: str = WIDGET, *, opened: float | None = None
) -> KnownPullRequest:
    """A pull request in the books."""
    ended_at, opened_at = (None if minutes is None else at(minutes) for minutes in (ended, opened))
    return KnownPullRequest(repository, number, branch, ended_at, opened_at)


@dataclass(frozen=True)
class Case:
    """One history. call: the evidence of the call that is placed, made at minute `minute`. others: (minute, evidence)."""

    name: str
    call: Evidence
    lies: tuple[str, str, Confidence]
    start: Attribution = LAPTOP
    minute: float = 0
    others: tuple[tuple[float, Evidence], ...] = ()
    links: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()
    pulls: tuple[KnownPullRequest, ...] = ()
    known_commits: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    run: bool = False
    has_engineer: bool = True
    ended_on: str = ""

    def ladder(self) -> Ladder:
        """For the whole session, the call included."""
        calls = tuple((at(minute), evidence) for minute, evidence in (*self.others, (self.minute, self.call)))
        work = Work(
            self.start,
            calls,
            self.links,
            self.commits,
            self.ended_on,
            has_engineer=self.has_engineer,
            own_repository_only=self.run,
        )
        return Ladder(work, Known(REPOSITORIES, self.pulls, self.known_commits))

    def placed(self) -> Attribution:
        """Where the call lies."""
        return self.ladder().place(at(self.minute), self.call)


PROVEN, VERIFIED, CLAIMED = Confidence.PROVEN, Confidence.VERIFIED, Confidence.CLAIMED
INFERRED, REPOSITORY_ONLY, ENGINEER_ONLY = Confidence.INFERRED, Confidence.REPOSITORY_ONLY, Confidence.ENGINEER_ONLY
SHA = "0123456789abcdef0123456789abcdef01234567"
