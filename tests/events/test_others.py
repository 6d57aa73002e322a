"""The other events: checks asked for again, the merge queue, runs that end, installations that come and go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.github_api.protocol import RemoteRepository
from app.jobs.tab_facts import CHECK_NAME
from app.ledger.books import SessionRow
from tabstop.session import SessionOutcome
from tests.jobs.town import INSTALLATION, WIDGET, Town, repository_body

HERE: dict[str, Any] = {"repository": repository_body(WIDGET)}
QUEUE_SHA = "9" * 40


def rerequested(sha: str, name: str = CHECK_NAME, branch: str = "feature-1") -> dict[str, Any]:
    run = {"id": 5, "name": name, "head_sha": sha, "check_suite": {"head_branch": branch}}
    return {"action": "rerequested", "check_run": run, **HERE}


def test_rerun_posts_again(town: Town) -> None:
    """GitHub waits for an answer after Re-run, even if nothing changed; another App's check is not ours to answer."""
    opened = town.opened()
    before = town.check().updates
    town.deliver("check_run", rerequested(opened.head_sha, "lint"))
    town.settle()
    assert town.check().updates == before
    town.deliver("check_run", rerequested(opened.head_sha))
    town.settle()
    assert town.check().updates == before + 1


@pytest.mark.parametrize(("action", "more"), [("requested", 0), ("rerequested", 1), ("completed", 0)])
def test_check_suites(town: Town, action: str, more: int) -> None:
    """Requested after a push that is answered anyway; rerequested by Re-run all."""
    opened = town.opened()
    before = town.check().updates
    suite = {"head_sha": opened.head_sha, "head_branch": "feature-1"}
    town.deliver("check_suite", {"action": action, "check_suite": suite, **HERE})
    town.settle()
    assert town.check().updates == before + more


def test_the_merge_queue_is_answered_at_once(town: Town) -> None:
    """Promise 5: success, whatever the tabs in it; a destroyed group needs nothing; Re-run is answered too."""
    group = {"head_sha": QUEUE_SHA, "head_ref": "refs/heads/gh-readonly-queue/main/pr-1"}
    town.deliver("merge_group", {"action": "destroyed", "merge_group": group, **HERE})
    town.settle()
    assert town.github.checks_on(QUEUE_SHA) == []
    town.deliver("merge_group", {"action": "checks_requested", "merge_group": group, **HERE})
    town.work()
    assert [(p.check.name, p.check.conclusion) for p in town.github.checks_on(QUEUE_SHA)] == [(CHECK_NAME, "success")]
    town.deliver("check_run", rerequested(QUEUE_SHA, branch="gh-readonly-queue/main/pr-1"))
    town.settle()
    assert len(town.github.checks_on(QUEUE_SHA)) == 2


@pytest.mark.parametrize("state", ["closed", "merged"])
def test_rerun_on_a_closed_pull_request_is_no_way_past_a_red_budget(town: Town, state: str) -> None:
    """Its head gets no merge group's success; when it is opened again the check is posted once more, red as it was."""
    opened = town.opened()
    town.spend(town.start(), "50")
    town.settle()
    assert town.check().check.conclusion == "failure"
    town.pull_event("closed", town.pull(1, state=state))
    town.settle()
    town.deliver("check_run", rerequested(opened.head_sha))
    town.deliver("check_suite", {"action": "rerequested", "check_suite": {"head_sha": opened.head_sha}, **HERE})
    town.settle()
    posted = town.github.checks_on(opened.head_sha)
    assert [p.check.conclusion for p in posted] == ["failure"]
    updates = town.check().updates
    town.pull_event("reopened", town.pull(1, state="open"))
    town.settle()
    assert (town.check().check.conclusion, town.check().updates) == ("failure", updates + 1)


@pytest.mark.parametrize("action", ["requested", "rerequested"])
def test_a_pull_request_s_head_is_no_merge_group(town: Town, action: str) -> None:
    """Whatever the suite's branch is called: what is a pull request's head gets the pull request's answer."""
    opened = town.opened()
    town.spend(town.start(), "50")
    town.settle()
    suite = {"head_sha": opened.head_sha, "head_branch": "gh-readonly-queue/x"}
    town.deliver("check_suite", {"action": action, "check_suite": suite, **HERE})
    town.settle()
    assert [p.check.conclusion for p in town.github.checks_on(opened.head_sha)] == ["failure"]


def ended(town: Town, session: SessionRow) -> SessionOutcome | None:
    with town.store.look(town.org) as db:
        row = db.session(session.id)
    assert row
    assert (row.ended_at is None) == (row.outcome is None)
    return row.outcome


@pytest.mark.parametrize(
    ("event", "body", "outcome"),
    [
        ("workflow_run", {"id": 7, "run_attempt": 2, "conclusion": "success"}, SessionOutcome.SILENT),
        ("workflow_run", {"id": 7, "run_attempt": 2, "conclusion": "failure"}, SessionOutcome.SILENT),
        ("workflow_run", {"id": 7, "run_attempt": 3, "conclusion": "cancelled"}, SessionOutcome.CANCELLED),
        ("workflow_run", {"id": 7, "run_attempt": 2, "conclusion": "timed_out"}, SessionOutcome.CANCELLED),
        ("workflow_run", {"id": 7, "run_attempt": 1, "conclusion": "cancelled"}, None),
        ("workflow_run", {"id": 8, "run_attempt": 2, "conclusion": "success"}, None),
        ("workflow_job", {"id": 70, "run_id": 7, "conclusion": "cancelled"}, SessionOutcome.CANCELLED),
        ("workflow_job", {"id": 71, "run_id": 7, "conclusion": "success"}, None),
    ],
)
def test_a_completed_run_has_no_live_sessions(
    town: Town, event: str, body: dict[str, Any], outcome: SessionOutcome | None
) -> None:
    """A run's end frees what its sessions held; another run, job or later attempt goes on. Late usage is still taken."""
    town.opened()
    session = town.start(run_id="7", run_attempt="2", job_id="70")
    town.deliver(event, {"action": "completed", event: body, **HERE})
    town.settle()
    assert ended(town, session) == outcome
    town.spend(session, "1")
    with town.store.look(town.org) as db:
        budget = db.budgets_of_tab(session.tab_id or 0, town.at)[0]
    assert budget.spent.nano > 0
    assert (budget.held.nano == 0) == (outcome is not None)


def test_an_unfinished_run_ends_nothing(town: Town) -> None:
    """`in_progress` and `requested` are no end."""
    town.opened()
    session = town.start(run_id="7", run_attempt="1", job_id="70")
    town.deliver("workflow_run", {"action": "in_progress", "workflow_run": {"id": 7}, **HERE})
    town.deliver("workflow_job", {"action": "in_progress", "workflow_job": {"id": 70, "run_id": 7}, **HERE})
    town.settle()
    assert ended(town, session) is None


def installation(action: str, installation_id: int = INSTALLATION) -> dict[str, Any]:
    return {"action": action, "installation": {"id": installation_id, "account": {"id": 4, "login": "acme"}}}


def test_installing_answers_what_is_open(town: Town) -> None:
    """Repositories are listed, and every open pull request gets its check, spread in time."""
    for number in range(1, 6):
        town.pull(number)
    town.deliver("installation", installation("created"))
    town.work()
    town.pass_time(seconds=1)
    soon = town.github.writes
    town.settle()
    assert soon < 5
    assert {town.check(n).check.conclusion for n in range(1, 6)} == {"success"}
    with town.store.look(town.org) as db:
        assert [r.full_name for r in db.repositories()] == ["acme/.github", "acme/site", "acme/widget"]


def test_uninstalling_shuts_at_once_and_reinstalling_opens(town: Town) -> None:
    """A new installation has another id; an event of the old one, arriving late, does not bring it back."""
    town.opened()
    town.github.uninstall(INSTALLATION)
    late = town.pull(1, head_sha="c" * 40)
    town.deliver("installation", installation("deleted"))
    town.work()
    organization = town.store.organization_by_github_id(4)
    assert organization
    assert (organization.active, organization.installation_id) == (False, None)
    town.pull_event("synchronize", late)
    town.settle()
    organization = town.store.organization_by_github_id(4)
    assert organization
    assert not organization.active
    town.github.install(888, 4, "acme-corp", WIDGET)
    town.deliver("installation", installation("created", 888))
    town.settle()
    organization = town.store.organization_by_github_id(4)
    assert organization
    assert (organization.active, organization.installation_id, organization.login) == (True, 888, "acme-corp")


def test_repositories_come_and_go(town: Town) -> None:
    """What is taken away is closed at once; what is added is looked at."""
    town.opened()
    extra = RemoteRepository(500, "acme/extra", "main", private=True)
    del town.github.repositories[INSTALLATION]["acme/widget"]
    town.github.repositories[INSTALLATION]["acme/extra"] = extra
    body = {
        "action": "removed",
        "repositories_added": [],
        "repositories_removed": [{"id": WIDGET.github_id, "full_name": "acme/widget"}],
        "installation": {"id": INSTALLATION, "account": {"id": 4, "login": "acme"}},
    }
    town.deliver("installation_repositories", body)
    town.work()
    assert not town.repository(WIDGET).active
    town.settle()
    assert town.repository(extra).active
    town.github.repositories[INSTALLATION]["acme/widget"] = replace(WIDGET, default_branch="trunk")
    town.deliver("installation_repositories", {**body, "action": "added", "repositories_removed": []})
    town.settle()
    assert (town.repository(WIDGET).active, town.repository(WIDGET).default_branch) == (True, "trunk")


def test_what_is_not_ours_is_let_pass(town: Town) -> None:
    """Unknown events, and hooks without an installation."""
    town.deliver("ping", {"zen": "Keep it logically awesome."})
    town.deliver("star", {"action": "created"})
    town.store.keep_delivery("bare", "pull_request", {"action": "opened", **HERE}, town.at)
    town.settle()
    assert (town.dead(), town.store.organizations()) == ([], [])


def test_what_cannot_be_read_is_visible(town: Town) -> None:
    """A payload that is not what its event promises ends in the dead state, with its reason."""
    town.deliver("pull_request", {"action": "opened", "pull_request": {"number": 1}, **HERE})
    town.deliver("pull_request", {"action": "opened", "installation": "odd", **HERE})
    town.work()
    assert [kind for kind, _ in town.dead()] == ["delivery", "delivery"]
    assert all("pull_request" in error for _, error in town.dead())
