"""A client's total and a call that two sessions reported: whoever came first, it is one call."""

from __future__ import annotations

import itertools
from collections.abc import Callable

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
