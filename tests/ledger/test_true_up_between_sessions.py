"""A client's total and a call that two sessions reported: whoever came first, it is one call."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from app.ledger.recompute import recompute
from app.registry import Store, Transaction
from tabstop.budget import Scope
from tabstop.usage import Tokens
from tabstop.wire import ClientTotal
from tests.ledger.builders import NOW, a_report, a_start, a_usage, an_organization, begun, report

TEN = 10_000
TOTAL = ClientTotal("thread", a_usage("k").model, Tokens(output=TEN))
REPORTS = {
    "one says little": ("session-one", a_report([a_usage("k", tokens=TEN // 2)])),
    "one says all": ("session-one", a_report([a_usage("k", tokens=TEN)])),
    "two says all and a total": ("session-two", a_report([a_usage("k", tokens=TEN)], totals=[TOTAL])),
}


def spent_tokens(books: Transaction) -> int:
    (tab,) = [budget for budget in books.all_budgets(NOW) if budget.key.scope is Scope.TAB]
    return tab.spent.tokens


@pytest.mark.parametrize("kind", ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.parametrize("order", list(itertools.permutations(REPORTS)), ids=", ".join)
def test_it_is_counted_once_in_any_order(new_store: Callable[[str], Store], kind: str, order: tuple[str, ...]) -> None:
    """The total's session reported the call too, so nothing is left to true up, whichever report came first."""
    store = new_store(kind)
    with store.open(an_organization(store).id) as books:
        begun(books, a_start("one"))
        begun(books, a_start("two"))
        for name in order:
            session, what = REPORTS[name]
            report(books, session, what)
        assert spent_tokens(books) == TEN
        assert recompute(books, NOW) == []


TALKED, COMPACTED = Tokens(output=TEN), Tokens(output=TEN // 5)
OF_CLIENT = ClientTotal("thread", a_usage("k").model, TALKED + COMPACTED)
BESIDE = {
    "the proxy tells both": ("session-two", a_report([a_usage("k", tokens=TALKED), a_usage("c", tokens=COMPACTED)])),
    "the log tells one": ("session-one", a_report([a_usage("k", tokens=TALKED)])),
    "and the total": ("session-one", a_report(totals=[OF_CLIENT])),
}


@pytest.mark.parametrize("kind", ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.parametrize("order", list(itertools.permutations(BESIDE)), ids=", ".join)
def test_a_compaction_that_a_proxy_saw_is_counted_once(
    new_store: Callable[[str], Store], kind: str, order: tuple[str, ...]
) -> None:
    """No log has it, and the client's total does: the proxy's call is it, whichever report came first."""
    store = new_store(kind)
    with store.open(an_organization(store).id) as books:
        begun(books, a_start("one"))
        begun(books, a_start("two", agent="proxy"))
        for name in order:
            session, what = BESIDE[name]
            report(books, session, what)
        assert spent_tokens(books) == OF_CLIENT.tokens.total
        assert recompute(books, NOW) == []


@pytest.mark.parametrize(("whose", "twice"), [({"engineer_id": 202, "login": "bob"}, True), ({"run_id": "7"}, False)])
def test_what_others_tell_explains_no_total(
    new_store: Callable[[str], Store], whose: dict[str, Any], *, twice: bool
) -> None:
    """A thread's name is the machine's word: another person's calls of it are not this client's. Her own run's are."""
    store = new_store("memory")
    with store.open(an_organization(store).id) as books:
        begun(books, a_start("one"))
        begun(books, a_start("two", **whose))
        for session, what in BESIDE.values():
            report(books, session, what)
        assert spent_tokens(books) == OF_CLIENT.tokens.total + (COMPACTED.total if twice else 0)
