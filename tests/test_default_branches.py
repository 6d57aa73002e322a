"""Default branches: what counts as work on one, while it is the default branch, after that, and in forks."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tabstop.attribution import Attribution, Confidence, Known, KnownPullRequest, Work
from tabstop.default_branches import DefaultBranches
from tabstop.evidence import CommitMade, Evidence, PullRequestLink
from tabstop.evidence_ladder import Ladder
from tests.ladder_case import LAPTOP, LAPTOP_ON_A, SITE, WIDGET, at, link, made, on, pull

SINCE = 60
"""The minute from which on `trunk` is the default branch of acme/widget; until then it was `main`."""

SHA = "0123456789abcdef0123456789abcdef01234567"


def known(*pulls: KnownPullRequest, commits: dict[str, tuple[tuple[str, int], ...]] | None = None) -> Known:
    """The books, with these pull requests."""
    defaults = {"Acme/Widget": "trunk", SITE: "trunk"}
    former = {"Acme/Widget": {"main": at(SINCE), "trunk": at(-SINCE)}, SITE: {}}
    return Known(defaults, pulls, commits or {}, forks={"eve/gizmo": WIDGET}, former_defaults=former)


@pytest.mark.parametrize(
    ("repository", "branch", "minute", "heads", "is_one"),
    [
        (WIDGET, "trunk", 0, [], True),
        (WIDGET, "trunk", 0, [pull(7, "trunk")], True),
        (WIDGET, "main", 0, [], True),
        (WIDGET, "main", SINCE, [], True),
        (WIDGET, "feature", SINCE, [], False),
        (WIDGET, "Main", SINCE, [], False),
        # its own pull request
        (WIDGET, "main", SINCE - 1, [pull(7, "main")], True),
        (WIDGET, "main", SINCE, [pull(7, "main")], False),
        (WIDGET, "main", SINCE, [pull(7, "main", SINCE * 9)], False),
        (WIDGET, "main", SINCE, [pull(7, "main", SINCE - 1)], True),
        (WIDGET, "main", SINCE, [pull(7, "main", SINCE + 1)], True),  # renaming its head closed it
        (WIDGET, "main", SINCE, [pull(7, "main", repository=SITE)], True),
        (WIDGET, "main", SINCE, [pull(7, "eve:main")], True),
        # other repositories
        (SITE, "main", 0, [], False),
        ("eve/widget", "main", SINCE, [], True),
        ("eve/widget", "trunk", SINCE, [], True),
        ("eve/gizmo", "main", SINCE, [pull(7, "main")], True),
        ("eve/other", "main", 0, [], False),
    ],
)
def test_what_counts_as_the_default_branch(
    repository: str, branch: str, minute: float, heads: list[KnownPullRequest], *, is_one: bool
) -> None:
    """The one of now at any time, a former one too, unless it has been a pull request's head since."""
    assert DefaultBranches(known(*heads)).include(repository, branch, at(minute)) is is_one


@dataclass(frozen=True)
class Case:
    """One call on a branch, at a minute; where it lies, and what else its session did."""

    name: str
    branch: str
    minute: float
    lies: tuple[str, Confidence]
    reason: str
    start: Attribution = LAPTOP
    others: tuple[tuple[float, Evidence], ...] = ()
    links: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()
    pulls: tuple[KnownPullRequest, ...] = ()


NOWHERE = ("", Confidence.REPOSITORY_ONLY)

CASES = [
    Case(
        "while it was the default branch",
        *("main", 0, NOWHERE),
        "work on main, the default branch, led to no pull request",
    ),
    Case(
        "after it was",
        *("main", SINCE, NOWHERE),
        "work on main, a former default branch, led to no pull request",
    ),
    Case(
        "on the new one",
        *("trunk", SINCE, NOWHERE),
        "work on trunk, the default branch, led to no pull request",
    ),
    Case(
        "a session that was begun on it as on a branch",
        *("main", SINCE, NOWHERE),
        "work on main, a former default branch, led to no pull request",
        start=Attribution(WIDGET, "main", LAPTOP_ON_A.reason, Confidence.CLAIMED),
    ),
    Case(
        "it led to a branch",
        *("main", SINCE, ("a", Confidence.INFERRED)),
        "work on main that led to a in this session",
        others=((SINCE + 1, on("a")),),
        pulls=(pull(7, "a"),),
    ),
    Case(
        "a commit on it is in a pull request",
        *("main", SINCE, ("a", Confidence.INFERRED)),
        "work on main that led to a in this session",
        commits=(made(SHA, "main", SINCE + 1),),
        pulls=(pull(7, "a"),),
    ),
    Case(
        "a pull request seen from it, opened before",
        *("main", SINCE, ("a", Confidence.INFERRED)),
        "work on main that led to a in this session",
        links=(link(7, "main", SINCE + 30),),
        pulls=(pull(7, "a", opened=0),),
    ),
    Case(
        "it has its own pull request since",
        *("main", SINCE, ("main", Confidence.CLAIMED)),
        "the branch that was checked out",
        pulls=(pull(7, "main", opened=SINCE + 1),),
    ),
    Case(
        "a pull request of its own led nowhere while it was the default branch",
        *("main", 0, NOWHERE),
        "work on main, the default branch, led to no pull request",
        links=(link(7, "main", 1),),
        pulls=(pull(7, "main", 2, opened=1),),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_where_a_call_on_it_lies(case: Case) -> None:
    """By the rules for the default branch, or for any other."""
    call = (at(case.minute), on(case.branch))
    work = Work(case.start, (*((at(minute), there) for minute, there in case.others), call), case.links, case.commits)
    ladder = Ladder(work, known(*case.pulls, commits={SHA: ((WIDGET, 7),)}))
    placed = ladder.place(*call)
    assert (placed.branch, placed.confidence, placed.reason) == (*case.lies, case.reason)
    assert placed.repository == WIDGET
