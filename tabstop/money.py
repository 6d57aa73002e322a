"""Money: integer nano-dollars. The only place that rounds or prints an amount."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

NANO_PER_DOLLAR = 1_000_000_000

Nano = int
"""An amount in billionths of a US dollar. 64 bits hold nine billion dollars."""

UNKNOWN = "?"
"""An amount nobody knows."""

_DOLLARS = re.compile(r"^\$?\s*(\d{1,3}(?:[,_]\d{3})+|\d+)(\.\d{1,9})?$")


def dollars(amount: int | str | Decimal) -> Nano:
    """Read an amount written by a person: `10`, `"1.20"`, `"$10,000"`. Raises `ValueError` with what is allowed.

    Floats are refused by type: 0.1 + 0.2 has no place in a ledger.
    """
    if isinstance(amount, bool):
        raise ValueError(f"{amount!r} is not an amount of dollars; write a number such as 10 or 2.50")
    if isinstance(amount, int):
        return amount * NANO_PER_DOLLAR
    if isinstance(amount, Decimal):
        return round_half_up(amount * NANO_PER_DOLLAR)
    found = _DOLLARS.match(amount.strip())
    if not found:
        raise ValueError(f"{amount!r} is not an amount of dollars; write a number such as 10 or 2.50")
    whole = re.sub(r"[,_]", "", found[1])
    return round_half_up(Decimal(whole + (found[2] or "")) * NANO_PER_DOLLAR)


def round_half_up(nano: Decimal) -> Nano:
    """Round an exact number of nano-dollars to a whole one, halves away from zero: once per usage, never per kind.

    Raises `ValueError` for what is no number (NaN, infinity).
    """
    try:
        return int(nano.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    except (InvalidOperation, ValueError) as error:
        raise ValueError(f"{nano} is not an amount of money") from error


def show(nano: Nano) -> str:
    """Print an amount as people read it: `$1.20`, `$10,000.00`, `-$0.05`.

    An amount that is not zero is never printed as zero: below half a cent it keeps two significant digits (`$0.0042`).
    """
    sign = "-" if nano < 0 else ""
    exact = Decimal(abs(nano)) / NANO_PER_DOLLAR
    if exact != 0 and exact < Decimal("0.005"):
        places = -exact.adjusted() + 1
        digits = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
        return f"{sign}${digits:f}"
    return f"{sign}${exact.quantize(Decimal('0.01'), rounding=ROUND_HALF_UP):,f}"


def show_known(nano: Nano | None, unpriced: int) -> str:
    """Print what is known of an amount: `$1.20`; `$1.20 + ?` where some calls have no price, `?` where none has one.

    nano: None where none has a price. unpriced: how many have none.
    """
    if nano is None:
        return UNKNOWN
    return f"{show(nano)} + {UNKNOWN}" if unpriced else show(nano)


def show_exact(nano: Nano) -> str:
    """Print every digit that counts, at least cents: `$0.08632`, `$1.20`. For audit rows and arithmetic."""
    sign = "-" if nano < 0 else ""
    whole, rest = divmod(abs(nano), NANO_PER_DOLLAR)
    return f"{sign}${whole:,}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"


def plain(nano: Nano) -> str:
    """A number for flags and machines, no sign of currency and no separators: `9.5`, `10`."""
    sign = "-" if nano < 0 else ""
    whole, rest = divmod(abs(nano), NANO_PER_DOLLAR)
    fraction = f"{rest:09d}".rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
