"""Placing: history → where each group of calls lands, why and how surely, from logs, local git and GitHub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from tabstop.attribution import Confidence
from tabstop.evidence import CommitMade
from tabstop.report.facts import Checkouts, Facts, PullRequest, Repository
from tabstop.report.placing import Linked, linked_repositories, place
from tabstop.usage_groups import UsageGroup
from tests.report.groups import at, group, link, linked

Where = tuple[str, str, int | None]


NOTHING = Facts()


@dataclass(frozen=True)
class History:
    """What happened, and where each group must land: (repository, branch, pull request)."""

    name: str
    groups: tuple[UsageGroup, ...]
    lands: tuple[Where, ...]
    confidence: tuple[Confidence, ...]
    links: Mapping[tuple[str, str], Linked] = field(default_factory=dict)
    facts: Facts = NOTHING


HOME = "/home/me/widget"
FOLDER = Facts(folders={HOME: "acme/widget"})
WIDGET = "acme/widget"
MERGED = datetime(2026, 11, 10, tzinfo=UTC)
CLAIMED, INFERRED, VERIFIED = Confidence.CLAIMED, Confidence.INFERRED, Confidence.VERIFIED
ONLY, NONE = Confidence.REPOSITORY_ONLY, Confidence.UNATTRIBUTED

HISTORIES = [
    History("a branch nobody opened a pull request of", (group(),), ((WIDGET, "feature/login", None),), (CLAIMED,)),
    History(
        "the client saw its pull request",
        (group(),), ((WIDGET, "feature/login", 41),), (CLAIMED,),
        linked(link(41, "feature/login")),
    ),
    History(
        "two sessions saw the same pull request: it is one",
        (group(), group(session="s2")), ((WIDGET, "feature/login", 41),) * 2, (CLAIMED, CLAIMED),
        {**linked(link(41, "feature/login")), **linked(link(41, "feature/login", when="2026-11-18 10:30"), session="s2")},
    ),
    History(
        "GitHub says the same",
        (group(),), ((WIDGET, "feature/login", 41),), (VERIFIED,),
        linked(link(41, "feature/login")),
        Facts(pull_requests=(PullRequest(WIDGET, 41, "feature/login"),)),
    ),
    History(
        "another session saw the branch's pull request",
        (group(), group(session="s2")), ((WIDGET, "feature/login", 41),) * 2, (CLAIMED, CLAIMED),
        linked(link(41, "feature/login")),
    ),
    History(
        "GitHub alone knows of it",
        (group(),), ((WIDGET, "feature/login", 41),), (CLAIMED,),
        facts=Facts(pull_requests=(PullRequest(WIDGET, 41, "feature/login"),)),
    ),
    History(
        "a branch used again after a merge is another pull request's",
        (group(when="2026-11-09 09:00"), group(when="2026-11-12 09:00")),
        ((WIDGET, "feature/login", 41), (WIDGET, "feature/login", 52)), (CLAIMED, CLAIMED),
        facts=Facts(pull_requests=(
            PullRequest(WIDGET, 41, "feature/login", ended_at=MERGED), PullRequest(WIDGET, 52, "feature/login"),
        )),
    ),
    History(
        "without GitHub, the next pull request's first sight ends the one before",
        (group(when="2026-11-09 09:00"), group(when="2026-11-12 09:30", session="s2")),
        ((WIDGET, "feature/login", 41), (WIDGET, "feature/login", 52)), (CLAIMED, CLAIMED),
        {
            **linked(link(41, "feature/login", when="2026-11-09 09:30")),
            **linked(link(52, "feature/login", when="2026-11-12 09:00"), session="s2"),
        },
    ),
    History("work on main alone", (group(branch="main"),), ((WIDGET, "", None),), (ONLY,)),
    History(
        "work on main before the branch was begun",
        (group(branch="main", when="2026-11-18 08:00"), group(when="2026-11-18 09:00")),
        ((WIDGET, "feature/login", 41),) * 2, (INFERRED, CLAIMED),
        linked(link(41, "feature/login")),
    ),
    History(
        "work on main before a commit on the branch",
        (group(branch="main", when="2026-11-18 08:00"), group(when="2026-11-18 09:00")),
        ((WIDGET, "feature/login", None),) * 2, (INFERRED, CLAIMED),
        linked(commits=(CommitMade("1a2b3c4", WIDGET, "feature/login", datetime(2026, 11, 18, 9, 10, tzinfo=UTC)),)),
    ),
    History(
        "a repository whose default branch is called otherwise",
        (group(branch="develop"),), ((WIDGET, "", None),), (ONLY,),
        facts=Facts(repositories={WIDGET: Repository(WIDGET, "develop")}),
    ),
    History("a repository that has only master", (group(branch="master"),), ((WIDGET, "", None),), (ONLY,)),
    History(
        "the log names only a folder, and git its repository",
        (group(repository="", folder=HOME),), ((WIDGET, "feature/login", None),), (CLAIMED,), facts=FOLDER,
    ),
    History(
        "a folder that is gone, named by another agent's log",
        (group(repository="", folder="/gone"), group(folder="/gone", session="s2")),
        ((WIDGET, "feature/login", None),) * 2, (CLAIMED, CLAIMED),
    ),
    History(
        "a folder that is gone, inside one in which its session was on the same branch",
        (group(repository="", folder=f"{HOME}/packages/a"), group(repository="", folder=HOME)),
        ((WIDGET, "feature/login", None),) * 2, (CLAIMED, CLAIMED), facts=FOLDER,
    ),
    History(
        "a folder that is gone, inside one in which its session was on another branch",
        (group(repository="", folder=f"{HOME}/clone", branch="fix"), group(repository="", folder=HOME)),
        (("", "", None), (WIDGET, "feature/login", None)), (NONE, CLAIMED), facts=FOLDER,
    ),
    History(
        "a folder that is gone, named by the pull request its session saw",
        (group(repository="", folder="/gone"),), ((WIDGET, "feature/login", 41),), (CLAIMED,),
        linked(link(41, "feature/login")),
    ),
    History(
        "a working tree that is gone and that nobody can name",
        (group(repository="", folder="/home/me/x"),), (("~/x", "feature/login", None),), (CLAIMED,),
        facts=Facts(elsewhere={"/home/me/x": "~/x"}),
    ),
    History(
        "no git at all", (group(repository="", branch="", folder="/tmp/x"),), (("", "", None),), (NONE,),
        facts=Facts(elsewhere={"/tmp/x": "/tmp/x"}),
    ),
    History("a log that names no folder", (group(repository="", branch=""),), (("", "", None),), (NONE,)),
    History(
        "a client that tells no branch: git's own log does",
        (group(branch="", folder=HOME, when="2026-11-18 09:00"), group(branch="", folder=HOME, when="2026-11-18 11:00")),
        ((WIDGET, "fix/a", None), (WIDGET, "fix/b", None)), (INFERRED, INFERRED),
        facts=Facts(folders={HOME: WIDGET}, checkouts={HOME: Checkouts("main", ((at("2026-11-18 08:00"), "fix/a"), (at("2026-11-18 10:00"), "fix/b")))}),
    ),
    History(
        "a client that saw an earlier switch: git's own log stands over it, but not in a quarter of an hour in which somebody switched",
        tuple(group(agent="codex", branch="main", folder=HOME, when=f"2026-11-18 {when}") for when in ("07:00", "08:00", "09:00", "10:00")),
        ((WIDGET, "", None), (WIDGET, "", None), (WIDGET, "fix/a", None), (WIDGET, "", None)), (ONLY, ONLY, INFERRED, ONLY),
        facts=Facts(folders={HOME: WIDGET}, checkouts={HOME: Checkouts("main", ((at("2026-11-18 08:05"), "fix/a"), (at("2026-11-18 10:05"), "main")))}),
    ),
    History("no branch is told, and git knows none", (group(branch=""),), ((WIDGET, "", None),), (ONLY,)),
    History(
        "a fork's clone, and the pull request in the repository it came from",
        (group(repository="me/widget"),), ((WIDGET, "feature/login", 41),), (CLAIMED,),
        linked(link(41, "feature/login")),
    ),
    History(
        "a fork by its remote `upstream`, known to GitHub",
        (group(repository="me/widget"),), ((WIDGET, "me:feature/login", 41),), (CLAIMED,),
        facts=Facts(
            repositories={"me/widget": Repository("me/widget", "main", fork_of=WIDGET)},
            pull_requests=(PullRequest(WIDGET, 41, "me:feature/login"),),
        ),
    ),
    History(
        "a fork's branch without a pull request",
        (group(repository="me/widget"), group(repository="me/widget", branch="main", session="s2")),
        (("me/widget", "feature/login", None), ("me/widget", "", None)), (CLAIMED, ONLY),
        facts=Facts(repositories={"me/widget": Repository("me/widget", "main", fork_of=WIDGET)}),
    ),
    History(
        "GitHub has another default branch than the clone was told",
        (group(branch="main"), group(branch="trunk", session="s2")), ((WIDGET, "", None), (WIDGET, "", None)), (ONLY, ONLY),
        facts=Facts(
            repositories={WIDGET: Repository(WIDGET, "main")},
            pull_requests=(PullRequest(WIDGET, 41, "feature/login", default_branch="trunk"),),
        ),
    ),
    History(
        "the same, and what the clone was told has a pull request of its own",
        (group(branch="main"),), ((WIDGET, "main", 41),), (CLAIMED,),
        facts=Facts(
            repositories={WIDGET: Repository(WIDGET, "main")},
            pull_requests=(PullRequest(WIDGET, 41, "main", default_branch="trunk"),),
        ),
    ),
    History("letters' case is kept as the first who named it wrote it", (group(repository="Acme/Widget"),), (("Acme/Widget", "feature/login", None),), (CLAIMED,)),
]  # fmt: skip


@pytest.mark.parametrize("history", HISTORIES, ids=lambda one: one.name)
def test_histories(history: History) -> None:
    """Each group lands where the table says, once, with a reason."""
    placed = place(history.groups, history.links, history.facts)
    found = {one.group: one for one in placed}
    assert [(p.repository, p.branch, p.pull_request) for p in map(found.__getitem__, history.groups)] == list(
        history.lands
    )
    assert [found[one].confidence for one in history.groups] == list(history.confidence)
    assert all(one.reason for one in placed)
    assert len(placed) == len(history.groups)


def test_reasons_are_those_of_the_ladder() -> None:
    """For people, and where git had to be asked, it is named."""
    facts = Facts(folders={HOME: WIDGET}, checkouts={HOME: Checkouts("fix/a")})
    placed = place(
        [group(), group(branch="", folder=HOME, session="s2"), group(branch="main", session="s3")], {}, facts
    )
    assert [one.reason for one in placed] == [
        "the branch that was checked out",
        "git had this branch checked out then",
        "work on main, the default branch, led to no pull request",
    ]


def test_github_is_asked_about_repositories_with_branches_only() -> None:
    """Not about folders, nor where only the default branch was worked on."""
    groups = [group(), group(repository="~/x", session="s2"), group(repository="acme/api", branch="main", session="s3")]
    groups.append(group(repository="/srv/x", session="s4"))
    assert linked_repositories(place(groups, {}, Facts())) == [WIDGET]
