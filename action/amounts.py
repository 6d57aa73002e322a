"""Amounts: what a session cost as people read it, with what is paid otherwise and what is not known beside it."""

from __future__ import annotations

from tabstop.money import show


def amount(cost: int, notional: int, unpriced: int) -> str:
    """Nano-dollars as billed and at list prices; unpriced: how many responses are in neither."""
    listed = f"{show(notional)} at list prices"
    said = show(cost)
    if notional:
        said = f"{show(cost)} billed, {listed}" if cost else listed
    return f"{said}, part unknown" if unpriced else said
