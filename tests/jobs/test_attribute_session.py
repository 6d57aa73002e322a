"""Where a session's calls end up: split by their own evidence, moved when more is known, and the same whatever came first."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from app.github_api.protocol import GitHubError
from app.jobs.attribute_session import MOST_QUESTIONS
from app.ledger.attribute_again import attribute_again
from app.ledger.books import Job
from app.ledger.evidence import SETTLES
from app.ledger.move import move
from tabstop.attribution import Confidence
from tabstop.budget import Scope
from tabstop.evidence import MOST_COMMITS, NOWHERE, CommitMade, Evidence, PullRequestLink
from tabstop.money import dollars
from tests.jobs.laptop import Laptop, a_laptop, later, on
from tests.jobs.town import NOW, SITE, WIDGET, Town, audit_rows

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def laptop(town: Town) -> Laptop:
    """On the default branch of a repository whose pull request #1 has the branch `feature-1`."""
    town.opened(1)
    return a_laptop(town)


W, S = WIDGET.full_name, SITE.full_name
ON_MAIN = ("", W, "repository only")


def test_calls_lie_where_they_were_made(laptop: Laptop) -> None:
    """One session over two branches, another repository and somebody's own; at once, without any job."""
    laptop.tell(
        ("a", 0, NOWHERE),
        ("b", 1, on("main")),
        ("c", 2, on("feature-1")),
        ("d", 3, on("feature-2", W)),
        ("e", 4, on("fix", S.upper())),
        ("f", 5, on("main", "alice/dotfiles")),
    )
    assert laptop.lies() == {
        "a": ("feature-1", W, "inferred"),
        "b": ("feature-1", W, "inferred"),
        "c": ("feature-1", W, "claimed"),
        "d": ("feature-2", W, "claimed"),
        "e": ("fix", S, "claimed"),
        "f": ("", "", "engineer only"),
    }


def test_each_place_has_its_budgets(laptop: Laptop) -> None:
    """What is used in another repository is that one's spend, by its policy; the engineer's is one."""
    laptop.tell(("a", 0, on("main")), ("b", 1, on("fix", S)), ("c", 2, on("x", "alice/dotfiles")))
    with laptop.town.books() as db:
        spent = {
            (budget.key.scope, budget.key.subject_id): budget.spent.nano // dollars("1")
            for budget in db.all_budgets(NOW)
            if budget.spent.nano
        }
        fix = db.open_tab(laptop.town.repository(SITE).id, "fix", NOW)
    assert spent == {
        (Scope.REPOSITORY, laptop.town.repository().id): 1,
        (Scope.REPOSITORY, laptop.town.repository(SITE).id): 1,
        (Scope.TAB, fix.id): 1,
        (Scope.ENGINEER, laptop.session.engineer_id): 3,
        (Scope.ORGANIZATION, laptop.town.org): 3,
    }


@pytest.mark.parametrize("first", ["logs", "proxy"])
def test_what_only_a_proxy_saw_lies_where_its_thread_worked(town: Town, first: str) -> None:
    """A compaction is in no log, and the proxy does not know the branch: the client's own session does, of this thread."""
    town.opened(1)
    town.opened(2)
    logs, proxy = a_laptop(town), a_laptop(town)

    def by_logs() -> None:
        logs.tell(("a", 0, on("feature-1")), ("d", 6, on("feature-1")), thread="one")
        logs.tell(("b", 3, on("feature-2")), thread="two")

    def by_proxy() -> None:
        proxy.tell(("a", 0, NOWHERE), ("c", 4, NOWHERE), ("d", 6, NOWHERE), thread="one")
        proxy.tell(("b", 3, NOWHERE), ("e", 5, NOWHERE), thread="two")

    for tell in (by_logs, by_proxy) if first == "logs" else (by_proxy, by_logs):
        tell()
        town.settle()
    lies = logs.lies() | proxy.lies()
    assert {key: branch for key, (branch, _, _) in sorted(lies.items())} == {
        "a": "feature-1", "b": "feature-2", "c": "feature-1", "d": "feature-1", "e": "feature-2",
    }  # fmt: skip
    assert lies["c"][2] == "inferred"
    assert town.dead() == []


@pytest.mark.parametrize("first", ["theirs", "proxy"])
@pytest.mark.parametrize("whose", [{"engineer_id": 9_999}, {"engineer_id": None, "person": None}, {"run_id": "7"}])
def test_nobody_elses_word_takes_a_thread_anywhere(town: Town, first: str, whose: dict[str, object]) -> None:
    """Not of another engineer, nor of nobody, nor of a run, which speaks for itself: who knows a call's key and its thread's name
    could else have it paid by a tab of their choice.
    """
    town.opened(1)
    proxy = a_laptop(town)
    theirs = Laptop(town, town.start("", **{"place_confidence": Confidence.REPOSITORY_ONLY, **whose}))

    def by_them() -> None:
        theirs.tell(("a", 0, on("feature-1")), thread="one", links=[PullRequestLink(W, 1, "feature-1", later(1))])

    def by_proxy() -> None:
        proxy.tell(("a", 0, NOWHERE), ("b", 4, NOWHERE), thread="one")

    for tell in (by_them, by_proxy) if first == "theirs" else (by_proxy, by_them):
        tell()
        town.settle()
    assert proxy.lies()["b"] == ON_MAIN
    assert proxy.lies().get("a", ON_MAIN) == ON_MAIN
    assert town.dead() == []


@pytest.mark.parametrize(("whose", "branch"), [({}, "feature-1"), ({"engineer_id": 9_999}, "")])
def test_work_on_main_led_where_another_source_saw_it_go(town: Town, whose: dict[str, object], branch: str) -> None:
    """Whichever source told the first call: another of the same person knows what the thread came to."""
    town.opened(1)
    telemetry = a_laptop(town)
    logs = Laptop(town, town.start("", **{"place_confidence": Confidence.REPOSITORY_ONLY, **whose}))
    telemetry.tell(("a", 0, on("main")), thread="one")
    logs.tell(("a", 0, on("main")), ("b", 3, on("feature-1")), thread="one")
    telemetry.tell(("b", 3, NOWHERE), ("c", 4, on("main")), thread="one")
    town.settle()
    assert telemetry.lies()["a"][0] == branch
    assert town.dead() == []


@pytest.mark.parametrize(
    ("whose", "branch"),
    [
        ({}, "feature-1"),
        ({"place_confidence": Confidence.CLAIMED}, ""),
        ({"engineer_id": 9_999}, ""),
        ({"run_id": ""}, ""),
    ],
)
@pytest.mark.parametrize("first", ["telemetry", "run"])
def test_what_telemetry_has_nowhere_lies_where_the_run_proves(
    town: Town, first: str, whose: dict[str, object], branch: str
) -> None:
    """Its own person's run, whose token proves the pull request; nobody else's word takes a call anywhere."""
    town.opened(1)
    telemetry = a_laptop(town)
    run = Laptop(town, town.start("feature-1", **{"run_id": "7", "place_confidence": Confidence.PROVEN, **whose}))
    both = (telemetry, run) if first == "telemetry" else (run, telemetry)
    for one in both:
        one.tell(("a", 0, NOWHERE))
        town.settle()
    assert (telemetry.lies() | run.lies())["a"][0] == (branch if first == "telemetry" else "feature-1")
    assert town.dead() == []


def test_a_link_moves_what_came_before(laptop: Laptop) -> None:
    """The local branch has another name than the pull request's, which only the link tells; GitHub is asked for its head."""
    laptop.town.pull(7, head_branch="pushed")
    laptop.tell(("a", 0, on("main")), ("b", 1, on("wip")))
    laptop.town.settle()
    assert laptop.lies() == {"a": ON_MAIN, "b": ("wip", W, "claimed")}
    laptop.tell(links=[PullRequestLink(W.upper(), 7, "wip", later(2))])
    laptop.town.settle()
    assert laptop.lies() == {"a": ("pushed", W, "inferred"), "b": ("pushed", W, "claimed")}
    moved = audit_rows(laptop.town, "usage.moved")
    assert [len(row.body["usages"]) for row in moved] == [1, 1]
    assert "pull request #7" in str([row.body["why"] for row in moved])
    assert laptop.town.dead() == []


def test_both_checks_say_so(town: Town) -> None:
    """What is moved leaves one pull request's figures and comes to the other's."""
    town.opened(1)
    town.opened(2)
    laptop = a_laptop(town, "feature-1")
    laptop.tell(("a", 0, NOWHERE))
    town.settle()
    assert "$1.00" in town.check(1).check.title
    laptop.tell(links=[PullRequestLink(W, 2, "", later(-1))])
    town.settle()
    assert laptop.lies() == {"a": ("feature-2", W, "inferred")}
    assert town.check(1).check.title.startswith("No agent spend yet")
    assert "$1.00" in town.check(2).check.title


def test_a_commit_finds_its_pull_request(laptop: Laptop) -> None:
    """GitHub says what a commit is in; asked once while the answer is young, again when it said nothing."""
    laptop.tell(("a", 0, on("renamed")), commits=[CommitMade(SHA[:7], "", "renamed", later(1))])
    laptop.town.settle()
    assert laptop.lies() == {"a": ("renamed", W, "claimed")}
    asked = laptop.town.github.reads
    laptop.town.github.commits[W, SHA] = (1,)
    again(laptop)
    assert (laptop.lies()["a"][0], laptop.town.github.reads) == ("renamed", asked)
    laptop.town.pass_time(minutes=11)
    again(laptop)
    assert laptop.lies() == {"a": ("feature-1", W, "verified")}
    asked = laptop.town.github.reads
    again(laptop)
    assert laptop.town.github.reads == asked


def again(laptop: Laptop) -> None:
    """Run the job once more."""
    with laptop.town.books() as db:
        db.enqueue(Job("attribute_session", laptop.session.id, {"session": laptop.session.id}))
    laptop.town.work()


@pytest.mark.parametrize("fork", [False, True])
def test_a_pull_request_that_opens_later(laptop: Laptop, *, fork: bool) -> None:
    """Work on main that led to its branch, and work in a fork's clone, come to it when GitHub tells of it."""
    repository = "eve/widget" if fork else W
    laptop.tell(("a", 0, on("main", repository)), ("b", 1, on("new", repository)))
    laptop.town.settle()
    assert laptop.lies()["a"] == (("", "", "engineer only") if fork else ON_MAIN)
    head = {"head_repository_id": 666, "head_owner": "eve"} if fork else {}
    laptop.town.opened(8, head_branch="new", **head)
    laptop.town.settle()
    branch = "eve:new" if fork else "new"
    assert laptop.lies() == {"a": (branch, W, "inferred"), "b": (branch, W, "claimed")}


@pytest.mark.parametrize("told", ["at once", "later", "late and again"])
def test_a_fork_of_another_name(laptop: Laptop, told: str) -> None:
    """Its pull request says what it is called: whenever that is told, work in its clone comes to the pull request."""
    town = laptop.town
    laptop.tell(("a", 0, on("patch", "eve/Gizmo")), ("b", 1, on("other", "eve/gizmo")))
    town.settle()
    assert laptop.lies()["a"] == ("", "", "engineer only")
    first = "eve/gizmo" if told == "at once" else "eve/widget"
    fork = {"head_repository_id": 666, "head_owner": "eve", "head_branch": "patch"}
    town.opened(8, **fork, head_repository_name=first)
    for _ in range({"at once": 0, "later": 1, "late and again": 2}[told]):
        town.pull_event("edited", town.pull(8, head_repository_name="eve/gizmo"))
        town.settle()
    assert laptop.lies() == {"a": ("eve:patch", W, "claimed"), "b": ("", "", "engineer only")}
    with town.books() as db:
        assert db.former_names(town.repository().id) == []
    assert town.dead() == []


def test_a_push_of_our_commit_is_noticed(laptop: Laptop) -> None:
    """The pull request's branch has another name; its head is the commit."""
    laptop.tell(("a", 0, on("mine")), commits=[CommitMade(SHA[:9], "", "mine", later(1))])
    laptop.town.settle()
    laptop.town.github.commits[W, SHA] = (1,)
    laptop.town.pass_time(minutes=11)
    laptop.town.pull_event("synchronize", laptop.town.pull(1, head_sha=SHA))
    laptop.town.settle()
    assert laptop.lies() == {"a": ("feature-1", W, "verified")}


def test_a_reused_branch(laptop: Laptop) -> None:
    """Calls go to the generation whose life covers them: late ones to the ended tab, later ones to the next."""
    town = laptop.town
    town.at = later(60)
    town.pull_event("closed", town.pull(1, "merged"))
    town.settle()
    town.at = later(300)
    laptop.tell(("a", 30, on("feature-1")), ("b", 90, on("feature-1")), ("c", 200, on("feature-1")))
    assert {key: lies[0] for key, lies in laptop.lies().items()} == {
        "a": "feature-1",
        "b": "feature-1/2",
        "c": "feature-1/2",
    }


def test_a_proven_run_stays_where_it_is(town: Town) -> None:
    """Its log is a claim; it is kept, and moves nothing."""
    town.opened(1)
    laptop = a_laptop(town, run_id="5")
    laptop = Laptop(town, town.start("feature-1", place_confidence=Confidence.PROVEN, run_id="5"))
    laptop.tell(("a", 0, on("other")), ("b", 1, on("fix", S)), links=[PullRequestLink(W, 2, "other", later(0))])
    again(laptop)
    town.settle()
    assert set(laptop.lies().values()) == {("feature-1", W, "proven")}


def test_a_run_speaks_for_its_own_repository(town: Town) -> None:
    """Another one's calls stay with it, without a tab, and the place says why."""
    town.opened(1)
    laptop = a_laptop(town, run_id="5")
    laptop.tell(("a", 0, on("fix", S)), ("b", 1, on("feature-1", W)))
    town.settle()
    assert laptop.lies() == {"a": ON_MAIN, "b": ("feature-1", W, "claimed")}
    with town.books() as db:
        reasons = {db.places([row.place_id])[row.place_id].reason for row in db.usages_of(laptop.session.id)}
    assert f"a run speaks for its own repository only; its log names {S}" in reasons
    assert [(row.subject, row.body["names"]) for row in audit_rows(town, "evidence.refused")] == [
        (laptop.session.id, [S])
    ]


def test_somebodys_word_stands(laptop: Laptop) -> None:
    """What was placed by hand stays until it is released; then it goes where the evidence says."""
    laptop.tell(("a", 0, on("feature-1")), ("b", 1, on("feature-1")))
    with laptop.town.books() as db:
        tab = db.open_tab(laptop.town.repository().id, "mine", NOW)
        first = db.usages_of(laptop.session.id)[0]
        lies = db.places([first.place_id])[first.place_id]
        by_hand = replace(
            lies, tab_id=tab.id, reason="alice says so", confidence="manual", budget_ids=lies.budget_ids[1:]
        )
        move(db, [first.id], by_hand, why="test", steps=(), now=NOW)
    laptop.tell(links=[PullRequestLink(W, 1, "feature-1", later(2))])
    laptop.town.settle()
    assert laptop.lies() == {"a": ("mine", W, "manual"), "b": ("feature-1", W, "verified")}
    with laptop.town.books() as db:
        session = db.session(laptop.session.id)
        assert session
        policy = db.policy_in_force(session.repository_id).policy
        assert attribute_again(db, session, policy, "alice", NOW, release={first.id}) == 1
    assert laptop.lies()["a"] == ("feature-1", W, "verified")


def test_doing_it_again_changes_nothing(laptop: Laptop) -> None:
    """No entry, no audit row."""
    laptop.tell(
        ("a", 0, on("main")), ("b", 1, on("wip")), ("c", 2, NOWHERE), links=[PullRequestLink(W, 1, "wip", None)]
    )
    laptop.town.settle()
    with laptop.town.books() as db:
        before = db.all_entries()
    again(laptop)
    with laptop.town.books() as db:
        assert db.all_entries() == before


def test_nothing_waits_for_github(laptop: Laptop) -> None:
    """While it refuses, all is placed by what is known, and asked for again."""
    laptop.town.pull(7, head_branch="pushed")
    laptop.town.github.refusals = [GitHubError("later", status=503, retry_after=60)]
    laptop.tell(("a", 0, on("main")), ("b", 1, on("wip")), links=[PullRequestLink(W, 7, "wip", later(2))])
    laptop.town.pass_time(seconds=SETTLES.total_seconds())
    laptop.town.work()
    assert laptop.lies() == {"a": ("wip", W, "inferred"), "b": ("wip", W, "claimed")}
    laptop.town.settle(3)
    assert laptop.lies() == {"a": ("pushed", W, "inferred"), "b": ("pushed", W, "claimed")}


def test_nobody_floods_github(laptop: Laptop) -> None:
    """Whatever a machine names, only so much is kept, and only so much asked at a time; in the end everything is, once."""
    made = [CommitMade(f"{number:07x}", "", "b", later(1)) for number in range(MOST_COMMITS + 50)]
    laptop.tell(("a", 0, on("b")), commits=made)
    laptop.town.pass_time(seconds=SETTLES.total_seconds())
    laptop.town.work()
    with laptop.town.books() as db:
        kept = db.commits_of(laptop.session.id)
        asked = db.pulls_of_commits(laptop.town.repository().id, [one.sha for one in kept])
    assert (len(kept), len(asked)) == (MOST_COMMITS, MOST_QUESTIONS)
    runs = MOST_COMMITS // MOST_QUESTIONS
    for _ in range(runs):
        laptop.town.pass_time(minutes=1)
        laptop.town.work()
    with laptop.town.books() as db:
        asked = db.pulls_of_commits(laptop.town.repository().id, [one.sha for one in kept])
    reads = laptop.town.github.reads
    assert len(asked) == MOST_COMMITS
    laptop.town.pass_time(minutes=30)
    laptop.town.work()
    assert laptop.town.github.reads - reads < MOST_QUESTIONS


BATCHES: list[tuple[tuple[tuple[str, float, Evidence], ...], tuple[PullRequestLink, ...], tuple[CommitMade, ...]]] = [
    ((("a", 0, on("main")), ("b", 3, on("wip"))), (), ()),
    ((("c", 5, NOWHERE), ("d", 7, on("main"))), (PullRequestLink(W, 1, "wip", later(4)),), ()),
    ((("e", 9, on("other")), ("a", 0, on("main", W))), (), (CommitMade(SHA[:7], "", "other", later(8)),)),
    ((("f", 2, on("feature-2", W)), ("g", 6, on("", "", SHA))), (PullRequestLink(W, 1, "wip", None),), ()),
]


@pytest.mark.parametrize("order", list(permutations(range(4)))[::3])
def test_the_order_of_reports_does_not_matter(laptop: Laptop, order: tuple[int, ...]) -> None:
    """Nor does a job that runs between them."""
    for number in order:
        calls, links, commits = BATCHES[number]
        laptop.tell(*calls, links=links, commits=commits)
        if number % 2:
            laptop.town.settle(1)
    laptop.town.settle()
    assert laptop.lies() == {
        "a": ("feature-1", W, "inferred"),
        "b": ("feature-1", W, "claimed"),
        "c": ("feature-1", W, "inferred"),
        "d": ("other", W, "inferred"),
        "e": ("other", W, "claimed"),
        "f": ("feature-2", W, "claimed"),
        "g": ("other", W, "claimed"),
    }
