"""Holds: enough for most sessions, never so much that caution alone refuses the next one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.budget import Amount, Budget
from tabstop.hold import SMALLEST, SMALLEST_TOKENS, WITHOUT_HISTORY, auto_hold, needed_by_most, topped_up
from tabstop.money import dollars
from tests.test_budget import a_budget, amounts, budgets

UNLIMITED = Amount(2**62, 2**62)


@pytest.mark.parametrize(
    ("needs", "most"),
    [([], None), ([5], 5), ([1, 2], 2), (list(range(1, 11)), 9), ([*range(1, 21)], 18), ([100, *[1] * 9], 1)],
)
def test_what_nine_of_ten_needed(needs: list[int], most: int | None) -> None:
    """Nearest rank: one runaway among ten does not make every hold large."""
    assert needed_by_most(needs) == most


@given(st.lists(st.integers(0, 1_000), min_size=1))
def test_nine_of_ten_fit(needs: list[int]) -> None:
    """At least nine of ten needed no more, and somebody needed just that."""
    most = needed_by_most(needs)
    assert most in needs
    assert sum(need <= (most or 0) for need in needs) * 10 >= 9 * len(needs)


@pytest.mark.parametrize(
    ("needed", "cap", "room", "hold"),
    [
        (None, None, None, "2"),
        ("5", None, None, "5"),
        ("0.01", None, None, "0.05"),
        ("20", "10", None, "10"),
        ("5", "0.03", None, "0.03"),
        ("5", None, "8", "2"),
        ("5", None, "0.16", "0.05"),
        ("5", None, "0", "0.05"),
    ],
)
def test_the_automatic_hold(needed: str | None, cap: str | None, room: str | None, hold: str) -> None:
    """What most needed, at most the session's cap, at most a quarter of the room, never a uselessly small one."""
    found = auto_hold(
        None if needed is None else Amount(dollars(needed), 0),
        UNLIMITED if cap is None else Amount(dollars(cap), 2**62),
        [] if room is None else [a_budget(dollars(room))],
    )
    assert found.nano == dollars(hold)


def test_ten_parallel_starts_are_not_refused_out_of_caution() -> None:
    """Each takes a part of what is left: a fresh tab of $50 takes them all, where ten full holds would not fit $15."""
    budget = a_budget(dollars(15))
    for _ in range(10):
        hold = auto_hold(Amount(WITHOUT_HISTORY, 0), UNLIMITED, [budget])
        assert budget.fits(hold)
        budget = a_budget(dollars(15), held=budget.held + hold)


@given(amounts, amounts, st.lists(budgets, max_size=3))
def test_a_top_up_never_passes_a_cap(wanted: Amount, held: Amount, touched: list[Budget]) -> None:
    """What is added fits every budget, fills up to what is wanted and no further; whether it is enough is said."""
    add, short = topped_up(wanted, held, touched)
    enough = not short
    assert add == add.at_least_zero()
    assert enough or add != (wanted - held).at_least_zero()
    least = wanted.at_most(Amount(SMALLEST, SMALLEST_TOKENS))
    assert enough == ((held + add).at_most(least) == least)
    for budget in touched:
        assert add.nano == 0 or budget.nano_room is None or add.nano <= budget.nano_room
        assert add.tokens == 0 or budget.token_room is None or add.tokens <= budget.token_room


def test_the_smallest_hold_has_tokens_too() -> None:
    """A token budget that is nearly full still asks for enough to work with."""
    found = auto_hold(None, UNLIMITED, [a_budget(None, 1_000)])
    assert (found.nano, found.tokens) == (WITHOUT_HISTORY, SMALLEST_TOKENS)
    assert dollars("0.05") == SMALLEST
