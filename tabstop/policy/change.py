"""changed_limits: what differs between two policies, old and new printed, and whether it loosens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tabstop.policy.limits import LIMITS
from tabstop.policy.looser import looser_cap
from tabstop.policy.model import Cap, Policy, PriceOverride
from tabstop.policy.notation import show_cap, show_price
from tabstop.quantity import plural


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs. key: `tab.cap`, `engineers.octocat`, `aliases.octocat`, `slack.people.octocat`, `prices[claude-*]`. old, new: printed as one writes them.

    loosens: the new value binds less; a price counts as loosening, since a cheaper one makes every cap wider.
    """

    key: str
    old: str
    new: str
    loosens: bool


def changed_limits(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Every value that differs, in the order of the documentation. Reasons (`why`) are words, not limits."""
    changes = (_limits, _engineers, _aliases, _people, _prices)
    return tuple(change for found in changes for change in found(old, new))


def _limits(old: Policy, new: Policy) -> Iterator[Change]:
    for limit in LIMITS:
        before, after = limit.of(old), limit.of(new)
        if limit.path in {"prices", "slack.people", "aliases"}:
            continue
        if limit.is_cap:
            before, after = _silent(before), _silent(after)
        if before != after:
            yield Change(limit.path, limit.shown(before), limit.shown(after), limit.loosens(old, new))


def _engineers(old: Policy, new: Policy) -> Iterator[Change]:
    """Single engineers, each compared with what binds them otherwise; who only follows `engineer.cap` is not listed."""
    for login in sorted({login for policy in (old, new) for login, _ in policy.engineers}):
        before, after = _silent(old.engineer_cap(login)), _silent(new.engineer_cap(login))
        if before != after:
            yield Change(f"engineers.{login}", show_cap(before), show_cap(after), looser_cap(before, after))


def _aliases(old: Policy, new: Policy) -> Iterator[Change]:
    """How many other names each has, without the names, as with `slack.people`."""
    before, after = dict(old.aliases), dict(new.aliases)
    for login in sorted(before.keys() | after.keys()):
        was, becomes = before.get(login, ()), after.get(login, ())
        if was != becomes:
            others = ", not the same" if len(was) == len(becomes) else ""
            old_names, new_names = (plural(len(names), "other name") for names in (was, becomes))
            yield Change(f"aliases.{login}", old_names, f"{new_names}{others}", loosens=False)


def _people(old: Policy, new: Policy) -> Iterator[Change]:
    """Who is told directly, one by one, without addresses: changes are audited, and that log names nobody."""
    before, after = dict(old.slack.people), dict(new.slack.people)
    for login in sorted(before.keys() | after.keys()):
        was, becomes = before.get(login, ""), after.get(login, "")
        if was != becomes:
            told = "told directly, as somebody else in Slack" if was and becomes else "told directly"
            yield Change(
                f"slack.people.{login}",
                "told directly" if was else "not told directly",
                told if becomes else "not told directly",
                loosens=False,
            )


def _prices(old: Policy, new: Policy) -> Iterator[Change]:
    before, after = _by_model(old), _by_model(new)
    for model in dict.fromkeys([*before, *after]):
        was, becomes = (_rules(prices.get(model, ())) for prices in (before, after))
        if was != becomes:
            yield Change(f"prices[{model}]", was, becomes, loosens=True)
    if list(before) != list(after) and set(before) == set(after):
        yield Change("prices", ", ".join(before), ", ".join(after), loosens=True)


def _by_model(policy: Policy) -> dict[str, tuple[PriceOverride, ...]]:
    rules: dict[str, tuple[PriceOverride, ...]] = {}
    for price in policy.prices:
        rules[price.model] = (*rules.get(price.model, ()), price)
    return rules


def _rules(prices: tuple[PriceOverride, ...]) -> str:
    return "; ".join(show_price(price) for price in prices) or "list price"


def _silent(cap: Cap) -> Cap:
    """Without its reason, and without a window where nothing is bounded: what the cap binds."""
    return Cap() if cap.unlimited else replace(cap, why="")
