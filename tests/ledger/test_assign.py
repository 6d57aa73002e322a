"""Somebody's word on where a session's calls lie: whole, in parts, lasting, taken back; every sum stays what it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from app.ledger.assign import Done, Word, assign, split, unassign, usages_to_place
from app.ledger.attribute_again import attribute_again
from app.ledger.books import SessionRow
from app.ledger.by_hand import Target
from app.ledger.end_session import end_session
from app.ledger.recompute import recompute
from app.ledger.shares import by_share
from app.registry import Engineer, EngineerKind, PolicyFile, Repository, Store, Transaction
from app.store.memory import MemoryStore
from tabstop.attribution import Confidence
from tabstop.budget import Scope
from tabstop.evidence import NOWHERE, Evidence
from tabstop.session import SessionOutcome
from tabstop.usage import Billing, Tokens
from tabstop.wire import ClientTotal
from tests.ledger.always import entries_of
from tests.ledger.builders import (
    NOW,
    REPOSITORY,
    a_policy,
    a_report,
    a_start,
    a_usage,
    an_organization,
    at,
    begun,
    report,
)
from tests.ledger.drawn import MODELS, evidence
from tests.ledger.ledger_machine import LedgerMachine
from tests.support.stores import KINDS

SITE = 102
WORD = Word("it was the migration")
MILLION = 1_000_000


@dataclass
class Desk:
    """A session on `claude/x` of acme/web in an open transaction; each call costs what its tokens do, a dollar a million."""

    books: Transaction
    session_id: str
    elsewhere: Target

    @property
    def session(self) -> SessionRow:
        """As it is now."""
        found = self.books.session(self.session_id)
        assert found
        return found

    def uses(self, *calls: tuple[str, float, int], branch: str = "", totals: int = 0, **more: Any) -> None:
        """Calls: (key, minute, millions of tokens). totals: the millions that its client counts in all."""
        told = Evidence("", branch) if branch else NOWHERE
        usages = [
            a_usage(key, tokens=n * MILLION, occurred_at=at(minute), evidence=told, **more) for key, minute, n in calls
        ]
        all_of_it = [ClientTotal("t", "claude-sonnet-4-5", Tokens(output=totals * MILLION))] if totals else []
        report(self.books, self.session_id, a_report(usages, totals=all_of_it), at(200))

    def assign(
        self, to: Target | None = None, word: Word = WORD, since: datetime | None = None, until: datetime | None = None
    ) -> Done:
        """To the tab of `fix` in acme/site, or elsewhere."""
        return assign(
            self.books, self.session, self.elsewhere if to is None else to, word, at(200), since=since, until=until
        )

    def lies(self) -> list[tuple[str, str]]:
        """Of each call, oldest first: where (`claude/x`, `site:fix`, a repository's id, `nowhere`), and how sure."""
        assert recompute(self.books, at(200)) == []
        rows = usages_to_place(self.books, self.session)
        places = self.books.places({row.place_id for row in rows})
        found = []
        for row in sorted(rows, key=lambda row: row.occurred_at):
            place = places[row.place_id]
            tab = self.books.tab(place.tab_id) if place.tab_id is not None else None
            name = f"{'site:' if place.repository_id == SITE else ''}{tab.branch}" if tab else ""
            found.append((name or str(place.repository_id or "nowhere"), place.confidence))
        return found

    def spent(self) -> dict[tuple[Scope, int], int]:
        """Dollars of every budget that anything was spent of."""
        spent: dict[tuple[Scope, int], int] = {}
        for budget in self.books.all_budgets(at(200)):
            key = (budget.key.scope, budget.key.subject_id)
            spent[key] = spent.get(key, 0) + budget.spent.nano // (1_000 * MILLION)
        return {key: dollars for key, dollars in spent.items() if dollars}


X, FIX = ("claude/x", "claimed"), ("site:fix", "manual")


@pytest.fixture
def desk(request: pytest.FixtureRequest, new_store: Callable[[str], Store]) -> Any:
    """A desk on a store of the kind that the test names, in memory unless it names one."""
    store = new_store(getattr(request, "param", "memory"))
    with store.open(an_organization(store).id) as books:
        yield at_desk(books)


def at_desk(books: Transaction, **start: Any) -> Desk:
    """A session is begun, and there is a tab elsewhere."""
    books.save_repository(Repository(SITE, 9_002, "acme/site"))
    alice = books.save_engineer(Engineer(0, 501, "alice", EngineerKind.MEMBER, NOW))
    start = {"place_confidence": Confidence.CLAIMED, "engineer_id": alice.id, **start}
    session = begun(books, a_start("one", policy=a_policy(), **start), at(-10))
    return Desk(books, session.id, Target(books.open_tab(SITE, "fix", NOW).id, SITE))


@pytest.mark.parametrize("desk", KINDS, indirect=True)
def test_a_session_as_a_whole(desk: Desk) -> None:
    """What it used moves, with the budgets; what it uses later goes there too; taken back, all lies where it did."""
    desk.uses(("a", 0, 1), ("b", 1, 2))
    assert desk.lies() == [X, X]
    before = desk.spent()
    assert desk.assign() == Done(2, changed=True)
    desk.uses(("c", 2, 4))
    desk.uses(("d", 3, 1), branch="claude/x")
    desk.uses(totals=10)
    assert desk.lies() == [FIX] * 5
    me = desk.session.engineer_id or 0
    tab = desk.elsewhere.tab_id or 0
    org = desk.books.organization_id
    assert desk.spent() == {
        (Scope.TAB, tab): 10,
        (Scope.ENGINEER, me): 10,
        (Scope.REPOSITORY, SITE): 10,
        (Scope.ORGANIZATION, org): 10,
    }
    assert desk.session.spent.nano == 10 * 1_000 * MILLION
    assert unassign(desk.books, desk.session, WORD, at(200)).moved == 5
    assert {where for where, _ in desk.lies()} == {"claude/x"}
    assert desk.spent() == {key: dollars * 10 // 3 for key, dollars in before.items()}
    desk.uses(("e", 4, 1))
    assert {where for where, _ in desk.lies()} == {"claude/x"}


@pytest.mark.parametrize("desk", KINDS, indirect=True)
def test_again_changes_nothing(desk: Desk) -> None:
    """No entry is added by saying the same again, for whatever reason, nor by the job, nor by a report that comes again."""
    desk.uses(("a", 0, 1), branch="claude/x")
    desk.assign()
    entries, session = entries_of(desk.books), desk.session
    assert desk.assign() == desk.assign(word=Word("another reason")) == Done(0, changed=False)
    assert attribute_again(desk.books, desk.session, a_policy(), "alice", at(200)) == 0
    desk.uses(("a", 0, 1), branch="claude/x")
    assert (entries_of(desk.books), replace(desk.session, heard_at=session.heard_at)) == (entries, session)
    assert unassign(desk.books, desk.session, WORD, at(200)).changed
    entries = entries_of(desk.books)
    assert unassign(desk.books, desk.session, WORD, at(200)) == Done(0, changed=False)
    assert entries_of(desk.books) == entries


def test_only_some_calls(desk: Desk) -> None:
    """From a time on and before one; what is used later, in that time too, goes by its own evidence."""
    desk.uses(("a", 0, 1), ("b", 10, 1), ("c", 20, 1))
    assert desk.assign(since=at(10), until=at(20)).moved == 1
    desk.uses(("d", 15, 1))
    assert desk.lies() == [X, FIX, X, X]


def test_a_part_of_what_was_assigned(desk: Desk) -> None:
    """A narrower word stands above the wider one, and later usage follows the wider one."""
    desk.uses(("a", 0, 1), ("b", 10, 1))
    desk.assign()
    desk.assign(Target(repository_id=REPOSITORY), until=at(5))
    desk.uses(("c", 20, 1))
    assert desk.lies() == [(str(REPOSITORY), "manual"), FIX, FIX]


def test_a_call_set_free_alone(desk: Desk) -> None:
    """Of a session that is assigned as a whole it goes where the session does."""
    desk.uses(("a", 0, 1), ("b", 10, 1))
    desk.assign()
    desk.assign(Target(repository_id=REPOSITORY), until=at(5))
    first = usages_to_place(desk.books, desk.session)[0]
    attribute_again(desk.books, desk.session, a_policy(), "alice", at(200), release={first.id})
    assert desk.lies() == [FIX, FIX]


def test_by_the_policy_of_where_it_lies(desk: Desk) -> None:
    """Caps are those of the repository it comes to, for what moved and for what is used later."""
    desk.books.add_policy_file(PolicyFile(SITE, "c" * 40, "tab: $7", "valid", (), NOW))
    desk.uses(("a", 0, 1))
    desk.assign()
    desk.uses(("b", 1, 1))
    caps = {b.key.subject_id: b.cap_nano for b in desk.books.all_budgets(at(200)) if b.key.scope is Scope.TAB}
    assert caps[desk.elsewhere.tab_id or 0] == 7 * 1_000 * MILLION


def test_in_the_month_of_each_call(desk: Desk) -> None:
    """A session over the end of a month: what is put elsewhere counts there in the month in which it was made, later usage too."""
    december = 60 * 24 * 11
    desk.uses(("a", 0, 1))
    calls = [a_usage("b", tokens=2 * MILLION, occurred_at=at(december))]
    report(desk.books, desk.session_id, a_report(calls), at(december + 1))
    assign(desk.books, desk.session, desk.elsewhere, WORD, at(december + 2))
    calls = [a_usage(key, tokens=4 * MILLION, occurred_at=at(minute)) for key, minute in (("c", 1), ("d", december))]
    report(desk.books, desk.session_id, a_report(calls), at(december + 3))
    there = [b for b in desk.books.all_budgets(at(december + 4)) if b.key.subject_id == SITE]
    assert {b.key.window.start.month: b.spent.tokens // MILLION for b in there} == {11: 5, 12: 6}


def test_anywhere(desk: Desk) -> None:
    """A repository alone; the engineer alone, in none; a tab that has ended; and after the session has ended."""
    desk.uses(("a", 0, 1))
    desk.assign(Target(repository_id=SITE))
    assert desk.lies() == [(str(SITE), "manual")]
    desk.assign(Target())
    assert desk.lies() == [("nowhere", "manual")]
    assert {scope for scope, _ in desk.spent()} == {Scope.ENGINEER, Scope.ORGANIZATION}
    desk.books.end_tab(desk.elsewhere.tab_id or 0, at(5))
    end_session(desk.books, desk.session, SessionOutcome.FINISHED, "", at(100))
    desk.assign()
    desk.uses(("b", 1, 1))
    assert desk.lies() == [FIX, FIX]


def test_above_an_identity_token(new_store: Callable[[str], Store]) -> None:
    """Somebody's word stands above all other evidence."""
    store = new_store("memory")
    with store.open(an_organization(store).id) as books:
        desk = at_desk(books, place_confidence=Confidence.PROVEN, run_id="5")
        desk.uses(("a", 0, 1))
        desk.assign()
        desk.uses(("b", 1, 1))
        assert desk.lies() == [FIX, FIX]
        unassign(books, desk.session, WORD, at(200))
        assert desk.lies() == [("claude/x", "proven")] * 2


def test_a_guests_budget_stays_a_guests(new_store: Callable[[str], Store]) -> None:
    """Of the repository it lies in now."""
    store = new_store("memory")
    with store.open(an_organization(store).id) as books:
        desk = at_desk(books, person=Scope.GUEST)
        desk.uses(("a", 0, 1))
        desk.assign()
        assert (Scope.GUEST, SITE) in desk.spent()
        assert (Scope.GUEST, REPOSITORY) not in desk.spent()


@pytest.mark.parametrize("desk", KINDS, indirect=True)
def test_split(desk: Desk) -> None:
    """Each call is in one part, and stays there; later ones go by their own evidence, also where the session was assigned before."""
    desk.uses(("a", 0, 3), ("b", 1, 1), ("c", 2, 1))
    desk.assign()
    a, b, c = (row.id for row in usages_to_place(desk.books, desk.session))
    parts = {desk.elsewhere: [a], Target(repository_id=REPOSITORY): [b, c]}
    assert split(desk.books, desk.session, parts, WORD, at(200)) == Done(2, changed=True)
    assert split(desk.books, desk.session, parts, WORD, at(200)) == Done(0, changed=False)
    assert attribute_again(desk.books, desk.session, a_policy(), "alice", at(200)) == 0
    desk.uses(("d", 3, 1))
    assert desk.lies() == [FIX, (str(REPOSITORY), "manual"), (str(REPOSITORY), "manual"), X]
    with pytest.raises(ValueError, match="exactly one part"):
        split(desk.books, desk.session, parts, WORD, at(200))


@given(
    tokens=st.lists(st.integers(0, 50), max_size=12),
    parts=st.lists(st.integers(1, 9), min_size=2, max_size=4),
)
def test_shares(tokens: list[int], parts: list[int]) -> None:
    """Every call is in one part, the same whatever the order, and no part is further off than the largest call."""
    store = MemoryStore()
    with store.open(an_organization(store).id) as books:
        desk = at_desk(books)
        models = ["claude-sonnet-4-5", "mystery"]
        usages = [
            a_usage(f"k{n}", tokens=count * 10, occurred_at=at(n), model=models[n % 2])
            for n, count in enumerate(tokens)
        ]
        report(books, desk.session_id, a_report(usages), at(200))
        rows = usages_to_place(books, desk.session)
        shares = [Fraction(part, sum(parts)) for part in parts]
        divided = by_share(rows, shares)
        assert by_share(rows[::-1], shares) == divided
        assert sorted(row.id for part in divided for row in part) == sorted(row.id for row in rows)
        most = max((row.cost for row in rows), default=0)
        whole = sum(row.cost for row in rows)
        for share, part in zip(shares, divided, strict=True):
            assert abs(sum(row.cost for row in part) - share * whole) <= most


class AssigningMachine(LedgerMachine):
    """Everything a ledger can meet, and people who say where usage belongs: every sum is kept."""

    def _sums(self, books: Transaction) -> Any:
        added = [sum(getattr(e, n) for e in entries_of(books)) for n in ("nano", "notional", "tokens", "unknown")]
        spent = {(s.id, s.spent, s.notional, s.unknown_usages, s.iterations) for s in books.all_sessions()}
        return added, spent

    def _use_some(self, data: st.DataObject, session_id: str) -> None:
        """New calls, so that there is something to move."""
        for _ in range(data.draw(st.integers(1, 4))):
            self.started += 1
            model, millions = data.draw(st.sampled_from(MODELS)), data.draw(st.integers(0, 3))
            call = a_usage(
                f"new:{self.started}",
                model=model,
                tokens=millions * MILLION,
                occurred_at=self.now - timedelta(minutes=data.draw(st.integers(0, 60 * 72))),
                evidence=data.draw(evidence),
            )
            with self.store.open(self.organization) as books:
                report(books, session_id, a_report([call], policy=self.policy_of[session_id]), self.now)

    def _by_hand(self, data: st.DataObject, do: Callable[[Transaction, SessionRow], Done]) -> None:
        if not self.sessions:
            self.start(policy="wide", branch="claude/x", person=(1, Scope.ENGINEER), billing=Billing.API)
        session_id = data.draw(st.sampled_from(self.sessions))
        self._use_some(data, session_id)
        with self.store.open(self.organization) as books:

            def done() -> Done:
                session = books.session(session_id)
                assert session is not None
                return do(books, session)

            before = self._sums(books)
            done()
            once = entries_of(books)
            assert done() == Done(0, changed=False)
            assert entries_of(books) == once
            assert self._sums(books) == before

    def _target(self, books: Transaction, name: str) -> Target:
        if name in {"", "web"}:
            return Target(repository_id=REPOSITORY if name else None)
        repository = SITE if name == "fix" else REPOSITORY
        return Target(books.open_tab(repository, name, self.now).id, repository)

    targets = st.sampled_from(["", "web", "fix", "claude/x", "claude/z"])

    @rule(data=st.data(), name=targets, minutes=st.none() | st.integers(0, 60 * 72))
    def assign(self, data: st.DataObject, name: str, minutes: int | None) -> None:
        """As a whole, or up to a time."""
        until = None if minutes is None else self.now - timedelta(minutes=minutes)
        self._by_hand(data, lambda b, s: assign(b, s, self._target(b, name), WORD, self.now, until=until))

    @rule(data=st.data(), names=st.lists(targets, min_size=2, max_size=3, unique=True))
    def split(self, data: st.DataObject, names: list[str]) -> None:
        """In equal parts."""

        def do(books: Transaction, session: SessionRow) -> Done:
            rows = by_share(usages_to_place(books, session), [Fraction(1, len(names))] * len(names))
            parts = {self._target(books, name): [row.id for row in its] for name, its in zip(names, rows, strict=True)}
            return split(books, session, parts, WORD, self.now)

        self._by_hand(data, do)

    @rule(data=st.data())
    def unassign(self, data: st.DataObject) -> None:
        """All of it."""
        self._by_hand(data, lambda b, s: unassign(b, s, WORD, self.now))


@pytest.mark.parametrize("kind", KINDS)
def test_every_sum_is_kept(kind: str, new_store: Callable[[str], Store]) -> None:
    """Whatever happens in whatever order; databases are slower, and tried less."""
    machine = type("Machine", (AssigningMachine,), {"new_store": staticmethod(lambda: new_store(kind))})
    examples, steps = (25, 20) if kind == "memory" else (3, 12)
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )
