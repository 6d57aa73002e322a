"""What is due again and again: silence, missed webhooks, missing checks, retention, the audit log's seal."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.events.dispatch import HANDLERS as EVENTS
from app.github_api.protocol import FailedDelivery, GitHubError
from app.jobs.seal_audit import seal_key
from app.jobs.tab_facts import CHECK_NAME
from app.jobs.table import CRONS, HANDLERS
from app.ledger.books import Job
from tabstop.session import SessionOutcome
from tests.jobs.town import INSTALLATION, NOW, WIDGET, Town, pull_body
from tests.support.golden import expect


def due(town: Town, kind: str, **payload: object) -> None:
    """A cron fires."""
    town.store.enqueue([Job(kind, "test", payload)])
    town.settle()


def test_the_table_is_whole(town: Town) -> None:
    """Every cron asks for a job that somebody does, each under a name of its own."""
    assert len({cron.name for cron in CRONS}) == len(CRONS)
    for cron in CRONS:
        cron.fire(town.world, NOW)
    while job := town.store.take_job("test", NOW):
        assert job.kind in HANDLERS
        town.store.finish_job(job, NOW)


def test_silence_frees_what_was_held(town: Town) -> None:
    """A session nobody hears of is silent once its lease ran out, and its hold is free again; not before."""
    town.opened()
    session = town.start()
    due(town, "silence")
    with town.store.look(town.org) as db:
        live = db.session(session.id)
        assert live
        assert live.ended_at is None
    town.at = session.lease_until + timedelta(seconds=1)
    due(town, "silence")
    with town.store.look(town.org) as db:
        ended = db.session(session.id)
        budget = db.budgets_of_tab(session.tab_id or 0, town.at)[0]
    assert ended
    assert (ended.outcome, budget.held.nano) == (SessionOutcome.SILENT, 0)


def test_missed_webhooks_are_asked_for_again(town: Town) -> None:
    """Those we handle and have not got by another attempt, as far back as the sweep looks."""
    town.store.keep_delivery("got", "push", {}, town.at)
    town.github.deliveries = [
        FailedDelivery(1, "missed", "pull_request", NOW - timedelta(minutes=5)),
        FailedDelivery(2, "got", "push", NOW - timedelta(minutes=5)),
        FailedDelivery(3, "not-ours", "star", NOW - timedelta(minutes=5)),
        FailedDelivery(4, "long-ago", "pull_request", NOW - timedelta(hours=5)),
    ]
    due(town, "sweep_deliveries", hours=1)
    assert town.github.redelivered == [1]
    due(town, "sweep_deliveries", hours=24)
    assert 4 in town.github.redelivered
    assert "pull_request" in EVENTS


def test_a_missing_check_is_found(town: Town) -> None:
    """Whatever was missed: a pull request that was stored and never answered is answered."""
    town.github.refusals = []
    town.pull_event("opened", town.pull(1))
    town.github.refusals = [GitHubError("no", status=403)] * 8
    town.work()
    town.github.refusals = []
    assert town.github.check_runs == {}
    due(town, "reconcile")
    assert town.check().check.conclusion == "success"
    writes = town.github.writes
    due(town, "reconcile")
    assert town.github.writes == writes


def test_an_installation_nobody_told_us_of(town: Town) -> None:
    """The `created` webhook was missed; the daily look finds it, its repositories and pull requests."""
    town.pull(1)
    due(town, "sync_installations")
    assert town.store.organization_by_installation(INSTALLATION)
    assert town.check().check.conclusion == "success"


def test_retention_drops_bodies(town: Town) -> None:
    """A webhook's body goes after its days; one that is handled after that is past helping, and visible."""
    town.store.keep_delivery("old", "pull_request", pull_body("opened", town.pull(1)), town.at)
    town.pass_time(days=8)
    HANDLERS["retention"](town.world, None, {})
    assert town.store.delivery("old") is None
    town.work()
    assert [kind for kind, _ in town.dead()] == ["delivery"]


def test_the_audit_log_is_sealed(town: Town) -> None:
    """Rows get their number and hash, under a key that is not the server's own."""
    town.opened()
    town.start()
    due(town, "seal_audit")
    with town.store.look(town.org) as db:
        rows = db.audit_rows()
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert rows
    key = seal_key(town.world.settings.secret_key)
    assert len(key) == 32
    assert key != town.world.settings.secret_key.encode()


def test_the_merge_queues_words(town: Town) -> None:
    """What people read on a merge group's commit."""
    town.opened()
    HANDLERS["merge_group"](town.world, town.org, {"repository": town.repository(WIDGET).id, "head_sha": "9" * 40})
    (posted,) = town.github.checks_on("9" * 40)
    check = posted.check
    expect("check/merge-group.md", f"{CHECK_NAME}: {check.conclusion}\n\n# {check.title}\n\n{check.summary}")


@pytest.mark.parametrize("kind", sorted(HANDLERS.keys() - {"notice"}))
def test_jobs_of_an_organization_that_left_do_nothing(town: Town, kind: str) -> None:
    """Safe to repeat, also after the App was removed: nothing is asked of GitHub in its name, nothing ends dead."""
    pull_request = town.opened()
    town.github.uninstall(INSTALLATION)
    account = {"id": 4, "login": "acme"}
    town.deliver("installation", {"action": "deleted", "installation": {"id": INSTALLATION, "account": account}})
    town.settle()
    writes = town.github.writes
    payload = {
        "tab": pull_request.tab_id,
        "repository": pull_request.repository_id,
        "number": 1,
        "head_sha": "9" * 40,
        "hours": 1,
        "timezone": "UTC",
        "guid": "guid-1",
        "session": "ses_1",
        "overdrive": 1,
    }
    for organization_id in (town.org, None):
        HANDLERS[kind](town.world, organization_id, payload)
    town.settle()
    assert (town.github.writes, town.dead()) == (writes, [])
