"""The budget manager: what answers cost is added to the nano-dollar, and the loop ends at its limit."""

from __future__ import annotations

import pickle
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
from anthropic.types import Usage as AnthropicUsage

from tabstop.library import BudgetExceeded, BudgetManager, PriceOverride, UnknownUsageError
from tabstop.usage import Tokens
from tabstop.verdict import Outcome, Signal
from tests.support.golden import expect

CHEAP = [PriceOverride("mine-*", input=Decimal(1), output=Decimal(2))]


def test_the_loop_ends_at_its_limit_not_after() -> None:
    """0.10 five times is 0.50, exactly: at the limit, not above it, and never a rounding away from it."""
    budget = BudgetManager(session_limit=0.5)
    for _ in range(4):
        budget.check_and_add(0.1)
    assert budget.remaining == Decimal("0.1")
    with pytest.raises(BudgetExceeded) as stopped:
        budget.check_and_add(0.1)
    assert (budget.spent, budget.limit, budget.remaining) == (Decimal("0.5"), Decimal("0.5"), Decimal(0))
    assert stopped.value.verdict.outcome is Outcome.STOP
    assert stopped.value.verdict.reasons[0].signal is Signal.LIMIT
    expect("library/budget-exceeded.txt", f"{stopped.value}\n")


def test_it_stays_stopped_until_it_is_given_more() -> None:
    """What comes after the limit still counts and raises again; an overdrive carries the totals over."""
    budget = BudgetManager(session_limit="1.00")
    for _ in range(2):
        with pytest.raises(BudgetExceeded):
            budget.check_and_add(Decimal("1.20"))
    with pytest.raises(BudgetExceeded):
        budget.check()
    budget.overdrive(2)
    budget.check()
    budget.check_and_add("0.05")
    assert (budget.spent, budget.limit, budget.remaining) == (Decimal("2.45"), Decimal(3), Decimal("0.55"))
    budget.close()


def test_usage_is_priced_by_its_model() -> None:
    """The model of the call, else the manager's own; prices of one's own hold."""
    budget = BudgetManager(10, model="mine-large", prices=CHEAP)
    budget.check_and_add(AnthropicUsage(input_tokens=1_000_000, output_tokens=0))
    assert budget.spent == 1
    budget.check_and_add({"input_tokens": 0, "output_tokens": 1_000_000}, model="mine-small")
    assert budget.spent == 3


def test_a_usage_without_a_model_is_never_free(caplog: pytest.LogCaptureFixture) -> None:
    """The dearest model known is assumed, and said once."""
    budget = BudgetManager(100)
    for _ in range(2):
        budget.check_and_add(Tokens(input=1_000_000))
    assert budget.spent >= 2 * 4
    assert budget.governor.totals.assumed == 2
    assert [record.getMessage() for record in caplog.records if "An answer names no model" in record.getMessage()] == [
        caplog.records[0].getMessage()
    ]
    assert "the dearest model known" in caplog.text


@pytest.mark.parametrize(
    "answer", [None, object(), {}, [], True, {"usage": {}}, {"input_tokens": -1}, {"input_tokens": "5"}]
)
def test_what_tells_no_usage_is_an_error_not_zero(answer: Any) -> None:
    """A loop that would run unbounded fails at its first answer."""
    with pytest.raises(UnknownUsageError):
        BudgetManager(1).check_and_add(answer)


@pytest.mark.parametrize("limit", [0, -1, 0.0, "nothing", float("nan"), float("inf"), True, None])
def test_a_limit_that_is_no_amount_is_refused(limit: Any) -> None:
    """At the beginning, where it can be put right."""
    with pytest.raises(ValueError, match="cost"):
        BudgetManager(session_limit=limit)


def test_nothing_but_the_limit_stops_it() -> None:
    """However fast and however dear: a budget manager has no breaker and no rate."""
    budget = BudgetManager(session_limit=10_000)
    for _ in range(200):
        budget.check_and_add(40)
    assert budget.spent == 8_000


def test_threads_share_it() -> None:
    """Every answer of every thread counts once."""
    budget = BudgetManager(session_limit=100)

    def work() -> None:
        for _ in range(50):
            budget.check_and_add("0.01")

    threads = [Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert budget.spent == 4


def test_the_stop_survives_the_way_between_processes() -> None:
    """A worker's exception is pickled on its way to whoever waits."""
    with pytest.raises(BudgetExceeded) as stopped:
        BudgetManager(1).check_and_add(1)
    again = pickle.loads(pickle.dumps(stopped.value))  # noqa: S301 - our own
    assert (type(again), str(again), again.verdict) == (BudgetExceeded, str(stopped.value), stopped.value.verdict)
