"""Usage: counted once whatever is sent how often and in which order, settled against the hold, in the right window."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.ledger.books import Cause, EntryKind
from app.ledger.end_session import end_session
from app.ledger.recompute import recompute
from app.ledger.record_usage import Report
from app.registry import Store, Transaction
from app.store.memory import MemoryStore
from tabstop.budget import Amount, Budget, Scope
from tabstop.money import dollars
from tabstop.policy.model import Policy
from tabstop.session import SessionOutcome
from tabstop.usage import Billing, Tokens, Usage
from tabstop.window import WindowKind
from tabstop.wire import ClientTotal
from tests.ledger.builders import (
    NOW,
    a_cap,
    a_policy,
    a_report,
    a_start,
    a_usage,
    an_organization,
    at,
    begun,
    report,
)

TEN_CENTS = 100_000
"""Tokens that cost ten cents."""


@pytest.fixture
def books() -> Transaction:
    """Open books in memory; the store's own tests say that databases do the same."""
    store: Store = MemoryStore()
    return store.open(an_organization(store).id).__enter__()


def spent(books: Transaction) -> tuple[int, int]:
    (budget,) = [b for b in books.all_budgets(NOW) if b.key.scope is Scope.ORGANIZATION]
    return budget.spent.nano, budget.spent.tokens


def budget_of(books: Transaction, scope: Scope, now: datetime = NOW) -> Budget:
    return next(b for b in books.all_budgets(now) if b.key.scope is scope and b.key.window.holds(now))


def causes(books: Transaction) -> list[Cause]:
    return [entry.cause for entry in books.all_entries()]


def send(books: Transaction, *usages: Usage, policy: Policy | None = None, now: datetime = NOW) -> None:
    report(books, "session-one", a_report(usages, policy=policy), now)


PARTS = [
    a_usage("req:1", tokens=Tokens(input=10, output=1)),
    a_usage("req:1", "msg:1", tokens=Tokens(input=10, output=5)),
    a_usage("msg:1", tokens=Tokens(input=4, output=9)),
    a_usage("req:2", tokens=Tokens(input=7, output=7)),
    a_usage("msg:2", tokens=Tokens(input=7, output=8)),
    a_usage("req:2", "msg:2", tokens=Tokens(input=1)),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(6)))[::24])
def test_order_and_number_of_reports_do_not_matter(books: Transaction, order: tuple[int, ...]) -> None:
    """Streamed parts, retries and keys that turn out to be one response end in the same sums (promise 2)."""
    begun(books, a_start())
    for number in (*order, *order):
        send(books, PARTS[number])
    assert spent(books) == ((10 + 9 + 7 + 8) * 1_000, 10 + 9 + 7 + 8)
    session = books.session("session-one")
    assert session is not None
    assert session.iterations == 2
    assert recompute(books, NOW) == []


def test_three_rows_that_are_one_response(books: Transaction) -> None:
    """A report whose keys join several stored usages leaves one of them with tokens."""
    begun(books, a_start())
    send(books, *(a_usage(key, tokens=10) for key in "abc"))
    send(books, a_usage("a", "b", tokens=1), a_usage("b", "c", tokens=20))
    assert spent(books)[1] == 20
    rows = books.usages_of("session-one")
    assert [row.same_as for row in rows] == [None, rows[0].id, rows[0].id]
    assert {known.id for known in books.known(list("abc")).values()} == {rows[0].id}


def test_a_known_cache_split_stands_in_place_of_an_unknown(books: Transaction) -> None:
    """One source says 5 minutes for want of knowing; the other knows it was an hour: the same tokens, once."""
    exact = a_usage("a", tokens=Tokens(cache_write_1h=100))
    vague = a_usage("a", tokens=Tokens(cache_write_5m=100), cache_split_known=False)
    begun(books, a_start())
    for usage in (vague, exact, vague):
        send(books, usage)
    assert books.usages_of("session-one")[0].tokens == Tokens(cache_write_1h=100)


def test_the_hold_is_eaten_and_topped_up(books: Transaction) -> None:
    """Spend comes out of what was set aside, and the rest of the room fills it up again."""
    policy = a_policy(hold="1", tab="2")
    begun(books, a_start(policy=policy))
    send(books, a_usage("a", tokens=6 * TEN_CENTS), policy=policy)
    tab = budget_of(books, Scope.TAB)
    assert (tab.spent.nano, tab.held.nano) == (dollars("0.6"), dollars(1))
    assert causes(books) == [Cause.ADMITTED]


@pytest.mark.parametrize(("calls", "held", "covered"), [(6, "0.9", True), (14, "0.1", True), (15, "0", False)])
def test_a_hold_that_cannot_be_topped_up_says_wind_down(
    books: Transaction, calls: int, held: str, covered: bool
) -> None:
    """Others hold the rest: the session takes what room there is, and is told once that is too little to work on."""
    policy = a_policy(hold="1", tab="2.50")
    begun(books, a_start("one", policy=policy))
    begun(books, a_start("two", policy=policy))
    recorded = report(books, "session-one", a_report([a_usage("a", tokens=calls * TEN_CENTS)], policy=policy))
    assert recorded.session.held.nano == dollars(held)
    assert [one.key.scope for one in recorded.short] == ([] if covered else [Scope.TAB])
    tab = budget_of(books, Scope.TAB)
    assert tab.spent.nano + tab.held.nano == tab.cap_nano


def test_an_overshoot_is_named(books: Transaction) -> None:
    """What neither hold nor room covers is charged all the same, under its name, and nothing more is held."""
    policy = a_policy(hold="1", tab="2")
    begun(books, a_start(policy=policy))
    send(books, *(a_usage(key, tokens=9 * TEN_CENTS) for key in "abc"), policy=policy)
    tab = budget_of(books, Scope.TAB)
    assert (tab.overrun.nano, tab.held.nano) == (dollars("0.7"), 0)
    assert causes(books) == [Cause.ADMITTED, Cause.ADMITTED, Cause.OVERSHOOT]
    assert books.causes_of(tab.id)[Cause.OVERSHOOT].nano == dollars("0.9")


@pytest.mark.parametrize(("tokens", "last"), [(2 * TEN_CENTS, Cause.ADMITTED), (2 * TEN_CENTS + 1, Cause.OVERSHOOT)])
def test_a_batch_that_fits_to_the_last_token_is_admitted(books: Transaction, tokens: int, last: Cause) -> None:
    """Taken together or one by one: only what did not fit is an overshoot, and a usage of nothing never is."""
    policy = a_policy(hold="1", tab="2")
    begun(books, a_start(policy=policy))
    sizes = {"a": 9 * TEN_CENTS, "b": 9 * TEN_CENTS, "c": 0, "d": tokens}
    send(books, *(a_usage(key, tokens=size) for key, size in sizes.items()), policy=policy)
    assert causes(books) == [Cause.ADMITTED, Cause.ADMITTED, last]
    assert recompute(books, NOW) == []


def test_growth_of_a_streamed_call_is_settled_like_new_usage(books: Transaction) -> None:
    """Output tokens that are not final yet grow within the hold: that is no correction that passes a cap."""
    policy = a_policy(hold="1", tab="1")
    begun(books, a_start(policy=policy))
    for tenths in (1, 4, 10):
        send(books, a_usage("a", tokens=tenths * TEN_CENTS), policy=policy)
    assert causes(books) == [Cause.ADMITTED] * 3
    send(books, a_usage("a", tokens=11 * TEN_CENTS), policy=policy)
    assert causes(books)[3] is Cause.OVERSHOOT


def test_late_usage_is_accepted_and_named(books: Transaction) -> None:
    """After the end there is no hold; what arrives is charged to the windows it was admitted in."""
    session = begun(books, a_start())
    end_session(books, session, SessionOutcome.FINISHED, "", at(5))
    report(books, session.id, a_report([a_usage("a")]), datetime(2026, 12, 2, tzinfo=UTC))
    assert causes(books) == [Cause.LATE]
    assert budget_of(books, Scope.ENGINEER).spent.tokens == TEN_CENTS
    assert budget_of(books, Scope.ENGINEER).held == Amount()


def test_a_session_that_outlives_its_window(books: Transaction) -> None:
    """The old window keeps what happened in it, whenever it is reported; the new one takes the hold."""
    policy = a_policy(hold="1", engineer=a_cap("5", window=WindowKind.DAY))
    begun(books, a_start(policy=policy))
    friday, saturday = at(60), at(60 * 13)
    send(books, a_usage("a", occurred_at=friday), policy=policy, now=friday)
    assert budget_of(books, Scope.ENGINEER, friday).held.nano == dollars(1)
    send(books, a_usage("b", occurred_at=saturday), policy=policy, now=saturday)
    send(books, a_usage("c", occurred_at=friday), policy=policy, now=saturday)
    old, new = budget_of(books, Scope.ENGINEER, friday), budget_of(books, Scope.ENGINEER, saturday)
    assert (old.spent.tokens, old.held) == (2 * TEN_CENTS, Amount())
    assert (new.spent.tokens, new.held.nano) == (TEN_CENTS, dollars(1))
    assert budget_of(books, Scope.TAB).spent.tokens == 3 * TEN_CENTS
    assert recompute(books, saturday) == []


@pytest.mark.parametrize(("counts", "in_budget"), [(False, 0), (True, dollars("0.1"))])
def test_notional_dollars_are_a_figure_of_their_own(books: Transaction, counts: bool, in_budget: int) -> None:
    """A subscription's equivalent shows beside the real dollars, and counts where the policy says so."""
    policy = a_policy(subscription_counts=counts)
    begun(books, a_start(policy=policy, billing=Billing.SUBSCRIPTION))
    send(books, a_usage("a"), policy=policy)
    tab = budget_of(books, Scope.TAB)
    assert (tab.spent.nano, tab.notional) == (in_budget, dollars("0.1"))
    session = books.session("session-one")
    assert session is not None
    assert (session.spent.nano, session.notional) == (0, dollars("0.1"))


def test_a_counted_subscription_holds_no_more_than_its_limit_leaves(books: Transaction) -> None:
    """Its notional dollars are what the session's cost limit bounds, so the hold shrinks with them."""
    policy = a_policy(subscription_counts=True, hold="1", session="1")
    begun(books, a_start(policy=policy, billing=Billing.SUBSCRIPTION))
    send(books, a_usage("a", tokens=9 * TEN_CENTS), policy=policy)
    assert budget_of(books, Scope.TAB).held.nano == dollars("0.1")


def test_a_hold_whose_dollars_turn_out_notional_is_given_back(books: Transaction) -> None:
    """Billing may be known only later; from then on dollars that count nowhere are not held."""
    session = begun(books, a_start(billing=Billing.UNKNOWN))
    assert session.held.nano > 0
    books.change_session(replace(session, billing=Billing.SUBSCRIPTION))
    send(books, a_usage("a"))
    assert budget_of(books, Scope.TAB).held == Amount(0, 500_000)


def test_an_unknown_price_is_never_zero(books: Transaction) -> None:
    """It is counted as unknown until it is priced, in the session and in every budget."""
    begun(books, a_start())
    send(books, a_usage("a", model="mystery"), a_usage("b", model="mystery"))
    assert {budget.unknown_usages for budget in books.all_budgets(NOW)} == {2}
    assert spent(books) == (0, 2 * TEN_CENTS)


def test_a_step_is_told_once(books: Transaction) -> None:
    """Amber and red latch in the transaction that crossed them, and never re-arm."""
    policy = a_policy(tab="1", hold="0.10", steps=(50, 90))
    begun(books, a_start(policy=policy))
    for key in "abc":
        send(books, a_usage(key, tokens=4 * TEN_CENTS), policy=policy)
        send(books, a_usage(key, tokens=4 * TEN_CENTS), policy=policy)
    tab = budget_of(books, Scope.TAB)
    assert not any(books.latch(tab.id, step) for step in (50, 90, 100))


def totals(output: int, thread: str = "t") -> list[ClientTotal]:
    return [ClientTotal(thread, "claude-sonnet-4-5", Tokens(output=output))]


def test_a_true_up_is_what_the_calls_lack(books: Transaction) -> None:
    """The client's total counts; the rest shrinks as calls arrive from elsewhere, down to nothing, and never counts twice."""
    begun(books, a_start())

    def tell(calls: list[Usage], total: int) -> Report:
        return a_report(calls, totals=totals(total))

    report(books, "session-one", tell([a_usage("a", tokens=100)], 250))
    assert spent(books)[1] == 250
    assert [entry.kind for entry in books.all_entries()] == [EntryKind.CHARGE, EntryKind.TRUE_UP]
    send(books, a_usage("b", tokens=50))
    assert spent(books)[1] == 250
    report(books, "session-one", tell([a_usage("c", tokens=300)], 200))
    assert spent(books)[1] == 450
    report(books, "session-one", tell([], 500))
    assert spent(books)[1] == 500
    assert recompute(books, NOW) == []


def test_another_sessions_report_shrinks_a_true_up(books: Transaction) -> None:
    """A call that two sessions report belongs to the first; what it grows by there is no longer left over."""
    begun(books, a_start("one"))
    begun(books, a_start("two"))
    report(books, "session-one", a_report([a_usage("a", tokens=10)], totals=totals(100)))
    report(books, "session-two", a_report([a_usage("a", tokens=60)]))
    assert spent(books)[1] == 100
