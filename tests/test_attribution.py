"""The evidence ladder as a table: which branch, what it led to, how the session began, and what lies on no tab."""

from __future__ import annotations

from itertools import permutations

import pytest

from tabstop.attribution import Attribution, Confidence, Known, Work
from tabstop.evidence import NOWHERE, Evidence
from tabstop.evidence_ladder import Ladder
from tests.ladder_case import (
    CLAIMED,
    COMMENT_ON_7,
    ENGINEER_ONLY,
    INFERRED,
    LAPTOP,
    LAPTOP_ON_A,
    NOBODYS,
    REPOSITORIES,
    REPOSITORY_ONLY,
    RUN_ON_MAIN,
    SHA,
    SITE,
    VERIFIED,
    WIDGET,
    Case,
    at,
    link,
    made,
    on,
    pull,
)

CASES = [
    # 4. The branch's tab
    Case("a branch", on("a"), (WIDGET, "a", CLAIMED)),
    Case("the branch of the start", on("a"), (WIDGET, "a", CLAIMED), LAPTOP_ON_A),
    Case("another branch than the start's", on("b"), (WIDGET, "b", CLAIMED), LAPTOP_ON_A),
    Case("another repository of ours", on("x", repository=SITE), (SITE, "x", CLAIMED), LAPTOP_ON_A),
    Case("main is a branch like any other there", on("main", repository=SITE), (SITE, "main", CLAIMED)),
    Case("no repository told", on("a", repository=""), (WIDGET, "a", CLAIMED)),
    # 5. What it led to
    Case(
        "main before a commit",
        on("main"),
        (WIDGET, "a", INFERRED),
        others=((6, on("a")),),
        commits=(made(SHA, "a", 5),),
    ),
    Case(
        "main before a commit on a branch where it never stood",
        on("main"),
        (WIDGET, "", REPOSITORY_ONLY),
        commits=(made(SHA, "a", 5),),
    ),
    Case(
        "main before a commit on the branch of a pull request",
        on("main"),
        (WIDGET, "a", INFERRED),
        commits=(made(SHA, "a", 5),),
        pulls=(pull(7, "a"),),
    ),
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
    Case(
        "no branch, before a commit",
        on(""),
        (WIDGET, "b", INFERRED),
        others=((6, on("b")),),
        commits=(made(SHA, "b", 5),),
    ),
    Case("what its end said", on("main"), (WIDGET, "claude/1", INFERRED), RUN_ON_MAIN, run=True, ended_on="claude/1"),
    Case("its end said main", on("main"), (WIDGET, "", REPOSITORY_ONLY), RUN_ON_MAIN, run=True, ended_on="main"),
    Case(
        "braces",
        on("main"),
        (WIDGET, "{0}{x}", INFERRED),
        others=((6, on("{0}{x}")),),
        commits=(made(SHA, "{0}{x}", 5),),
    ),
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
