"""Amounts: what a session cost as people read it, with what is paid otherwise and what is not known beside it."""

from __future__ import annotations

from tabstop.money import show
from tabstop.wire import EndAnswer, Placement


def amount(*parts: EndAnswer | Placement) -> str:
    """Of these together, as billed and at list prices, which are never added."""
    cost, notional = sum(part.cost for part in parts), sum(part.notional for part in parts)
    listed = f"{show(notional)} at list prices"
    said = show(cost)
    if notional:
        said = f"{show(cost)} billed, {listed}" if cost else listed
    return f"{said}, part unknown" if any(part.unpriced for part in parts) else said
