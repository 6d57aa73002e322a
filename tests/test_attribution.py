"""The evidence ladder as a table: what a session told and what is known → where a call lies, and how surely."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from tabstop.attribution import Attribution, Confidence, Known, KnownPullRequest, Work
from tabstop.evidence import NOWHERE, CommitMade, Evidence, PullRequestLink
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


def pull(number: int, branch: str, ended: float | None = None, repository: str = WIDGET) -> KnownPullRequest:
    """A pull request in the books."""
    return KnownPullRequest(repository, number, branch, None if ended is None else at(ended))


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

CASES = [
    # 1. Proven
    Case("a proven run", on("b"), (WIDGET, "a", PROVEN), RUN_ON_7, run=True),
    Case("a proven run, elsewhere", on("b", repository=SITE), (WIDGET, "a", PROVEN), RUN_ON_7, run=True),
    # 2. The client's own link
    Case("a link", on("a"), (WIDGET, "a", VERIFIED), links=(link(7, "a"),), pulls=(pull(7, "a"),)),
    Case(
        "a link in other letters",
        on("a", repository="ACME/widget"),
        (WIDGET, "a", VERIFIED),
        links=(link(7, "a", repository="acme/WIDGET"),),
        pulls=(pull(7, "a", repository="Acme/Widget"),),
    ),
    Case("a link GitHub has not told of", on("a"), (WIDGET, "a", CLAIMED), links=(link(7, "a"),)),
    Case("pushed as another name", on("wip"), (WIDGET, "a", CLAIMED), links=(link(7, "wip"),), pulls=(pull(7, "a"),)),
    Case(
        "pushed as another name, after its merge",
        on("wip"),
        (WIDGET, "wip", CLAIMED),
        minute=200,
        links=(link(7, "wip"),),
        pulls=(pull(7, "a", ended=100),),
    ),
    Case(
        "pushed as another name, and a commit says the same",
        on("wip"),
        (WIDGET, "a", VERIFIED),
        links=(link(7, "wip"),),
        commits=(made(SHA, "wip"),),
        pulls=(pull(7, "a"),),
        known_commits={SHA: ((WIDGET, 7),)},
    ),
    Case(
        "one local branch, two pull requests, the second",
        on("wip"),
        (WIDGET, "b", CLAIMED),
        minute=30,
        links=(link(7, "wip", 0), link(8, "wip", 20)),
        pulls=(pull(7, "a"), pull(8, "b")),
    ),
    Case(
        "one local branch, two pull requests, the first",
        on("wip"),
        (WIDGET, "a", CLAIMED),
        minute=10,
        links=(link(8, "wip", 20), link(7, "wip", 0)),
        pulls=(pull(7, "a"), pull(8, "b")),
    ),
    Case(
        "a branch of its own beats a link to another",
        on("b"),
        (WIDGET, "b", CLAIMED),
        links=(link(7, "b"),),
        pulls=(pull(7, "a"), pull(8, "b")),
    ),
    Case(
        "a link seen on the default branch, before it",
        on("main"),
        (WIDGET, "a", INFERRED),
        links=(link(7, "main", 5),),
        pulls=(pull(7, "a"),),
    ),
    Case(
        "a link seen on the default branch, long after it",
        on("main"),
        (WIDGET, "", REPOSITORY_ONLY),
        minute=9,
        links=(link(7, "main", 5),),
        pulls=(pull(7, "a"),),
    ),
    Case("a link seen on no branch", on(""), (WIDGET, "a", INFERRED), links=(link(7, "", 5),), pulls=(pull(7, "a"),)),
    Case("no branch after a link", on(""), (WIDGET, "a", INFERRED), minute=9, links=(link(7),), pulls=(pull(7, "a"),)),
    Case(
        "a link without a time", on("main"), (WIDGET, "a", INFERRED), links=(link(7, "", None),), pulls=(pull(7, "a"),)
    ),
    Case("a link nobody knows, seen on main", on("main"), (WIDGET, "", REPOSITORY_ONLY), links=(link(7, "main", 5),)),
    Case("somebody else's link", on("a"), (WIDGET, "a", CLAIMED), links=(link(7, "a", repository="eve/widget"),)),
    # 3. Commits
    Case(
        "a commit in its pull request",
        on("a"),
        (WIDGET, "a", VERIFIED),
        commits=(made("0123456", "a"),),
        pulls=(pull(7, "a"),),
        known_commits={"0123456": ((WIDGET, 7),)},
    ),
    Case(
        "a commit in its pull request, after one that was dropped from it",
        on("a"),
        (WIDGET, "a", VERIFIED),
        commits=(made("fedcba9", "a", 1), made(SHA, "a", 2)),
        pulls=(pull(7, "a"),),
        known_commits={SHA: ((WIDGET, 7),)},
    ),
    Case(
        "a renamed branch",
        on("wip"),
        (WIDGET, "a", VERIFIED),
        commits=(made("0123456", "wip"),),
        pulls=(pull(7, "a"),),
        known_commits={SHA: ((WIDGET, 7),)},
    ),
    Case(
        "a renamed branch with another stacked on it",
        on("wip"),
        (WIDGET, "a", VERIFIED),
        commits=(made(SHA, "wip"),),
        pulls=(pull(9, "b"), pull(7, "a")),
        known_commits={"0123456789": ((WIDGET, 9), (WIDGET, 7))},
    ),
    Case(
        "stacked, the lower one",
        on("a"),
        (WIDGET, "a", VERIFIED),
        commits=(made(SHA, "a"),),
        pulls=(pull(7, "a"), pull(8, "b")),
        known_commits={SHA: ((WIDGET, 7), (WIDGET, 8))},
    ),
    Case(
        "stacked, the upper one begins at the lower one's commit",
        on("b", SHA),
        (WIDGET, "b", CLAIMED),
        commits=(made(SHA, "a"),),
        pulls=(pull(7, "a"), pull(8, "b")),
        known_commits={SHA: ((WIDGET, 7), (WIDGET, 8))},
    ),
    Case(
        "a detached head at a commit of an open one",
        on("", SHA),
        (WIDGET, "a", VERIFIED),
        pulls=(pull(7, "a"),),
        known_commits={SHA[:8]: ((WIDGET, 7),)},
    ),
    Case(
        "a detached head at the merge commit of a merged one",
        on("", SHA),
        (WIDGET, "", REPOSITORY_ONLY),
        minute=1,
        pulls=(pull(7, "a", ended=0),),
        known_commits={SHA: ((WIDGET, 7),)},
    ),
    Case(
        "main at the merge commit of a merged one",
        on("main", SHA),
        (WIDGET, "", REPOSITORY_ONLY),
        pulls=(pull(7, "a"),),
        known_commits={SHA: ((WIDGET, 7),)},
    ),
    Case("a detached head at our own commit", on("", SHA), (WIDGET, "b", CLAIMED), commits=(made("0123456", "b", 9),)),
    Case(
        "a detached head at another commit that begins alike",
        on("", SHA),
        (WIDGET, "b", INFERRED),
        commits=(made("0123456fff", "b", 9),),
    ),
    Case(
        "a detached head at our own commit on main",
        on("", SHA),
        (WIDGET, "", REPOSITORY_ONLY),
        commits=(made(SHA, "main", -5),),
    ),
    Case(
        "six digits are no commit", on("", SHA), (WIDGET, "", REPOSITORY_ONLY), known_commits={"012345": ((WIDGET, 7),)}
    ),
    Case(
        "a commit made on main and moved to a branch",
        on("main"),
        (WIDGET, "a", INFERRED),
        commits=(made(SHA, "main", 5),),
        pulls=(pull(7, "a"),),
        known_commits={SHA: ((WIDGET, 7),)},
    ),
    Case(
        "one local branch, a commit for each of two pull requests, the first",
        on("wip"),
        (WIDGET, "a", VERIFIED),
        minute=3,
        commits=(made("fedcba9", "wip", 9), made(SHA, "wip", 5)),
        pulls=(pull(7, "a"), pull(8, "b")),
        known_commits={SHA: ((WIDGET, 7),), "fedcba9": ((WIDGET, 8),)},
    ),
    Case(
        "one local branch, a commit for each of two pull requests, after both",
        on("wip"),
        (WIDGET, "b", VERIFIED),
        minute=10,
        commits=(made("fedcba9", "wip", 9), made(SHA, "wip", 5)),
        pulls=(pull(7, "a"), pull(8, "b")),
        known_commits={SHA: ((WIDGET, 7),), "fedcba9": ((WIDGET, 8),)},
    ),
    # 4. The branch's tab
    Case("a branch", on("a"), (WIDGET, "a", CLAIMED)),
    Case("the branch of the start", on("a"), (WIDGET, "a", CLAIMED), LAPTOP_ON_A),
    Case("another branch than the start's", on("b"), (WIDGET, "b", CLAIMED), LAPTOP_ON_A),
    Case("another repository of ours", on("x", repository=SITE), (SITE, "x", CLAIMED), LAPTOP_ON_A),
    Case("main is a branch like any other there", on("main", repository=SITE), (SITE, "main", CLAIMED)),
    Case("no repository told", on("a", repository=""), (WIDGET, "a", CLAIMED)),
    # 5. What it led to
    Case("main before a commit", on("main"), (WIDGET, "a", INFERRED), commits=(made(SHA, "a", 5),)),
    Case(
        "main before a branch with a pull request",
        on("main"),
        (WIDGET, "a", INFERRED),
        others=((5, on("a")),),
        pulls=(pull(7, "a"),),
    ),
    Case("main before a branch only looked at", on("main"), (WIDGET, "", REPOSITORY_ONLY), others=((5, on("a")),)),
    Case(
        "main before a look at one branch and a commit on another",
        on("main"),
        (WIDGET, "b", INFERRED),
        others=((5, on("a")), (6, on("b"))),
        commits=(made(SHA, "b", 7),),
    ),
    Case("main after everything", on("main"), (WIDGET, "", REPOSITORY_ONLY), LAPTOP_ON_A, 9, ((5, on("a")),)),
    Case("main before work elsewhere", on("main"), (WIDGET, "", REPOSITORY_ONLY), commits=(made(SHA, "x", 5, SITE),)),
    Case("no branch, on another before", on(""), (WIDGET, "b", INFERRED), LAPTOP_ON_A, 9, ((5, on("b")),)),
    Case("no branch, on the first before", on(""), (WIDGET, "a", CLAIMED), LAPTOP_ON_A, 9, ((5, on("a")),)),
    Case("no branch, before the first", on(""), (WIDGET, "a", CLAIMED), LAPTOP_ON_A, 1, ((5, on("b")),)),
    Case("no branch, before a commit", on(""), (WIDGET, "b", INFERRED), commits=(made(SHA, "b", 5),)),
    Case("what its end said", on("main"), (WIDGET, "claude/1", INFERRED), RUN_ON_MAIN, run=True, ended_on="claude/1"),
    Case("its end said main", on("main"), (WIDGET, "", REPOSITORY_ONLY), RUN_ON_MAIN, run=True, ended_on="main"),
    Case("braces", on("main"), (WIDGET, "{0}{x}", INFERRED), commits=(made(SHA, "{0}{x}", 5),)),
    # 6. The start
    Case("nothing told", NOWHERE, (WIDGET, "a", CLAIMED), LAPTOP_ON_A),
    Case(
        "no branch, before it came to the start's",
        on(""),
        (WIDGET, "a", INFERRED),
        LAPTOP_ON_A,
        others=((5, on("a")),),
        pulls=(pull(7, "a"),),
    ),
    Case("no branch, before it looked at the start's", on(""), (WIDGET, "a", CLAIMED), LAPTOP_ON_A, 0, ((5, on("a")),)),
    Case(
        "the start's branch, after its merge", on("a"), (WIDGET, "a", CLAIMED), LAPTOP_ON_A, 9, pulls=(pull(7, "a", 5),)
    ),
    Case("nothing told on main", NOWHERE, (WIDGET, "", REPOSITORY_ONLY), LAPTOP),
    Case("a comment started it", on("main"), (WIDGET, "a", VERIFIED), COMMENT_ON_7, run=True),
    Case("a comment started it, work elsewhere", on("b"), (WIDGET, "b", CLAIMED), COMMENT_ON_7, run=True),
    # Generations, forks, places without a tab
    Case("a reused branch, the old one", on("a"), (WIDGET, "a", CLAIMED), pulls=(pull(7, "a", 60), pull(9, "a"))),
    Case(
        "a fork's clone",
        on("patch", repository="Eve/widget"),
        (WIDGET, "eve:patch", CLAIMED),
        pulls=(pull(7, "eve:patch"),),
    ),
    Case(
        "a fork's clone with a link",
        on("patch", repository="eve/gadget"),
        (WIDGET, "eve:patch", CLAIMED),
        links=(link(7, "patch"),),
        pulls=(pull(7, "eve:patch"),),
    ),
    Case(
        "a fork's main",
        on("main", repository="eve/widget"),
        (WIDGET, "eve:patch", INFERRED),
        links=(link(7, "patch", 5),),
        pulls=(pull(7, "eve:patch"),),
    ),
    Case(
        "a fork's main that is itself the pull request's",
        on("main", repository="eve/widget"),
        (WIDGET, "eve:main", CLAIMED),
        minute=9,
        pulls=(pull(7, "eve:main"),),
    ),
    Case(
        "a fork's branch without a pull request",
        on("other", repository="eve/widget"),
        ("", "", ENGINEER_ONLY),
        pulls=(pull(7, "eve:patch"),),
    ),
    Case("somebody's own", on("a", repository="alice/dotfiles"), ("", "", ENGINEER_ONLY)),
    Case("somebody's own again", on("main", repository="alice/dotfiles"), ("", "", ENGINEER_ONLY), LAPTOP_ON_A),
    Case("no repository", NOWHERE, ("", "", ENGINEER_ONLY), NOBODYS),
    Case(
        "nobody's",
        on("a", repository="alice/dotfiles"),
        ("", "", Confidence.UNATTRIBUTED),
        has_engineer=False,
    ),
    Case("a run names another", on("x", repository=SITE), (WIDGET, "", REPOSITORY_ONLY), RUN_ON_MAIN, run=True),
    Case("a run names a stranger", on("x", repository="eve/x"), (WIDGET, "", REPOSITORY_ONLY), RUN_ON_MAIN, run=True),
    Case("a run's own branch", on("claude/1"), (WIDGET, "claude/1", CLAIMED), RUN_ON_MAIN, run=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_where_a_call_lies(case: Case) -> None:
    """Each history by itself. Names come out in lower case; a reason is always given."""
    placed = case.placed()
    assert (placed.repository.lower(), placed.branch, placed.confidence) == case.lies
    assert placed.reason


def test_order_of_arrival_does_not_matter() -> None:
    """Calls, links and commits in any order give the same places."""
    calls = ((at(0), on("main")), (at(1), on("wip")), (at(2), on("")), (at(3), on("b")), (at(4), on("main")))
    links = (link(7, "wip", 1), link(8, "b", 3), link(9, "wip", 2))
    commits = (made(SHA, "wip", 1), made("fedcba9", "b", 3))
    pulls = (pull(7, "a"), pull(8, "b"), pull(9, "c"))
    found = {SHA: ((WIDGET, 7), (WIDGET, 9)), "fedcba9": ((WIDGET, 8),)}
    seen = set()
    for order in permutations(range(3)):
        shuffled = Work(
            LAPTOP,
            tuple(reversed(calls)) if order[0] else calls,
            tuple(links[n] for n in order),
            commits[:: order[0] or 1],
        )
        ladder = Ladder(shuffled, Known(REPOSITORIES, tuple(pulls[n] for n in order), found))
        seen.add(tuple(ladder.place(*call) for call in calls))
    first = seen.pop()
    assert [one.branch for one in first] == ["a", "a", "c", "b", ""]


@pytest.mark.parametrize(("minute", "number"), [(59, 7), (60, 9)])
def test_a_reused_branch_is_another_pull_requests(minute: float, number: int) -> None:
    """By when the first ended."""
    case = Case("", on("a"), (WIDGET, "a", CLAIMED), minute=minute, pulls=(pull(7, "a", 60), pull(9, "a")))
    assert case.placed().pull_request == number


def test_what_led_to_a_reused_branch_belongs_to_its_new_life() -> None:
    """Work on main before the first pull request ended, and the second one's branch was begun only after."""
    pulls = (pull(7, "a", 60), pull(9, "a"))
    case = Case("", on("main"), (WIDGET, "a", INFERRED), minute=30, others=((90, on("a")),), pulls=pulls)
    assert (case.placed().pull_request, case.placed().branch_at) == (9, at(90))


def test_a_renamed_repository_is_one() -> None:
    """Calls, links and commits by its old name and by the new one."""
    names = {"acme/gizmo": WIDGET}
    work = Work(
        LAPTOP,
        ((at(0), on("main", repository="Acme/Gizmo")), (at(1), on("a", repository="acme/gizmo"))),
        (link(7, "a", 2, "acme/GIZMO"),),
        (made(SHA, "b", 3, "acme/gizmo"),),
    )
    ladder = Ladder(work, Known({WIDGET: "main"}, (pull(7, "a"), pull(8, "b")), {SHA: ((WIDGET, 8),)}, names))
    placed = [ladder.place(*call) for call in (*work.calls, (at(3), on("b")))]
    assert [(one.repository, one.branch, one.confidence) for one in placed] == [
        (WIDGET, "a", INFERRED),
        (WIDGET, "a", VERIFIED),
        (WIDGET, "b", VERIFIED),
    ]


@pytest.mark.parametrize(
    ("start", "told", "run", "says"),
    [
        (LAPTOP, on("main"), False, "work on main, the default branch, led to no pull request"),
        (LAPTOP, on(""), False, "no branch is told, and the session led to no pull request"),
        (LAPTOP, NOWHERE, False, LAPTOP.reason),
        (RUN_ON_MAIN, on("main"), True, RUN_ON_MAIN.reason),
    ],
)
def test_why_it_lies_on_no_tab(start: Attribution, told: Evidence, says: str, *, run: bool) -> None:
    """What the call tells says more than how its session was begun; a run's place was found out, not told."""
    placed = Case("", told, (WIDGET, "", REPOSITORY_ONLY), start, run=run).placed()
    assert (placed.confidence, placed.reason) == (REPOSITORY_ONLY, says)
