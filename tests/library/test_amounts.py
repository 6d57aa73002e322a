"""Limits as programs write them: exact, in short words, and wrong ones are all named at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tabstop.library.amounts import in_dollars, limits, nano_of
from tabstop.session import Limits


@pytest.mark.parametrize(
    ("amount", "nano"),
    [
        (0.1, 10**8),
        (0.3, 3 * 10**8),
        (1e-9, 1),
        (2, 2 * 10**9),
        ("$1,000", 10**12),
        (Decimal("0.000000001"), 1),
        (0, 0),
    ],
)
def test_an_amount_is_the_number_it_is_written_as(amount: Any, nano: int) -> None:
    """A float means its shortest spelling: 0.1 is a tenth of a dollar and no more."""
    assert nano_of(amount) == nano


def test_an_amount_below_zero_is_none() -> None:
    """Nothing costs less than nothing."""
    with pytest.raises(ValueError, match="below zero"):
        nano_of(-0.5)


def test_nano_dollars_as_dollars() -> None:
    """Exactly."""
    assert in_dollars(123_456_789) == Decimal("0.123456789")


def test_limits_in_short_words() -> None:
    """As the policy writes them; what is left out does not bind."""
    found = limits(cost="0.50", tokens="50k", tool_calls=60, iterations=40, wall_clock="1h30m")
    assert found == Limits(50_000, 60, 40, 5_400, 500_000_000)
    assert limits(tokens=7, wall_clock=90) == Limits(tokens=7, wall_clock_seconds=90)
    assert limits(cost="unlimited", tokens="unlimited", iterations=5) == Limits(iterations=5)
    assert limits() == Limits()


def test_wrong_limits_are_all_named() -> None:
    """With what would be right."""
    wrong: Any = {"cost": "cheap", "tokens": "5k5", "tool_calls": 0, "iterations": True, "wall_clock": "soon"}
    with pytest.raises(ValueError, match="cost") as said:
        limits(**wrong)
    assert str(said.value) == (
        "tokens: '5k5' cannot be read; write a number such as 50_000 or '50k'; "
        "tool_calls: 0 lets nothing run; write a number above zero; "
        "iterations: True cannot be read; write a whole number; "
        "wall_clock: 'soon' cannot be read; write seconds, or a time such as '30m'; "
        "cost: 'cheap' is not an amount of dollars; write a number such as 10 or 2.50"
    )
