"""How full an engineer's vendor windows are, in every kind of store; what of a session's readings is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest

from app.ledger.gauges import AHEAD, MOST_GAUGES, take_gauges
from app.registry import Store
from tabstop.gauge import LONGEST_WINDOW, GaugeReading, GaugeSource
from tabstop.gauge_rate import outlook
from tests.ledger.builders import ENGINEER, NOW, a_start, an_organization, at, begun

READ = GaugeReading("anthropic", "org-1", "5h", 4_270, NOW, GaugeSource.HEADER, at(120), 300, "max", "allowed_warning")
BARE = GaugeReading("openai", "", "primary", 0, at(-5), GaugeSource.ESTIMATED)


def kept(store: Store, organization: int, engineer: int = ENGINEER) -> list[GaugeReading]:
    """What is stored of an engineer."""
    with store.look(organization) as books:
        return books.gauges_of(engineer)


def test_readings_come_back_as_stored(store: Store) -> None:
    """By vendor, account and window; of one engineer of one organization, or of everybody."""
    organization, other = an_organization(store).id, an_organization(store, "other").id
    upper = replace(READ, account="Org-2", used=100_000, resets_at=None)
    with store.open(organization) as books:
        for reading in (BARE, READ, upper):
            books.keep_gauge(ENGINEER, reading)
        books.keep_gauge(ENGINEER - 1, READ)
        assert books.gauges_of(ENGINEER) == [upper, READ, BARE]
        assert books.all_gauges() == [(ENGINEER - 1, READ), *((ENGINEER, one) for one in (upper, READ, BARE))]
    assert kept(store, other) == []
    assert kept(store, organization, ENGINEER + 1) == []


def test_a_window_has_one_reading(store: Store) -> None:
    """The next one takes its place, whole; what is undone leaves the one before."""
    organization = an_organization(store).id
    later = GaugeReading("anthropic", "org-1", "5h", 1, at(1), GaugeSource.EVENT)
    with store.open(organization) as books:
        books.keep_gauge(ENGINEER, READ)

    def keep_and_fail() -> None:
        with store.open(organization) as books:
            books.keep_gauge(ENGINEER, later)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        keep_and_fail()
    assert kept(store, organization) == [READ]
    with store.open(organization) as books:
        books.keep_gauge(ENGINEER, later)
    assert kept(store, organization) == [later]


def test_earlier_readings_come_back_as_stored(store: Store) -> None:
    """By vendor, account and window, the newest first; of one engineer; those dropped are gone."""
    organization = an_organization(store).id
    older = [replace(READ, used=number, observed_at=at(-number)) for number in range(1, 4)]
    with store.open(organization) as books:
        books.change_earlier_gauges(ENGINEER, added=[older[2], BARE, older[0]], dropped=[])
        books.change_earlier_gauges(ENGINEER + 1, added=[older[0]], dropped=[])
        assert books.earlier_gauges(ENGINEER) == [older[0], older[2], BARE]
    with store.open(organization) as books:
        again = replace(older[2], used=9)
        books.change_earlier_gauges(ENGINEER, added=[older[1], again], dropped=[older[0], older[2]])
        assert books.earlier_gauges(ENGINEER) == [older[1], again, BARE]
        assert books.earlier_gauges(ENGINEER + 1) == [older[0]]
        assert books.gauges_of(ENGINEER) == []


def test_old_readings_go(store: Store) -> None:
    """Once every window has begun anew."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        books.keep_gauge(ENGINEER, READ)
        books.keep_gauge(ENGINEER, BARE)
        books.change_earlier_gauges(ENGINEER, added=[READ, BARE], dropped=[])
    store.remove_old(NOW + LONGEST_WINDOW - timedelta(minutes=1), 7, 35)
    assert kept(store, organization) == [READ]
    with store.look(organization) as books:
        assert books.earlier_gauges(ENGINEER) == [READ]


def test_what_a_rate_needs_is_kept(store: Store) -> None:
    """A few readings of the window in force, told in any batches and twice; once it begins anew they go."""
    organization = an_organization(store).id
    told = [replace(READ, used=number * 10, observed_at=at(number)) for number in range(101)]
    with store.open(organization) as books:
        session = begun(books, a_start())
        for start in range(0, 101, 3):
            take_gauges(books, session, told[start : start + 3], at(101))
        earlier = books.earlier_gauges(ENGINEER)
        assert len(earlier) < 15
        assert (earlier[0].observed_at, earlier[-1].observed_at) == (at(99), at(0))
        for reading in (told[-1], earlier[3]):
            take_gauges(books, session, [reading], at(101))
        assert books.earlier_gauges(ENGINEER) == earlier
        seen = outlook(told[-1], at(101), earlier)
        assert (seen.an_hour, seen.average) == (600, False)
        take_gauges(books, session, [replace(READ, used=1, observed_at=at(130), resets_at=at(430))], at(130))
        assert books.earlier_gauges(ENGINEER) == []


def test_order_and_repetition_change_nothing(store: Store) -> None:
    """Two sessions of one engineer tell of the same account: the newest stands, however the reports arrive."""
    organization = an_organization(store).id
    told = [replace(READ, used=number, observed_at=at(number)) for number in range(3)]
    with store.open(organization) as books:
        sessions = [begun(books, a_start(name)) for name in ("one", "two")]
        for order in permutations(told):
            for session in sessions:
                take_gauges(books, session, (order[0], order[1], order[0]), at(10))
                take_gauges(books, session, order, at(20))
            assert books.gauges_of(ENGINEER) == [told[-1]]


@pytest.mark.parametrize(
    ("observed_at", "taken"),
    [
        (NOW, True),
        (NOW + AHEAD, True),
        (NOW + AHEAD + timedelta(seconds=1), False),
        (NOW - LONGEST_WINDOW, False),
        (NOW - LONGEST_WINDOW + timedelta(seconds=1), True),
    ],
)
def test_a_time_that_cannot_be_believed_is_left_out(store: Store, observed_at: datetime, *, taken: bool) -> None:
    """One from the future would stand against every later reading."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        session = begun(books, a_start())
        take_gauges(books, session, [replace(READ, observed_at=observed_at, resets_at=None)], NOW)
        assert bool(books.gauges_of(ENGINEER)) is taken


def test_nobodys_session_has_no_gauges(store: Store) -> None:
    """What cannot be charged to anybody says nothing of anybody's windows."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        take_gauges(books, begun(books, a_start(engineer_id=None, person=None)), [READ], NOW)
        assert books.all_gauges() == []


def test_nobody_floods_the_table(store: Store) -> None:
    """Beyond the first windows new ones are dropped; those known go on."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        session = begun(books, a_start())
        many = [replace(READ, account=f"org-{number:03}") for number in range(MOST_GAUGES + 5)]
        take_gauges(books, session, many[:30], NOW)
        take_gauges(books, session, many[20:], NOW)
        later = replace(many[0], observed_at=at(1), used=1)
        take_gauges(books, session, [later, many[-1]], at(1))
        assert books.gauges_of(ENGINEER) == [later, *many[1:MOST_GAUGES]]
