"""Remembered breakers in the ledger: trips open them, starts meet them, probes close them, people clear them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from app.ledger.admit import ask
from app.ledger.books import AuditRow, Books
from app.ledger.breakers import MOST_TRIPS, clear, take_trips
from app.ledger.end_session import end_session
from app.ledger.rows import NO_REPOSITORY
from app.registry import Store
from app.store.audit_chain import verify
from app.store.memory import MemoryStore
from tabstop.breaker_memory import BreakerMetric, BreakerState, RememberedBreaker
from tabstop.governor.settings import Breaker
from tabstop.session import SessionOutcome
from tabstop.wire import BreakerTrip
from tests.ledger.builders import NOW, REPOSITORY, a_policy, a_start, an_organization, at, begin, begun

KEY = b"key"


@pytest.fixture
def store() -> Store:
    """Memory: what these tests are about is above the store."""
    return MemoryStore()


@pytest.fixture
def books(store: Store) -> Iterator[Books]:
    """The books of a fresh organization."""
    with store.open(an_organization(store).id) as books:
        yield books


def a_trip(minutes: float = 0, metric: BreakerMetric = BreakerMetric.TOOL_FAILURES) -> BreakerTrip:
    """A tool that has only failed."""
    return BreakerTrip(metric, 100, 60, at(minutes), "Bash")


def trips(books: Books, name: str, *told: BreakerTrip, now: datetime = NOW, policy: Breaker | None = None) -> None:
    """Session `name` tells of trips."""
    session = books.session(f"session-{name}")
    assert session is not None
    take_trips(books, session, told, policy or Breaker(), now)


def ends(books: Books, name: str, outcome: SessionOutcome, minutes: float) -> None:
    session = books.session(f"session-{name}")
    assert session is not None
    end_session(books, session, outcome, "", at(minutes))


def breaker(books: Books, agent: str = "claude-code") -> RememberedBreaker:
    return books.learned(REPOSITORY, agent)[1]


def tripped(books: Books, minutes: float = 0) -> None:
    """A session that tripped and ended."""
    begun(books, a_start("first"), at(minutes))
    trips(books, "first", a_trip(minutes), now=at(minutes))
    ends(books, "first", SessionOutcome.STOPPED_BREAKER, minutes)


def findings(answer: Any) -> list[tuple[str, str]]:
    return [(f["outcome"], f["sentence"]) for f in answer["verdict"]["findings"] if f["signal"] == "breaker"]


def told_of(store: Store, organization_id: int) -> list[AuditRow]:
    store.seal_audit(organization_id, KEY)
    with store.look(organization_id) as books:
        rows = books.audit_rows()
        assert verify(rows, KEY, books.audit_head()) is None
    return [found.row for found in rows if found.row.kind.startswith("breaker.")]


def test_a_trip_refuses_the_next_start_of_the_same_agent(books: Books) -> None:
    """Until the cooldown ends; other agents and other repositories start."""
    tripped(books)
    refused = begin(books, a_start("two"), at(14))
    assert refused.status == 403
    (stop,) = [f for f in refused.answer["verdict"]["findings"] if f["outcome"] == "stop"]
    assert (stop["signal"], stop["scope"], stop["spent"], stop["cap"]) == ("breaker", "tool_failures", 100, 60)
    assert stop["retry_at"] == "2026-11-20T12:15:00Z"
    for part in (
        "`session-first` tripped it at 20 November 2026 12:00 UTC",
        "`Bash` failed in 100 %",
        "threshold 60 %",
    ):
        assert part in stop["sentence"]
    begun(books, a_start("codex", agent="codex"), at(1))
    begun(books, a_start("elsewhere", repository_id=7), at(1))
    assert not ask(books, a_start("three"), at(1)).admitted


def test_after_the_cooldown_one_session_is_tried(books: Books) -> None:
    """It is told so; the next one waits for it, and asking takes no place."""
    tripped(books)
    assert ask(books, a_start("asks"), at(15)).admitted
    probe = begin(books, a_start("probe"), at(15))
    assert probe.status == 201
    assert [outcome for outcome, _ in findings(probe.answer)] == ["warn"]
    waits = begin(books, a_start("waits"), at(16))
    assert waits.status == 403
    ((_, said),) = findings(waits.answer)
    assert "one session is tried at a time: now `session-probe`" in said
    assert breaker(books).probe == "session-probe"


def test_a_start_refused_for_another_reason_takes_no_probes_place(books: Books) -> None:
    """The place is for a session that runs."""
    tripped(books)
    assert begin(books, a_start("poor", policy=a_policy(tab="0")), at(20)).status == 403
    assert breaker(books).probe == ""


def test_a_good_probe_closes_it(books: Books) -> None:
    """Everybody starts again, without a word about it."""
    tripped(books)
    begun(books, a_start("probe"), at(15))
    ends(books, "probe", SessionOutcome.FINISHED, 30)
    assert breaker(books).stands_at(at(30)) is BreakerState.CLOSED
    for name in ("a", "b"):
        assert findings(begin(books, a_start(name), at(30)).answer) == []


@pytest.mark.parametrize("outcome", sorted(set(SessionOutcome) - {SessionOutcome.FINISHED}))
def test_any_other_end_frees_the_place(books: Books, outcome: SessionOutcome) -> None:
    """A failed, cancelled or silent probe proves nothing: the next one is tried."""
    tripped(books)
    begun(books, a_start("probe"), at(15))
    ends(books, "probe", outcome, 30)
    begun(books, a_start("next"), at(31))
    assert breaker(books).probe == "session-next"


def test_a_probe_that_trips_opens_it_again(books: Books) -> None:
    """For a full cooldown, even by a clock that is far behind; its end changes nothing then."""
    tripped(books)
    begun(books, a_start("probe"), at(20))
    trips(books, "probe", a_trip(-300), now=at(25))
    assert breaker(books).open_until == at(35)
    ends(books, "probe", SessionOutcome.FINISHED, 30)
    assert begin(books, a_start("next"), at(34)).status == 403


def test_a_trip_told_twice_is_one_trip(store: Store) -> None:
    """In one batch or another; and what comes in the future is of now."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        begun(books, a_start("first"))
        trips(books, "first", a_trip(60), a_trip(60), now=at(1))
        once = breaker(books)
        trips(books, "first", a_trip(60), now=at(9))
        assert breaker(books) == once
        assert once.open_until == at(16)
    assert [row.kind for row in told_of(store, organization)] == ["breaker.tripped"]


def test_a_session_trips_so_often_and_no_more(books: Books) -> None:
    """What a mistaken or hostile runner sends fills neither log nor channel."""
    begun(books, a_start("first"))
    trips(books, "first", *(a_trip(n / 60) for n in range(50)), now=at(1))
    assert len(books.trips_of("session-first")) == MOST_TRIPS


def test_people_are_told_once_for_each_metric(store: Store) -> None:
    """With what the notice needs: which session, by which numbers, until when."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        begun(books, a_start("first"))
        trips(books, "first", a_trip(0), a_trip(1), a_trip(2, BreakerMetric.COST_RATE), now=at(2))
    jobs = [job for _ in range(9) if (job := store.take_job("w", at(9))) is not None and job.kind == "notice"]
    assert [(job.payload["trip"]["metric"], job.payload["open_until"]) for job in jobs] == [
        ("tool failures", "2026-11-20T12:15:00Z"),
        ("cost rate", "2026-11-20T12:17:00Z"),
    ]


def test_a_policy_may_forget(books: Books) -> None:
    """`remember: false`: the trip is told of and kept in the log, nobody is refused; nor by one that opened before."""
    begun(books, a_start("first"))
    trips(books, "first", a_trip(), policy=Breaker(remember=False))
    assert breaker(books) == RememberedBreaker()
    assert books.trips_of("session-first") == [a_trip()]
    trips(books, "first", a_trip(1), now=at(1), policy=Breaker(cooldown=60))
    assert breaker(books).open_until == at(2)
    begun(books, a_start("two", policy=a_policy(breaker=Breaker(remember=False))), at(1.5))


def test_a_person_may_clear_it(store: Store) -> None:
    """At once, with a reason, once; what tripped before that does not open it again."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        tripped(books)
        assert clear(books, REPOSITORY, "claude-code", why="fixed", now=at(5), engineer_id=7) is not None
        assert clear(books, REPOSITORY, "claude-code", why="again", now=at(6)) is None
        begun(books, a_start("two"), at(5))
        trips(books, "first", a_trip(4), now=at(7))
        assert breaker(books).stands_at(at(7)) is BreakerState.CLOSED
    rows = told_of(store, organization)
    assert [row.kind for row in rows] == ["breaker.tripped", "breaker.cleared", "breaker.tripped"]
    assert (rows[1].body["why"], rows[1].engineer_id, rows[1].subject) == ("fixed", 7, f"{REPOSITORY}/claude-code")
    assert rows[2].body["open_until"] is None


def test_every_turn_leaves_a_row(store: Store) -> None:
    """Trip, probe, trip again, probe, silence, probe, good end: the log tells the story, and its chain holds."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        tripped(books)
        begun(books, a_start("p1"), at(15))
        trips(books, "p1", a_trip(16), now=at(16))
        begun(books, a_start("p2"), at(40))
        ends(books, "p2", SessionOutcome.SILENT, 200)
        begun(books, a_start("p3"), at(201))
        ends(books, "p3", SessionOutcome.FINISHED, 210)
    rows = told_of(store, organization)
    assert [row.kind.removeprefix("breaker.") for row in rows] == [
        "tripped", "probe_admitted", "reopened", "probe_admitted", "probe_ended", "probe_admitted", "closed",
    ]  # fmt: skip
    assert rows[0].body["trip"]["value"] == 100


def test_in_no_repository_there_is_no_breaker_to_remember(books: Books) -> None:
    """Engineers' own work elsewhere has nothing in common: a trip of one refuses nobody."""
    begun(books, a_start("own", branch="", repository_id=NO_REPOSITORY))
    trips(books, "own", a_trip(), now=at(1))
    assert books.learned(NO_REPOSITORY, "claude-code")[1] == RememberedBreaker()
    assert begin(books, a_start("next", branch="", repository_id=NO_REPOSITORY), at(2)).session_id
