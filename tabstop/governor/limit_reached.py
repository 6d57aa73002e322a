"""Limit reached: which limit stops a session at a fact, and in which words people are told."""

from __future__ import annotations

from typing import TypeGuard

from tabstop.governor.facts import Fact, Unaffordable
from tabstop.governor.limits import NAMES, UNITS, Totals, kept_back, limits_in_force, nearest, shown, shown_of
from tabstop.governor.settings import Settings, UnknownPrice
from tabstop.session import Limits
from tabstop.verdict import Finding, Outcome, Signal


def reached(totals: Totals, fact: Fact, settings: Settings, *, eased: bool = False) -> Finding | None:
    """The limit that stops the session now, or none; of several the one that is passed the most.

    eased: from this fact on it goes on with less: then a request that did not fit is no stop yet, it may be tried again.
    Where a last answer is to be possible, a limit counts as reached as soon as only that answer still fits.
    """
    limits, _ = limits_in_force(totals, settings)
    if settings.unpriced is UnknownPrice.BLOCK and totals.unpriced and limits.cost is not None:
        return _unpriced(totals, limits)
    if not eased and binds(fact, limits):
        return _unaffordable(fact, totals, limits, kept_back(fact.limit, totals, settings))
    name, percent = nearest(totals, settings)
    return at_the_limit(name, totals, settings) if percent >= 100 else None


def binds(fact: Fact, limits: Limits) -> TypeGuard[Unaffordable]:
    """Whether this is a request that did not fit a limit in force."""
    return isinstance(fact, Unaffordable) and fact.limit in UNITS and getattr(limits, fact.limit) is not None


def at_the_limit(name: str, totals: Totals, settings: Settings) -> Finding:
    """This limit with what is used of it, and what of the rest is kept for a last answer."""
    amount: int = getattr(totals, name)
    cap: int = getattr(limits_in_force(totals, settings)[0], name)
    kept = kept_back(name, totals, settings)
    rest = f", and {shown(name, kept)} kept for a last answer" if kept and amount < cap else ""
    if name == "tool_calls" and totals.refused and amount < cap:
        rest = f", and {totals.refused:,} refused"
    sentence = f"The session reached its {NAMES[name]} limit: {shown_of(name, amount, cap)} used{rest}."
    return Finding(Signal.LIMIT, Outcome.STOP, name, sentence, unit=UNITS[name], cap=cap, spent=amount)


def _unaffordable(fact: Unaffordable, totals: Totals, limits: Limits, kept: int) -> Finding:
    amount, cap = getattr(totals, fact.limit), getattr(limits, fact.limit)
    sentence = f"{does_not_fit(fact, totals, limits, kept)}, so it was not sent."
    lacking = max(0, fact.needed + kept - max(0, cap - amount))
    return Finding(
        Signal.LIMIT, Outcome.STOP, fact.limit, sentence, unit=UNITS[fact.limit], cap=cap, spent=amount, asked=lacking
    )


def does_not_fit(fact: Unaffordable, totals: Totals, limits: Limits, kept: int) -> str:
    """What the request needs and what is left for it, with no full stop."""
    amount, cap = getattr(totals, fact.limit), getattr(limits, fact.limit)
    rest = f" ({shown(fact.limit, kept)} kept for a last answer)" if kept else ""
    return (
        f"The next model call may use {shown(fact.limit, fact.needed)}, and {shown(fact.limit, max(0, cap - amount))} of the "
        f"session's {NAMES[fact.limit]} limit of {shown(fact.limit, cap)} are left{rest}"
    )


def _unpriced(totals: Totals, limits: Limits) -> Finding:
    sentence = "A model of this session has no known price, and the policy stops what cannot be priced (`unknown_price: block`)."
    return Finding(Signal.PRICE, Outcome.STOP, "cost", sentence, unit="usd", cap=limits.cost, spent=totals.cost)
