"""The evidence ladder as a table: an identity token, the client's own links and its commits → where a call lies, and how surely."""

from __future__ import annotations

import pytest

from tests.ladder_case import (
    CLAIMED,
    INFERRED,
    PROVEN,
    REPOSITORY_ONLY,
    RUN_ON_7,
    SHA,
    SITE,
    VERIFIED,
    WIDGET,
    Case,
    link,
    made,
    on,
    pull,
)

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
        "committed on main, and a release's pull request has main as its head",
        on("main"),
        (WIDGET, "", REPOSITORY_ONLY),
        commits=(made(SHA, "main", 5),),
        pulls=(pull(7, "main"),),
        known_commits={SHA: ((WIDGET, 7),)},
    ),
    Case(
        "main's commit checked out, and a release's pull request has it",
        on("", SHA),
        (WIDGET, "", REPOSITORY_ONLY),
        pulls=(pull(7, "main"),),
        known_commits={SHA: ((WIDGET, 7),)},
    ),
    Case(
        "somebody's pull request, spoken of",
        on("wip"),
        (WIDGET, "wip", CLAIMED),
        links=(link(7, "wip"),),
        pulls=(pull(7, "a", opened=-60),),
    ),
    Case(
        "somebody's pull request, spoken of from a branch, and main before",
        on("main"),
        (WIDGET, "", REPOSITORY_ONLY),
        links=(link(7, "wip", 5),),
        pulls=(pull(7, "a", opened=-60),),
    ),
    Case(
        "somebody's pull request, spoken of from main",
        on("main"),
        (WIDGET, "a", INFERRED),
        links=(link(7, "main", 5),),
        pulls=(pull(7, "a", opened=-60),),
    ),
    Case(
        "a fork's pull request, seen again",
        on("main", repository="eve/widget"),
        (WIDGET, "eve:a", INFERRED),
        links=(link(7, "a", 5),),
        pulls=(pull(7, "eve:a", opened=-60),),
    ),
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
        others=((10, on("b")),),
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
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_where_a_call_lies(case: Case) -> None:
    """Each history by itself. Names come out in lower case; a reason is always given."""
    placed = case.placed()
    assert (placed.repository.lower(), placed.branch, placed.confidence) == case.lies
    assert placed.reason
