"""Tabs, places, starts, sessions and usage come back as they were stored, and change only where they may."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.ledger.books import (
    Cause,
    Entry,
    EntryKind,
    EntrySums,
    Place,
    SessionChange,
    SessionRow,
    StartAttempt,
    UsageRow,
)
from app.registry import Store
from app.store.usage_rows import known_of
from tabstop.budget import Amount
from tabstop.cost import CostState
from tabstop.session import SessionOutcome
from tabstop.usage import Billing, Grain, Tokens
from tests.ledger.builders import NOW, REPOSITORY, an_organization, at


def a_session(name: str = "s1", **more: Any) -> SessionRow:
    return SessionRow(
        **{
            "id": name,
            "repository_id": REPOSITORY,
            "engineer_id": 201,
            "tab_id": 301,
            "place_id": 401,
            "agent": "claude-code",
            "admitted_at": NOW,
            "lease_until": at(130),
            "held": Amount(5, 6),
            "wanted": Amount(7, 8),
            "limits": {"cost": 10, "tokens": None},
            **more,
        }
    )


def a_row(number: int, **more: Any) -> UsageRow:
    return UsageRow(
        **{
            "id": number,
            "session_id": "s1",
            "place_id": 401,
            "agent": "claude-code",
            "thread": "t",
            "model": "claude-sonnet-4-5",
            "matched": "claude-sonnet-4-5-20250929",
            "tokens": Tokens(1, 2, 3, 4, 5),
            "web_searches": 1,
            "tool_calls": 2,
            "grain": Grain.CALL,
            "cost_state": CostState.KNOWN,
            "billing": Billing.API,
            "occurred_at": NOW + timedelta(microseconds=1),
            "received_at": at(1),
            "cost": 2**40,
            **more,
        }
    )


def an_entry(number: int, **more: Any) -> Entry:
    return Entry(
        **{
            "id": number,
            "usage_id": 1,
            "kind": EntryKind.CHARGE,
            "place_id": 401,
            "nano": 2**40,
            "notional": 3,
            "tokens": 15,
            "unknown": 0,
            "cause": Cause.ADMITTED,
            "occurred_at": NOW,
            "received_at": at(1),
            "note": "a note",
            "session_id": "s1",
            **more,
        }
    )


def test_a_branch_has_one_tab_at_a_time(store: Store) -> None:
    """Merge or close ends the generation; a reused branch starts a new one, a reopened pull request goes on."""
    organization = an_organization(store)
    with store.open(organization.id) as books:
        first = books.open_tab(REPOSITORY, "x", NOW)
        assert books.open_tab(REPOSITORY, "x", at(1)) == first
        assert books.open_tab(REPOSITORY, "y", NOW).id != first.id
        books.end_tab(first.id, at(2))
        books.end_tab(first.id, at(1))
        assert books.tab(first.id) == replace(first, ended_at=at(2))
        books.end_tab(first.id, at(3))
        assert books.tab(first.id) == replace(first, ended_at=at(3))
        assert books.tab_of_branch(REPOSITORY, "x") is None
        assert books.reopen_tab(REPOSITORY, "x", at(4)) == first
        assert books.tab_of_branch(REPOSITORY, "x") == first
        books.end_tab(first.id, at(5))
        second = books.open_tab(REPOSITORY, "x", at(6))
        assert (second.generation, first.generation) == (2, 1)
        assert books.reopen_tab(REPOSITORY, "new", at(6)).generation == 1
        assert books.tab(12345) is None


def test_a_place_is_stored_once(store: Store) -> None:
    """The same place has one id; every part of it makes a difference."""
    places = [
        Place(),
        Place(tab_id=1),
        Place(repository_id=1),
        Place(engineer_id=1),
        Place(counts_notional=True),
        Place(reason="the branch's tab", confidence="proven"),
        Place(1, 2, 3, True, "why", "claimed", (4, 5)),
        Place(1, 2, 3, True, "why", "claimed", (5, 4)),
    ]
    organization = an_organization(store)
    with store.open(organization.id) as books:
        ids = [books.place_id(place) for place in places]
        assert [books.place_id(place) for place in places] == ids
        assert len(set(ids)) == len(places)
    with store.look(organization.id) as books:
        assert books.places(ids) == dict(zip(ids, places, strict=True))
        assert books.all_places() == books.places(ids)
        assert books.places([]) == {}


def test_a_start_is_found_by_key_or_token(store: Store) -> None:
    """The key comes before the token; a start without a token's id is found by its key only."""
    first = StartAttempt("k1", "t1", {"session": "ü", "verdict": {"findings": []}}, 201, NOW, "s1")
    with store.open(an_organization(store).id) as books:
        books.add_attempt(first)
        books.add_attempt(StartAttempt("k2", "", {}, 403, NOW))
        books.add_attempt(StartAttempt("k3", "", {}, 403, NOW))
        assert books.attempt("k1", "other") == first
        assert books.attempt("other", "t1") == first
        assert books.attempt("k2", "t1") == StartAttempt("k2", "", {}, 403, NOW)
        assert books.attempt("other", "") is None
        assert books.attempt("k3", "") is not None


@pytest.mark.parametrize("again", [("k1", "other"), ("other", "t1")])
def test_a_key_and_a_token_start_one_session(store: Store, again: tuple[str, str]) -> None:
    """Two starts that race with the same key or token: the second is undone."""
    organization = an_organization(store)
    with store.open(organization.id) as books:
        books.add_attempt(StartAttempt("k1", "t1", {}, 201, NOW, "s1"))
    with pytest.raises(Exception, match=r"UNIQUE|unique|already"), store.open(organization.id) as books:
        books.add_attempt(StartAttempt(*again, {}, 201, NOW, "s2"))


def test_a_session_comes_back_as_stored(store: Store) -> None:
    """Every field; its totals are only ever added to."""
    full = a_session(
        heard_at=at(1),
        ended_at=at(2),
        outcome=SessionOutcome.STOPPED_COST,
        detail="why",
        model="m",
        purpose="review",
        billing=Billing.CREDITS,
        billing_evidence="said so",
        enforcement="exact",
        spent=Amount(2**40, 9),
        notional=1,
        unknown_usages=2,
        iterations=3,
        tool_calls=4,
        run_id="r",
        run_attempt="1",
        job_id="j",
        head_sha="abc",
        pull_request=7,
        policy_commit="c",
        earlier_places=(1, 2),
    )
    with store.open(an_organization(store).id) as books:
        books.add_session(full)
        assert books.session("s1") == full
        books.add_to_sessions({"s1": SessionChange(Amount(1, 1), 1, -1, 1, 1)})
        changed = replace(full, held=Amount(), outcome=SessionOutcome.FINISHED, spent=Amount(), tab_id=None)
        books.change_session(changed)
        assert books.session("s1") == replace(
            changed, spent=Amount(2**40 + 1, 10), notional=2, unknown_usages=1, iterations=4, tool_calls=5
        )
        assert books.session("other") is None


def test_live_sessions_are_those_not_ended(store: Store) -> None:
    """By run, by lease, or all."""
    with store.open(an_organization(store).id) as books:
        books.add_session(a_session("a", run_id="7"))
        books.add_session(a_session("b", run_id="7", ended_at=at(1)))
        books.add_session(a_session("c", run_id="8", lease_until=at(10)))
        assert [s.id for s in books.live_sessions()] == ["a", "c"]
        assert [s.id for s in books.live_sessions(run_id="7")] == ["a"]
        assert [s.id for s in books.live_sessions(silent_at=at(11))] == ["c"]
        assert [s.id for s in books.live_sessions(silent_at=at(10))] == []
        assert [s.id for s in books.live_sessions(run_id="7", silent_at=at(500))] == ["a"]


def test_sessions_of_a_tab_come_newest_first(store: Store) -> None:
    """A page of them, and how many there are in all."""
    with store.open(an_organization(store).id) as books:
        for number in range(5):
            books.add_session(a_session(f"s{number}", admitted_at=at(number), tab_id=301 if number else 302))
        assert [s.id for s in books.sessions_of_tab(301, limit=2)] == ["s4", "s3"]
        assert (books.count_sessions_of_tab(301), books.count_sessions_of_tab(999)) == (4, 0)
        assert [s.id for s in books.all_sessions()] == ["s0", "s1", "s2", "s3", "s4"]


def test_needs_are_what_ended_sessions_used(store: Store) -> None:
    """At list price, whoever paid; a session that never worked says nothing about what work needs."""
    with store.open(an_organization(store).id) as books:
        books.add_session(a_session("a", ended_at=at(1), spent=Amount(10, 100)))
        books.add_session(a_session("b", ended_at=at(3), spent=Amount(0, 300), notional=30))
        books.add_session(a_session("c", ended_at=at(2)))
        books.add_session(a_session("d", spent=Amount(1, 1)))
        books.add_session(a_session("e", ended_at=at(9), spent=Amount(1, 1), agent="codex"))
        assert books.recent_needs(REPOSITORY, "claude-code", 50) == [Amount(30, 300), Amount(10, 100)]
        assert books.recent_needs(REPOSITORY, "claude-code", 1) == [Amount(30, 300)]
        assert books.learned(REPOSITORY, "claude-code")[0] is None
        books.remember_need(REPOSITORY, "claude-code", Amount(1, 2))
        books.remember_need(REPOSITORY, "claude-code", Amount(2**40, 4))
        assert books.learned(REPOSITORY, "claude-code")[0] == Amount(2**40, 4)


def test_usage_comes_back_as_stored(store: Store) -> None:
    """Every field, by id, by session and by any of its keys."""
    rows = [
        a_row(1),
        a_row(2, billing=Billing.SUBSCRIPTION, cost_state=CostState.UNKNOWN, cost=0, cache_split_known=False),
        a_row(3, grain=Grain.AGGREGATE, same_as=1, session_id="s2", disputed=True, told='[["é", 1]]'),
    ]
    organization = an_organization(store)
    with store.open(organization.id) as books:
        books.add_usages(rows, {"a": 1, "b": 1, "c": 2, "d'\"%s": 3})
    with store.open(organization.id) as books:
        assert books.usages([1, 2, 3, 99]) == {row.id: row for row in rows}
        assert books.usages([]) == {}
        assert books.usages_of("s1") == rows[:2]
        assert books.known(["a", "b", "d'\"%s", "nobody"]) == {
            "a": known_of(rows[0]),
            "b": known_of(rows[0]),
            "d'\"%s": known_of(rows[2]),
        }
        assert books.known([]) == {}
        books.add_usages([], {"e": 2})
        books.repoint_keys(2, 1)
        found = books.known(["c", "e"])
        assert {known.id for known in found.values()} == {1}
        changed = rows[1]._replace(tokens=Tokens(9, 9, 9, 9, 2**40), cost=5, cost_state=CostState.ESTIMATED, same_as=1)
        changed = changed._replace(disputed=True, told="[]")
        books.change_usage(changed)
        assert books.usages([2]) == {2: changed}


def test_disputed_calls_are_counted_by_session(store: Store) -> None:
    """Those from a moment on; of one organization."""
    organization, other = an_organization(store), an_organization(store, "other")
    with store.open(other.id) as books:
        books.add_usages([a_row(9, disputed=True)], {"a": 9})
    with store.open(organization.id) as books:
        books.add_usages([a_row(1, disputed=True), a_row(2, occurred_at=at(1)), a_row(3, session_id="s2")], {})
        books.change_usage(a_row(3, session_id="s2", occurred_at=at(1), disputed=True))
        assert books.disputed_calls(NOW) == {"s1": 1, "s2": 1}
        assert books.disputed_calls(at(1)) == {"s2": 1}
        assert books.disputed_calls(at(2)) == {}


def test_a_key_stands_for_one_usage(store: Store) -> None:
    """A second usage under a stored key is undone: what is stored once stays once, whatever raced."""
    organization = an_organization(store)
    with store.open(organization.id) as books:
        books.add_usages([a_row(1)], {"a": 1})
    with pytest.raises(Exception, match=r"UNIQUE|unique|already"), store.open(organization.id) as books:
        books.add_usages([a_row(2)], {"a": 2})
    with store.look(organization.id) as books:
        assert books.usages([2]) == {}


def test_calls_add_up_per_model(store: Store) -> None:
    """Calls only; aggregates are what is compared with them. Merged rows count no call."""
    with store.open(an_organization(store).id) as books:
        books.add_usages(
            [
                a_row(1),
                a_row(2),
                a_row(3, model="other", web_searches=0),
                a_row(4, grain=Grain.AGGREGATE),
                a_row(5, same_as=1, tokens=Tokens(), web_searches=0, tool_calls=0),
            ],
            {},
        )
        assert books.call_sums("s1") == {
            "claude-sonnet-4-5": (Tokens(2, 4, 6, 8, 10), 2),
            "other": (Tokens(1, 2, 3, 4, 5), 0),
        }
        assert books.call_sums("s2") == {}
        assert books.count_calls() == {"s1": (3, 6)}


def test_entries_add_up_by_place_and_session(store: Store) -> None:
    """The ledger as it was written, and its sums."""
    entries = [
        an_entry(1),
        an_entry(2, nano=-1, kind=EntryKind.CORRECT, cause=Cause.CORRECTED),
        an_entry(3, place_id=402, kind=EntryKind.TRUE_UP, unknown=1),
        an_entry(4, session_id="s2", kind=EntryKind.MOVE, cause=Cause.MOVED),
    ]
    organization = an_organization(store)
    with store.open(organization.id) as books:
        books.add_entries(entries)
        books.add_entries([])
    with store.look(organization.id) as books:
        assert books.all_entries() == entries
        assert sorted(books.entry_sums()) == [
            EntrySums(401, "s1", 2**40 - 1, 6, 30, 0),
            EntrySums(401, "s2", 2**40, 3, 15, 0),
            EntrySums(402, "s1", 2**40, 3, 15, 1),
        ]
        since = [books.entry_sums(entries[0].occurred_at + timedelta(seconds=late)) for late in (0, 1)]
        assert since == [books.entry_sums(), []]


def test_client_totals_are_kept_per_thread_and_model(store: Store) -> None:
    """The newest kept replaces the one before."""
    with store.open(an_organization(store).id) as books:
        books.keep_client_total("s1", "t", "m", Tokens(1), 0)
        books.keep_client_total("s1", "t", "m", Tokens(1, 2, 3, 4, 2**40), 6)
        books.keep_client_total("s1", "t2", "m", Tokens(output=7), 0)
        books.keep_client_total("s2", "t", "m", Tokens(), 0)
        assert books.client_totals("s1") == {
            ("t", "m"): (Tokens(1, 2, 3, 4, 2**40), 6),
            ("t2", "m"): (Tokens(output=7), 0),
        }


def test_ids_rise(store: Store) -> None:
    """A later id is larger, and fits 63 bits."""
    with store.open(an_organization(store).id) as books:
        ids = [books.new_id() for _ in range(1_000)]
    assert ids == sorted(set(ids))
    assert 0 < ids[-1] < 2**63
