"""Jobs run at least once, coalesce, keep to their times, survive a killed worker, and end in a visible dead state."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from app.ledger.books import Job, StartAttempt
from app.registry import Store, WaitingJob
from app.store.sql_outbox import LEASE
from tests.ledger.builders import NOW, an_organization, at


def taken(store: Store, now: datetime = NOW) -> WaitingJob:
    job = store.take_job("worker", now)
    assert job is not None
    return job


def done(store: Store, now: datetime = NOW) -> WaitingJob:
    job = taken(store, now)
    store.finish_job(job, now)
    return job


def test_a_job_runs_once_and_is_gone(store: Store) -> None:
    """Taken, done, gone; while it is taken nobody else gets it."""
    store.enqueue([Job("refresh", "1", {"tab": 1})])
    job = taken(store)
    assert (job.organization_id, job.kind, job.key, job.payload, job.attempts) == (None, "refresh", "1", {"tab": 1}, 1)
    assert store.take_job("other", NOW) is None
    store.finish_job(job, at(1))
    assert store.take_job("other", at(60 * 24)) is None


def test_jobs_of_one_key_are_one(store: Store) -> None:
    """A thousand requests for one tab make one run, with the newest payload; other keys and organizations stay apart."""
    organization = an_organization(store)
    with store.open(organization.id) as books:
        for number in range(1_000):
            books.enqueue(Job("refresh", "1", {"n": number}))
        books.enqueue(Job("refresh", "2"))
    store.enqueue([Job("refresh", "1")])
    found = [taken(store) for _ in range(3)]
    assert store.take_job("worker", NOW) is None
    assert (found[0].payload, found[0].want, found[0].organization_id) == ({"n": 999}, 1_000, organization.id)
    assert found[2].organization_id is None


def test_a_request_that_arrives_meanwhile_is_not_lost(store: Store) -> None:
    """Asked for again while it runs, a job is due again as soon as it is done."""
    store.enqueue([Job("refresh", "1", {"n": 1})])
    job = taken(store)
    store.enqueue([Job("refresh", "1", {"n": 2})])
    assert store.take_job("other", NOW) is None
    store.finish_job(job, NOW)
    again = taken(store)
    assert (again.payload, again.attempts) == ({"n": 2}, 1)
    store.finish_job(again, NOW)
    assert store.take_job("worker", NOW) is None


def test_jobs_wait_for_their_time_and_come_in_order(store: Store) -> None:
    """A later time waits; the earlier of two times for one key counts."""
    store.enqueue([Job("a", "later", run_at=at(10)), Job("b", "now"), Job("a", "sooner", run_at=at(20))])
    store.enqueue([Job("a", "sooner", run_at=at(5)), Job("a", "later", run_at=at(30))])
    assert done(store).key == "now"
    assert store.take_job("worker", at(4)) is None
    assert done(store, at(5)).key == "sooner"
    assert store.take_job("worker", at(9)) is None
    assert done(store, at(10)).key == "later"


def test_a_failed_job_waits_and_a_new_request_brings_it_forward(store: Store) -> None:
    """Backing off is our own caution; somebody who asks again gets a fresh run with its attempts cleared."""
    store.enqueue([Job("refresh", "1")])
    store.retry_job(taken(store), at(10), "boom")
    assert store.take_job("worker", at(9)) is None
    job = taken(store, at(10))
    assert job.attempts == 2
    store.retry_job(job, at(60), "boom")
    store.enqueue([Job("refresh", "1")])
    assert taken(store, at(11)).attempts == 1


def test_retry_after_is_kept_whoever_asks(store: Store) -> None:
    """What GitHub said about when to come back holds against new requests too."""
    store.enqueue([Job("refresh", "1")])
    store.retry_job(taken(store), at(10), "rate limit", firm=True)
    store.enqueue([Job("refresh", "1")])
    assert store.take_job("worker", at(9)) is None
    store.finish_job(taken(store, at(10)), at(10))
    assert store.take_job("worker", at(11)) is None


def test_a_killed_worker_is_taken_over(store: Store) -> None:
    """A lease runs out; who was taken over can no longer end the job."""
    store.enqueue([Job("refresh", "1")])
    killed = taken(store)
    assert store.take_job("other", NOW + LEASE - timedelta(seconds=1)) is None
    job = store.take_job("other", NOW + LEASE)
    assert job is not None
    assert job.attempts == 2
    store.finish_job(killed, at(2))
    store.retry_job(killed, NOW, "late")
    store.bury_job(killed, "late", at(2))
    assert store.dead_jobs() == []
    assert store.take_job("third", NOW + LEASE) is None
    store.finish_job(job, at(3))
    assert store.take_job("third", at(600)) is None


def test_a_dead_job_is_visible_until_asked_for_again(store: Store) -> None:
    """Failed for good: kept with its error, never taken, revived by the next request."""
    store.enqueue([Job("refresh", "1", {"n": 1})])
    store.bury_job(taken(store), "no such repository", at(1))
    assert store.take_job("worker", at(600)) is None
    assert [(job.key, error) for job, error in store.dead_jobs()] == [("1", "no such repository")]
    store.enqueue([Job("refresh", "1", {"n": 2})])
    assert store.dead_jobs() == []
    assert done(store).payload == {"n": 2}


def test_a_job_asked_for_while_it_failed_is_not_buried(store: Store) -> None:
    """Whoever asked in the meantime gets their run."""
    store.enqueue([Job("refresh", "1")])
    job = taken(store)
    store.enqueue([Job("refresh", "1")])
    store.bury_job(job, "boom", NOW)
    assert store.dead_jobs() == []
    assert taken(store).attempts == 1


def test_a_delivery_is_handled_once(store: Store) -> None:
    """The same delivery twice is one job; its body is there for it."""
    assert store.keep_delivery("guid-1", "push", {"ref": "refs/heads/ü"}, NOW)
    assert not store.keep_delivery("guid-1", "push", {"ref": "other"}, at(1))
    job = taken(store)
    assert (job.kind, job.key, job.payload) == ("delivery", "guid-1", {"guid": "guid-1"})
    assert store.delivery("guid-1") == ("push", {"ref": "refs/heads/ü"})
    assert store.delivery("guid-2") is None
    store.finish_job(job, at(1))
    assert store.take_job("worker", at(1)) is None


def test_retention_drops_bodies_then_ids(store: Store) -> None:
    """Bodies go after 7 days; a redelivery after that is still known; ids go after 35."""
    store.keep_delivery("old", "push", {}, NOW - timedelta(days=36))
    store.keep_delivery("weeks", "push", {}, NOW - timedelta(days=8))
    store.keep_delivery("new", "push", {"kept": True}, NOW - timedelta(days=6))
    assert store.remove_old(NOW, 7, 35) == 2
    assert store.remove_old(NOW, 7, 35) == 0
    assert store.delivery("weeks") is None
    assert store.delivery("new") == ("push", {"kept": True})
    assert not store.keep_delivery("weeks", "push", {}, NOW)
    assert store.keep_delivery("old", "push", {}, NOW)


def test_answers_to_starts_go_with_the_delivery_ids(store: Store) -> None:
    """They name approvers, and nobody repeats a start after 35 days; younger ones stay."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        for key, days in (("old", 36), ("young", 34)):
            books.add_attempt(StartAttempt(key, f"token-{key}", {}, 403, NOW - timedelta(days=days)))
    assert store.remove_old(NOW, 7, 35) == 1
    with store.look(organization) as books:
        assert books.attempt("old", "token-old") is None
        assert books.attempt("young", "") is not None


def test_a_cron_slot_is_claimed_once(store: Store) -> None:
    """One worker fires a slot; another slot or another name is free."""
    assert store.claim_slot("seal", NOW)
    assert not store.claim_slot("seal", NOW)
    assert store.claim_slot("seal", at(5))
    assert store.claim_slot("sweep", NOW)


@pytest.mark.parametrize("name", ["app", "other"])
def test_secrets_are_kept_as_they_came(store: Store, name: str) -> None:
    """Bytes in, the same bytes out; storing again replaces."""
    assert store.secret(name) is None
    store.keep_secret(name, b"\x00sealed\xff")
    store.keep_secret(name, b"\x01sealed\xff")
    assert store.secret(name) == b"\x01sealed\xff"
