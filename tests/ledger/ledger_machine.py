"""A hypothesis state machine that does everything a ledger can meet, and checks the promises after every step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.ledger.attribute_again import attribute_again
from app.ledger.books import Books, Cause, Place, SessionOverdrive
from app.ledger.breakers import take_trips
from app.ledger.end_session import end_session
from app.ledger.hand_over import hand_over
from app.ledger.move import move
from app.ledger.overdrives import grant, revoke
from app.ledger.recompute import recompute
from app.ledger.reprice import reprice
from app.ledger.resume import Circumstances, may_resume, resume
from app.ledger.session_overdrives import grant as grant_session
from app.ledger.session_overdrives import lapse
from app.ledger.unadmitted import TOLD_LATE, take_in
from app.registry import Engineer, EngineerKind, Repository, Store
from tabstop.breaker_memory import BreakerMetric
from tabstop.budget import Amount, Budget, Scope
from tabstop.policy.model import Policy
from tabstop.session import Limits, SessionOutcome
from tabstop.usage import Billing, Usage
from tabstop.wire import BreakerTrip, ClientTotal, StartAnswer
from tests.ledger.always import all_holds, entries_of
from tests.ledger.builders import (
    NOW,
    REPOSITORY,
    a_price,
    a_pull_request,
    a_report,
    a_start,
    an_organization,
    begin,
    report,
)
from tests.ledger.drawn import MODELS, POLICIES, a_dear_price, commits, evidence, keys, links, tokens


class LedgerMachine(RuleBasedStateMachine):
    """Admissions, reports in any order and number, endings, silences, trips, moves, corrections, prices, raises, time."""

    new_store: Callable[[], Store]

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).new_store()
        self.now = NOW
        self.started = 0
        self.sessions: list[str] = []
        self.sent: list[tuple[str, Any]] = []
        self.policy_of: dict[str, Policy] = {}
        self.highest: dict[int, Amount] = {}

    @initialize(timezone=st.sampled_from(["UTC", "Europe/Berlin"]))
    def install(self, timezone: str) -> None:
        self.organization = an_organization(self.store, timezone=timezone).id
        with self.store.open(self.organization) as books:
            books.save_repository(Repository(102, 9_002, "acme/site"))

    @rule(
        policy=st.sampled_from(sorted(POLICIES)),
        branch=st.sampled_from(["", "claude/x", "claude/y"]),
        person=st.sampled_from([(1, Scope.ENGINEER), (2, Scope.ENGINEER), (3, Scope.GUEST), (None, None)]),
        billing=st.sampled_from(list(Billing)),
    )
    def start(self, policy: str, branch: str, person: tuple[int | None, Scope | None], billing: Billing) -> None:
        """Whoever is admitted leaves room in every budget: spent + held <= cap (promise 3)."""
        self.started += 1
        asked = a_start(
            str(self.started),
            policy=POLICIES[policy],
            branch=branch,
            engineer_id=person[0],
            person=person[1],
            billing=billing,
        )
        with self.store.open(self.organization) as books:
            _, breaker = books.learned(REPOSITORY, "claude-code")
            attempt = begin(books, asked, self.now)
            again = begin(books, asked, self.now)
            assert again == attempt
            if not attempt.session_id:
                return
            assert breaker.admits_at(self.now)
            session = books.session(attempt.session_id)
            assert session is not None
            place = books.places([session.place_id])[session.place_id]
            for budget in books.budgets_by_id(place.budget_ids, self.now).values():
                assert budget.fits(Amount()), budget
        self.sessions.append(attempt.session_id)
        self.policy_of[attempt.session_id] = POLICIES[policy]

    @rule(
        policy=st.sampled_from(sorted(POLICIES)),
        minutes=st.integers(0, 60 * 24 * 40),
        billing=st.sampled_from(list(Billing)),
    )
    def run_without_asking(self, policy: str, minutes: int, billing: Billing) -> None:
        """A session that is told of afterwards: nothing is held for it, and its usage counts."""
        self.started += 1
        start = a_start(str(self.started), policy=POLICIES[policy], billing=billing)
        began = self.now - timedelta(minutes=minutes)
        with self.store.open(self.organization) as books:
            attempt = take_in(
                books, start, began, self.now, lambda session: StartAnswer(TOLD_LATE, session.id, "", None)
            )
        self.sessions.append(attempt.session_id)
        self.policy_of[attempt.session_id] = POLICIES[policy]

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        """A batch: new calls, known ones, keys that join two, calls before a window turned, unknown prices."""
        session = data.draw(st.sampled_from(self.sessions))
        calls = data.draw(
            st.lists(
                st.builds(
                    Usage,
                    keys=keys,
                    model=st.sampled_from(MODELS),
                    tokens=tokens,
                    occurred_at=st.integers(0, 60 * 72).map(lambda minutes: self.now - timedelta(minutes=minutes)),
                    cache_split_known=st.booleans(),
                    web_searches=st.integers(0, 3),
                    evidence=evidence,
                ),
                max_size=4,
            )
        )
        seen = data.draw(st.lists(links, max_size=1))
        made = data.draw(st.lists(commits, max_size=1))
        totals = data.draw(
            st.lists(
                st.builds(ClientTotal, st.sampled_from(["t1", "t2"]), st.sampled_from(MODELS[:2]), tokens), max_size=2
            )
        )
        batch = replace(
            a_report(calls, totals=totals, policy=self.policy_of[session]), pull_requests=seen, commits=made
        )
        with self.store.open(self.organization) as books:
            report(books, session, batch, self.now)
        self.sent.append((session, batch))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """Sending any prefix of all reports again adds nothing to the ledger (promise 2)."""
        prefix = self.sent[: data.draw(st.integers(1, len(self.sent)))]
        with self.store.open(self.organization) as books:
            before = entries_of(books)
            for session, batch in prefix:
                report(books, session, batch, self.now)
            assert entries_of(books) == before

    @precondition(lambda self: self.sessions)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(
            [SessionOutcome.FINISHED, SessionOutcome.SUSPENDED, SessionOutcome.SILENT, SessionOutcome.CANCELLED]
        ),
    )
    def end(self, data: st.DataObject, outcome: SessionOutcome) -> None:
        session_id = data.draw(st.sampled_from(self.sessions))
        with self.store.open(self.organization) as books:
            session = books.session(session_id)
            assert session is not None
            end_session(books, session, outcome, "", self.now)

    @rule()
    def silence(self) -> None:
        """Leases that ran out end their sessions."""
        with self.store.open(self.organization) as books:
            for session in books.live_sessions(silent_at=self.now):
                end_session(books, session, SessionOutcome.SILENT, "", self.now)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        """Whoever goes on leaves room in every budget, as a start does (promise 3); its totals stay."""
        session_id = data.draw(st.sampled_from(self.sessions))
        about = Circumstances(self.policy_of[session_id], "alice", "claude/x", "acme/web")
        with self.store.open(self.organization) as books:
            session = books.session(session_id)
            assert session is not None
            if session.ended_at is None or session.unadmitted:
                return
            found = may_resume(books, session, about, self.now)
            if not found.admission.admitted:
                return
            resumed = resume(books, session, found, self.now)
            assert (resumed.spent, resumed.ended_at) == (session.spent, None)
            place = books.places([resumed.place_id])[resumed.place_id]
            for budget in books.budgets_by_id(place.budget_ids, self.now).values():
                assert budget.fits(Amount()), budget

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), nano=st.integers(0, 3_000_000_000), tokens=st.integers(0, 3_000_000))
    def raise_session(self, data: st.DataObject, nano: int, tokens: int) -> None:
        """More of a session's own limits is no more of any budget; it runs out."""
        self.started += 1
        more = Limits(cost=nano, tokens=tokens)
        with self.store.open(self.organization) as books:
            session = books.session(data.draw(st.sampled_from(self.sessions)))
            assert session is not None
            until = self.now + timedelta(hours=2)
            key = f"raise-{self.started}"
            raised = SessionOverdrive(books.new_id(), session.id, key, more, self.now, until, "bob", "test")
            grant_session(books, session, raised)

    @precondition(lambda self: self.sessions)
    @rule()
    def raises_of_sessions_run_out(self) -> None:
        """Every limit is then what it was when the session was admitted, however often it is done."""
        with self.store.open(self.organization) as books:
            for session_id in self.sessions:
                for overdrive in books.session_overdrives(session_id):
                    session = books.session(session_id)
                    assert session is not None
                    lapse(books, session, overdrive, self.now)
                    lapse(books, session, replace(overdrive, ended_at=self.now), self.now)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), metric=st.sampled_from(BreakerMetric), minutes=st.integers(-60, 60))
    def trip(self, data: st.DataObject, metric: BreakerMetric, minutes: int) -> None:
        """Any session, at any claimed time; told twice it is one trip."""
        session_id = data.draw(st.sampled_from(self.sessions))
        told = [BreakerTrip(metric, 100, 60, self.now + timedelta(minutes=minutes), "Bash")]
        with self.store.open(self.organization) as books:
            session = books.session(session_id)
            assert session is not None
            take_trips(books, session, told, self.policy_of[session_id].breaker, self.now)
            once = books.learned(REPOSITORY, "claude-code")
            take_trips(books, session, told, self.policy_of[session_id].breaker, self.now)
            assert books.learned(REPOSITORY, "claude-code") == once

    @precondition(lambda self: self.sessions)
    @rule(outcome=st.sampled_from([SessionOutcome.FINISHED, SessionOutcome.SILENT]))
    def end_the_probe_or_the_cooldown(self, outcome: SessionOutcome) -> None:
        """A probe that finished closes the breaker; without one, time passes until the next may start."""
        with self.store.open(self.organization) as books:
            _, breaker = books.learned(REPOSITORY, "claude-code")
            probe = books.session(breaker.probe)
            if probe is not None:
                end_session(books, probe, outcome, "", self.now)
                closed = books.learned(REPOSITORY, "claude-code")[1].trip is None
                assert closed is (outcome is SessionOutcome.FINISHED and not books.trips_of(probe.id))
            elif breaker.open_until is not None:
                self.now = max(self.now, breaker.open_until)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def attribute(self, data: st.DataObject) -> None:
        """Where everything belongs is decided again; once more changes nothing."""
        session_id = data.draw(st.sampled_from(self.sessions))
        policy = self.policy_of[session_id]
        with self.store.open(self.organization) as books:
            session = books.session(session_id)
            assert session is not None
            attribute_again(books, session, policy, "alice", self.now)
            once = entries_of(books)
            assert attribute_again(books, session, policy, "alice", self.now) == 0
            assert entries_of(books) == once

    @rule(number=st.sampled_from([1, 2]), branch=st.sampled_from(["claude/x", "claude/z"]), state=st.booleans())
    def pull_request(self, number: int, branch: str, *, state: bool) -> None:
        """GitHub tells of a pull request; merged, its tab's generation ends."""
        with self.store.open(self.organization) as books:
            known = books.pull_request(REPOSITORY, number)
            tab_id = known.tab_id if known else books.open_tab(REPOSITORY, branch, self.now).id
            told = a_pull_request(number, known.head_branch if known else branch, tab_id, self.now)
            books.save_pull_request(replace(told, state="open" if state else "merged"))
            books.keep_pulls_of_commit(REPOSITORY, "0123456", [number], self.now)
            if not state:
                books.end_tab(tab_id, self.now)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), branch=st.sampled_from(["claude/x", "claude/y"]), by_hand=st.booleans())
    def move_some(self, data: st.DataObject, branch: str, *, by_hand: bool) -> None:
        session_id = data.draw(st.sampled_from(self.sessions))
        with self.store.open(self.organization) as books:
            rows = books.usages_of(session_id)
            if not rows:
                return
            tab = books.open_tab(REPOSITORY, branch, self.now)
            budgets = [b for b in books.all_budgets(self.now) if b.key.scope in {Scope.REPOSITORY, Scope.TAB}]
            mine = [b.id for b in budgets if b.key.scope is Scope.REPOSITORY or b.key.subject_id == tab.id]
            place = Place(
                tab.id, REPOSITORY, budget_ids=tuple(mine), reason="moved", confidence="manual" if by_hand else ""
            )
            move(books, [row.id for row in rows], place, why="test", steps=(75, 90), now=self.now)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), to=st.sampled_from([1, 2, 3]), person=st.sampled_from([Scope.ENGINEER, Scope.GUEST]))
    def turn_out_to_be_another_s(self, data: st.DataObject, to: int, person: Scope) -> None:
        """A session that has ended changes hands: its person's budget gives, the other's takes."""
        with self.store.open(self.organization) as books:
            session = books.session(data.draw(st.sampled_from(self.sessions)))
            assert session is not None
            if session.ended_at is not None:
                spent = session.spent
                hand_over(books, session, Engineer(to, to, "alice", EngineerKind.MEMBER), person, "test", self.now)
                after = books.session(session.id)
                assert after is not None
                assert (after.engineer_id, after.spent) == (to, spent)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), dear=st.booleans())
    def price_again(self, data: st.DataObject, *, dear: bool) -> None:
        session_id = data.draw(st.sampled_from(self.sessions))
        with self.store.open(self.organization) as books:
            ids = [row.id for row in books.usages_of(session_id)]
            reprice(books, ids, a_dear_price if dear else a_price, why="test", steps=(75, 90), now=self.now)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), amount=st.integers(0, 3_000_000_000), minutes=st.none() | st.integers(1, 2_000))
    def raise_budget(self, data: st.DataObject, amount: int, minutes: int | None) -> None:
        with self.store.open(self.organization) as books:
            budget = data.draw(st.sampled_from(books.all_budgets(self.now)))
            expires = None if minutes is None else self.now + timedelta(minutes=minutes)
            grant(
                books,
                budget,
                Amount(amount, amount // 1_000),
                expires_at=expires,
                approver="bob",
                why="test",
                now=self.now,
            )

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def take_raise_back(self, data: st.DataObject) -> None:
        with self.store.open(self.organization) as books:
            granted = books.overdrives()
            if not granted:
                return
            overdrive = data.draw(st.sampled_from(granted))
            budget = books.budgets_by_id([overdrive.budget_id], self.now)[overdrive.budget_id]
            revoke(books, overdrive, budget, why="test", now=self.now)

    @rule(minutes=st.sampled_from([1, 30, 150, 24 * 60, 7 * 24 * 60, 20 * 24 * 60]))
    def pass_time(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @invariant()
    def promises_hold(self) -> None:
        """Projections equal the ledger; each usage's cost is the sum of its entries; overruns have named causes."""
        if not hasattr(self, "organization"):
            return
        with self.store.look(self.organization) as books:
            assert recompute(books, self.now) == []
            all_holds(books)
            self._overruns_are_named(books)

    def _overruns_are_named(self, books: Books) -> None:
        """What takes spent + held over the highest ceiling a budget ever had was posted under a named cause."""
        named: dict[int, Amount] = defaultdict(Amount)
        places = books.all_places()
        for entry in entries_of(books):
            if entry.cause is Cause.ADMITTED:
                continue
            place = places[entry.place_id]
            nano = entry.nano + (entry.notional if place.counts_notional else 0)
            for budget_id in place.budget_ids:
                named[budget_id] += Amount(nano, entry.tokens).at_least_zero()
        for budget in books.all_budgets(self.now):
            lowest = self._lowest_room(budget)
            if lowest is not None:
                assert -lowest.nano <= named[budget.id].nano, (budget, named[budget.id])
                assert -lowest.tokens <= named[budget.id].tokens, (budget, named[budget.id])

    def _lowest_room(self, budget: Budget) -> Amount | None:
        """Room under the highest ceiling so far: a ceiling that came down is a named cause of its own."""
        unlimited = 2**60
        ceiling = Amount(
            unlimited if budget.nano_ceiling is None else budget.nano_ceiling,
            unlimited if budget.token_ceiling is None else budget.token_ceiling,
        )
        highest = self.highest.get(budget.id, Amount())
        highest = Amount(max(highest.nano, ceiling.nano), max(highest.tokens, ceiling.tokens))
        self.highest[budget.id] = highest
        return highest - budget.spent - budget.held
