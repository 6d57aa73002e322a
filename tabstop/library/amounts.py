"""Amounts as programs write them: dollars from a float, limits from short texts."""

from __future__ import annotations

import re
from decimal import Decimal

from tabstop.money import NANO_PER_DOLLAR, Nano
from tabstop.money import dollars as read_dollars
from tabstop.policy import notation
from tabstop.session import Limits

Dollars = float | int | str | Decimal
"""An amount of dollars. A float means the number it is printed as: 0.1 is a tenth of a dollar, exactly."""


_SUCH_AS = {
    "cost": "dollars such as 0.50",
    "tokens": "a number such as 50_000 or '50k'",
    "tool_calls": "a whole number",
    "iterations": "a whole number",
    "wall_clock": "seconds, or a time such as '30m'",
}


def nano_of(amount: Dollars) -> Nano:
    """Nano-dollars. Raises `ValueError` for what is no amount, or below zero."""
    if isinstance(amount, float):
        amount = Decimal(repr(amount))
        if not amount.is_finite():
            raise ValueError(f"{amount} is not an amount of dollars")
    nano = read_dollars(amount)
    if nano < 0:
        raise ValueError(f"{amount} is below zero; an amount of dollars is not")
    return nano


def in_dollars(nano: Nano) -> Decimal:
    """The exact amount in dollars."""
    return Decimal(nano) / NANO_PER_DOLLAR


def limits(
    *,
    cost: Dollars | None = None,
    tokens: int | str | None = None,
    tool_calls: int | None = None,
    iterations: int | None = None,
    wall_clock: int | str | None = None,
) -> Limits:
    """What bounds a session: `limits(cost=0.50, tokens="50k", tool_calls=100, iterations=40, wall_clock="30m")`.

    What is left out does not bind; with nothing at all the default limits apply. wall_clock: seconds, or `2h`, `30m`, `90s`.
    `"unlimited"` may be written out for cost and tokens. Raises `ValueError` that names every wrong one.
    """
    wrong: list[str] = []

    def read(name: str, value: object) -> int | None:
        if value is None or value == notation.UNLIMITED:
            return None
        try:
            return _read(name, value)
        except ValueError as error:
            wrong.append(f"{name}: {error}")
            return None

    found = Limits(
        tokens=read("tokens", tokens),
        tool_calls=read("tool_calls", tool_calls),
        iterations=read("iterations", iterations),
        wall_clock_seconds=read("wall_clock", wall_clock),
        cost=read("cost", cost),
    )
    if wrong:
        raise ValueError("; ".join(wrong))
    return found


def _read(name: str, value: object) -> int:
    if name == "cost" and isinstance(value, float | int | str | Decimal) and not isinstance(value, bool):
        return _above_zero(nano_of(value), value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _above_zero(value, value)
    if name == "tokens" and isinstance(value, str) and re.fullmatch(notation.TOKENS, value):
        return notation.read_tokens(value)
    if name == "wall_clock" and isinstance(value, str) and re.fullmatch(notation.DURATION, value):
        return notation.read_seconds(value, at_least=1)
    raise ValueError(f"{value!r} cannot be read; write {_SUCH_AS[name]}")


def _above_zero(number: int, written: object) -> int:
    if number <= 0:
        raise ValueError(f"{written!r} lets nothing run; write a number above zero")
    return number
