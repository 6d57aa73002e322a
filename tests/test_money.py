"""Money: read as people write it, rounded once, printed so that nothing is hidden."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.money import NANO_PER_DOLLAR, dollars, plain, round_half_up, show, show_exact, show_known

amounts = st.integers(-(10**18), 10**18)


@pytest.mark.parametrize(
    ("written", "nano"),
    [
        (10, 10_000_000_000),
        ("10", 10_000_000_000),
        ("1.20", 1_200_000_000),
        ("$10,000", 10_000_000_000_000),
        ("1_000.5", 1_000_500_000_000),
        (" $ 2.50 ", 2_500_000_000),
        ("0.000000001", 1),
        (Decimal("0.0000000005"), 1),
        (0, 0),
    ],
)
def test_amounts_are_read_as_people_write_them(written: int | str | Decimal, nano: int) -> None:
    """To the last nano-dollar."""
    assert dollars(written) == nano


@pytest.mark.parametrize("written", ["", "ten", "1,00", "1.2.3", "-5", "€5", "1e3", "0.0000000001", True, "NaN"])
def test_what_is_no_amount_is_refused(written: str | bool) -> None:
    """With what to write instead."""
    with pytest.raises(ValueError, match=r"write a number such as 10 or 2\.50"):
        dollars(written)


@pytest.mark.parametrize(
    ("exact", "rounded"), [("0.5", 1), ("1.5", 2), ("2.5", 3), ("-0.5", -1), ("2.4999", 2), ("2", 2)]
)
def test_halves_are_rounded_away_from_zero(exact: str, rounded: int) -> None:
    """Once per usage, on the exact sum of its kinds."""
    assert round_half_up(Decimal(exact)) == rounded


@pytest.mark.parametrize("wrong", ["NaN", "Infinity"])
def test_no_number_is_no_amount(wrong: str) -> None:
    """A price that is no number never becomes a cost."""
    with pytest.raises(ValueError, match="not an amount of money"):
        round_half_up(Decimal(wrong))


@pytest.mark.parametrize(
    ("nano", "shown", "exact", "number"),
    [
        (0, "$0.00", "$0.00", "0"),
        (1_200_000_000, "$1.20", "$1.20", "1.2"),
        (10_000_000_000_000, "$10,000.00", "$10,000.00", "10000"),
        (-50_000_000, "-$0.05", "-$0.05", "-0.05"),
        (4_200_000, "$0.0042", "$0.0042", "0.0042"),
        (1, "$0.0000000010", "$0.000000001", "0.000000001"),
        (5_000_000, "$0.01", "$0.005", "0.005"),
        (86_320_000, "$0.09", "$0.08632", "0.08632"),
        (1_999_999_999, "$2.00", "$1.999999999", "1.999999999"),
    ],
)
def test_amounts_are_printed(nano: int, shown: str, exact: str, number: str) -> None:
    """For people, for arithmetic, for machines."""
    assert (show(nano), show_exact(nano), plain(nano)) == (shown, exact, number)


@given(amounts)
def test_exact_forms_lose_nothing(nano: int) -> None:
    """What is printed exactly reads back as the same amount."""
    sign = -1 if nano < 0 else 1
    assert sign * dollars(show_exact(nano).removeprefix("-")) == nano
    assert Decimal(plain(nano)) * NANO_PER_DOLLAR == nano


@given(amounts.filter(bool))
def test_an_amount_is_never_printed_as_zero(nano: int) -> None:
    """The smallest spend shows."""
    assert any(digit in show(nano) for digit in "123456789")


@pytest.mark.parametrize(
    ("nano", "unpriced", "shown"),
    [(0, 0, "$0.00"), (1_200_000_000, 0, "$1.20"), (1_200_000_000, 3, "$1.20 + ?"), (None, 3, "?")],
)
def test_what_has_no_price_is_said(nano: int | None, unpriced: int, shown: str) -> None:
    """An unknown price is never zero."""
    assert show_known(nano, unpriced) == shown
