"""Jobs that failed for good: shown with their error, and tried again on demand."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from app.ledger.books import Job
from tests.cli_operator.operator_at_work import AtWork


def bury(at_work: AtWork, *kinds: str) -> None:
    """Jobs of the organization and of nobody that failed for good."""
    store = at_work.store()
    acme = at_work.with_acme()
    now = datetime.now(UTC)
    with store.open(acme.organization.id) as books:
        books.enqueue(Job("refresh_tab", "3", {"tab": 3}))
    store.enqueue([Job("retention", "all")])
    while job := store.take_job("w", now):
        if job.kind in kinds:
            store.bury_job(job, "GitHub said 403", now)
        else:
            store.finish_job(job, now)


def test_none(at_work: AtWork) -> None:
    """The usual state has its sentence."""
    assert at_work.types("jobs", "list").output == "No job has failed for good.\n"
    assert at_work.types("jobs", "retry", "--all").output == "No job has failed for good.\n"


def test_list_shows_the_last_error(at_work: AtWork) -> None:
    """Which job, whose, how often tried, and why it failed."""
    bury(at_work, "refresh_tab", "retention")
    rows = {row["kind"]: row for row in map(json.loads, at_work.types("jobs", "list", "--json").stdout.splitlines())}
    assert (rows["refresh_tab"]["organization"], rows["refresh_tab"]["error"]) == ("acme", "GitHub said 403")
    assert rows["retention"]["organization"] is None
    assert "GitHub said 403" in at_work.types("jobs", "list").output


def test_retry_revives_a_job_of_an_organization_and_one_of_nobody(at_work: AtWork) -> None:
    """After a retry the job is due at once and no longer dead."""
    bury(at_work, "refresh_tab", "retention")
    ids = [json.loads(line)["id"] for line in at_work.types("jobs", "list", "--json").stdout.splitlines()]
    assert at_work.types("jobs", "retry", str(ids[0])).output == "1 will be tried again.\n"
    assert at_work.types("jobs", "retry", "--all").output == "1 will be tried again.\n"
    store = at_work.store()
    assert store.dead_jobs() == []
    taken = [store.take_job("w", datetime.now(UTC)) for _ in range(3)]
    assert {(job.kind, job.key, job.attempts) for job in taken if job} == {
        ("refresh_tab", "3", 1),
        ("retention", "all", 1),
    }


def test_retry_of_what_is_not_dead(at_work: AtWork) -> None:
    """One wrong id changes nothing at all."""
    bury(at_work, "retention")
    [row] = [json.loads(line) for line in at_work.types("jobs", "list", "--json").stdout.splitlines()]
    result = at_work.types("jobs", "retry", str(row["id"]), "77")
    assert result.exit_code == 1
    assert "Not among the jobs that failed for good: 77" in result.output
    assert len(at_work.store().dead_jobs()) == 1
    assert at_work.types("jobs", "retry").exit_code == 2
