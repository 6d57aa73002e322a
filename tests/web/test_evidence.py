"""Where calls were made, told over the API: by an engineer's own token, by a run's, at a session's end, and by nobody honest."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.github_api.protocol import RemotePullRequest
from app.jobs.runner import Runner
from app.jobs.table import HANDLERS
from app.ledger.books import Job
from app.ledger.recompute import recompute
from app.registry import Repository
from tabstop.budget import Scope
from tabstop.evidence import MOST_LINKS
from tabstop.money import dollars
from tests.web.conftest import WIDGET, Bench, json_of

PLAIN = {"repository": "acme/widget", "branch": "main"}


@pytest.fixture
def site(bench: Bench) -> Repository:
    """Another repository of the organization."""
    with bench.world.store.open(bench.organization.id) as books:
        return books.save_repository(Repository(0, 2, "acme/site", "trunk"))


def alice(bench: Bench, **body: Any) -> TestResponse:
    """A session of her own, on the default branch unless told otherwise."""
    started = bench.start(token=bench.engineer_token("alice", "start"), **{**PLAIN, **body})
    assert started.status_code == 201, started.text
    return started


def a_run(bench: Bench) -> TestResponse:
    """A run on the default branch, started by nothing that names a pull request."""
    token = bench.token(event_name="schedule", branch="main")
    started = bench.start(token=token)
    assert started.status_code == 201, started.text
    return started


def lies(bench: Bench, started: TestResponse) -> list[tuple[str, str, str]]:
    """(repository, branch, confidence) of each usage, in the order they were made."""
    with bench.world.store.look(bench.organization.id) as books:
        rows = sorted(books.usages_of(json_of(started)["session"]), key=lambda row: (row.occurred_at, row.id))
        places = books.places({row.place_id for row in rows})
        found = []
        for row in rows:
            place = places[row.place_id]
            tab = books.tab(place.tab_id) if place.tab_id is not None else None
            repository = books.repository(place.repository_id) if place.repository_id is not None else None
            found.append((repository.full_name if repository else "", tab.branch if tab else "", place.confidence))
        return found


def work(bench: Bench) -> None:
    """Do the jobs of the next minute."""
    runner = Runner(bench.world, HANDLERS)
    for _ in range(6):
        bench.clock.pass_by(seconds=10)
        runner.drain(1_000)


def test_an_engineers_token_speaks_for_the_organization(bench: Bench, site: Repository) -> None:
    """Calls lie where they were made: branches, another repository, none of ours; her budget is one."""
    started = alice(bench)
    answer = bench.report(
        started,
        bench.a_call("1", branch="fix"),
        bench.a_call("2", repository="Acme/Site", branch="fix"),
        bench.a_call("3", repository="alice/dotfiles", branch="main"),
        bench.a_call("4", commit="0123456"),
    )
    assert answer.status_code == 200, answer.text
    assert sorted(lies(bench, started)) == [
        ("", "", "engineer only"),
        ("acme/site", "fix", "claimed"),
        ("acme/widget", "fix", "claimed"),
        ("acme/widget", "fix", "inferred"),
    ]
    assert site.id


def test_a_run_speaks_for_its_own_repository(bench: Bench, site: Repository) -> None:
    """What its log says of another one stays with it, without a tab."""
    started = a_run(bench)
    bench.report(started, bench.a_call("1", repository=site.full_name, branch="fix"), bench.a_call("2", branch="mine"))
    assert sorted(lies(bench, started)) == [
        ("acme/widget", "", "repository only"),
        ("acme/widget", "mine", "claimed"),
    ]


def test_a_proven_tab_is_not_argued_with(bench: Bench) -> None:
    """A `pull_request` run's calls lie on its pull request, whatever their log says."""
    started = bench.start()
    bench.report(started, bench.a_call("1", branch="other"), pull_requests=[{"repository": "acme/widget", "number": 9}])
    work(bench)
    assert lies(bench, started) == [("acme/widget", "claude/fix", "proven")]


@pytest.mark.parametrize("number", [None, 9])
def test_what_the_end_says_counts(bench: Bench, number: int | None) -> None:
    """A run that answers an issue makes its own branch; its calls on the default branch led to it."""
    head = "pushed" if number else "claude/issue-3"
    if number:
        remote = RemotePullRequest(
            9, "Fix", "open", False, "f" * 40, head, WIDGET, "acme", "main", 3, "alice", False, bench.clock.now
        )
        bench.github.put("acme/widget", remote)
    started = a_run(bench)
    bench.report(started, bench.a_call("1", branch="main"), bench.a_call("2"))
    answer = json_of(started)
    ended = bench.client.post(
        f"/api/v1/sessions/{answer['session']}/end",
        json={"outcome": "finished", "branch": "claude/issue-3", "pull_request": number},
        headers={"Authorization": f"Bearer {answer['token']}"},
    )
    assert ended.status_code == 200, ended.text
    work(bench)
    assert lies(bench, started) == [("acme/widget", head, "inferred")] * 2


def test_a_link_sent_twice_is_one(bench: Bench) -> None:
    """Told in every batch, it moves once; the answer knows the calls."""
    started = alice(bench)
    link = {"repository": "acme/widget", "number": 7, "branch": "fix", "at": bench.clock.now.isoformat()}
    made = {"sha": "ABCDEF0", "branch": "fix"}
    for _ in range(3):
        answer = bench.report(started, bench.a_call("1", branch="fix"), pull_requests=[link], commits=[made])
        assert answer.status_code == 200, answer.text
    work(bench)
    with bench.world.store.look(bench.organization.id) as books:
        session = json_of(started)["session"]
        assert len(books.links_of(session)) == 1
        assert [one.sha for one in books.commits_of(session)] == ["abcdef0"]
    assert lies(bench, started) == [("acme/widget", "fix", "claimed")]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"calls": [{"branch": "x" * 256}]}, "calls[0].branch"),
        ({"calls": [{"repository": "acme/wid\nget"}]}, "calls[0].repository"),
        ({"calls": [{"commit": "main"}]}, "calls[0].commit: found 'main'"),
        ({"pull_requests": [{"repository": "acme/widget", "number": 0}]}, "pull_requests[0].number: found 0"),
        ({"pull_requests": [{"repository": "", "number": 1}]}, "pull_requests[0].repository"),
        ({"pull_requests": [{"repository": "a/b", "number": 1}] * (MOST_LINKS + 1)}, "at most 100"),
        ({"commits": [{"sha": "012345"}]}, "commits[0].sha: found '012345'"),
    ],
)
def test_what_names_nothing_is_refused(bench: Bench, body: dict[str, Any], problem: str) -> None:
    """The whole batch, with what is wrong; nothing of it is stored."""
    started = alice(bench)
    calls = [bench.a_call("1", **changes) for changes in body.pop("calls", [])]
    answer = bench.report(started, *calls, **body)
    assert answer.status_code == 400
    assert problem in json_of(answer)["detail"]
    assert lies(bench, started) == []


def test_work_outside_of_every_repository(bench: Bench) -> None:
    """An engineer's own budget and the organization's policy hold there too; what it leads to later lies there."""
    bench.organization_policy("engineer: $1\nsession: {cost: $5}\n")
    outside = {"repository": "", "branch": ""}
    started = alice(bench, **outside)
    answer = json_of(started)
    assert answer["page"] == ""
    assert answer["allowance"]["limits"]["cost"] == dollars("1")
    bench.report(started, bench.a_call("1", repository="alice/dotfiles", branch="main"), bench.a_call("2", 70_000))
    bench.report(started, bench.a_call("3", repository="acme/widget", branch="fix"))
    assert sorted(lies(bench, started)) == [
        ("", "", "engineer only"),
        ("", "", "engineer only"),
        ("acme/widget", "fix", "claimed"),
    ]
    with bench.world.store.look(bench.organization.id) as books:
        assert recompute(books, bench.clock.now) == []
        scopes = {budget.key.scope for budget in books.all_budgets(bench.clock.now) if budget.spent.nano}
        assert scopes == {Scope.TAB, Scope.ENGINEER, Scope.REPOSITORY, Scope.ORGANIZATION}
    bench.end(started)
    again = bench.client.post(
        f"/api/v1/sessions/{answer['session']}/resume", json={}, headers={"Authorization": f"Bearer {answer['token']}"}
    )
    assert again.status_code in {200, 403}, again.text
    assert "verdict" in json_of(again)
    refused = bench.start(token=bench.engineer_token("alice", "start"), **outside)
    assert refused.status_code == 403
    findings = json_of(refused)["verdict"]["findings"]
    assert [one["scope"] for one in findings if one["outcome"] == "stop"] == ["engineer"]


def test_a_repository_that_is_not_covered_is_named(bench: Bench) -> None:
    """Who names one wants its tab: that it has none is said."""
    answer = bench.start(token=bench.engineer_token("alice", "start"), repository="acme/nowhere")
    assert answer.status_code == 403
    assert "acme/nowhere" in json_of(answer)["title"]


@pytest.mark.parametrize("late", [False, True])
def test_an_unpriced_call_outside_is_priced_later(bench: Bench, *, late: bool) -> None:
    """Its session has no repository whose budget would show it."""
    since = {"unadmitted_since": bench.clock.now.isoformat()} if late else {}
    started = alice(bench, repository="", **since)
    bench.report(started, bench.a_call("1", 1_000_000, model="mystery-9"))
    bench.organization_policy('prices: [{model: mystery-9, output: "$3"}]\n')
    bench.world.store.enqueue([Job("reprice", "all")])
    work(bench)
    with bench.world.store.look(bench.organization.id) as books:
        session = books.session(json_of(started)["session"])
        assert session
        assert (session.spent.nano, session.unknown_usages) == (dollars("3"), 0)
