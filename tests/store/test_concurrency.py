"""Any number of simultaneous starts: exactly as many are admitted as there is room for; writers take turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.ledger.books import Job
from app.ledger.recompute import recompute
from app.registry import Store
from app.store.ids import IdMaker
from app.store.sql_store import SqlStore
from app.store.writer_lock import WriterLock
from tests.ledger.builders import NOW, a_policy, a_report, a_start, a_usage, an_organization, begin, report

ROOM_FOR_100 = a_policy(hold="1", tab=None, engineer=None, repository="100")


@pytest.mark.slow
def test_room_for_a_hundred_admits_a_hundred(store: Store) -> None:
    """320 starts from 32 threads into a repository with room for 100: 100 are admitted, 220 refused (promise 3)."""
    organization = an_organization(store).id

    def start(number: int) -> int:
        with store.open(organization) as books:
            return begin(books, a_start(str(number), policy=ROOM_FOR_100, branch=f"b{number % 7}")).status

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(start, range(320)))
    assert (answers.count(201), answers.count(403)) == (100, 220)
    with store.look(organization) as books:
        assert recompute(books, NOW) == []
        assert len(books.live_sessions()) == 100


@pytest.mark.postgres
def test_two_replicas_share_the_room(new_url: Callable[[str], str]) -> None:
    """The room is the database's, not a process's: two stores on one PostgreSQL admit what fits, and no more."""
    url = new_url("postgres")
    replicas = [SqlStore(url), SqlStore(url)]
    organization = an_organization(replicas[0]).id
    policy = a_policy(hold="1", tab=None, engineer=None, repository="10")

    def start(number: int) -> int:
        with replicas[number % 2].open(organization) as books:
            return begin(books, a_start(str(number), policy=policy)).status

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(start, range(40))).count(201) == 10
    for replica in replicas:
        replica.close()


def test_one_batch_from_two_uploads_counts_once(store: Store) -> None:
    """A retry that overtakes the first upload finds it stored, or is found stored itself."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        begin(books, a_start())
    batch = a_report([a_usage(f"k{number}") for number in range(50)])

    def send(_: int) -> int:
        with store.open(organization) as books:
            return report(books, "session-one", batch).new

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, range(8))) == [0] * 7 + [50]


def test_a_job_has_one_worker(store: Store) -> None:
    """Workers that ask at once get different jobs."""
    store.enqueue([Job("work", str(number)) for number in range(30)])

    def take(_: int) -> str | None:
        job = store.take_job("worker", NOW)
        return job.key if job else None

    with ThreadPoolExecutor(8) as pool:
        found = [key for key in pool.map(take, range(60)) if key]
    assert len(found) == len(set(found))
    while job := store.take_job("worker", NOW):
        found.append(job.key)
    assert set(found) == {str(number) for number in range(30)}


def test_writers_are_served_in_the_order_they_came() -> None:
    """Nobody barges in, the one who releases included."""
    lock, order, threads = WriterLock(), list[int](), list[threading.Thread]()

    def write(number: int) -> None:
        with lock:
            order.append(number)

    with lock:
        for number in range(20):
            threads.append(threading.Thread(target=write, args=(number,)))
            threads[-1].start()
            while len(lock._waiting) <= number:
                time.sleep(0.001)
    with lock:
        order.append(20)
    for thread in threads:
        thread.join()
    assert order == list(range(21))


def test_ids_of_two_processes_differ() -> None:
    """Two makers, as two processes have them, made at once."""
    makers = [IdMaker() for _ in range(4)]
    while len({maker._low for maker in makers}) < 4:
        makers = [IdMaker() for _ in range(4)]
    made = [maker.next() for _ in range(500) for maker in makers]
    assert len(set(made)) == len(made)


def test_ids_of_a_batch_rise_with_those_around_it() -> None:
    """One at a time or many at once, each id is above all that were made before."""
    maker = IdMaker()
    made = [maker.next(), *maker.block(1_000), maker.next(), *maker.block(0), *maker.block(2), maker.next()]
    assert made == sorted(set(made))
    assert len(made) == 1_005
