"""What counts as looser: for every value of a policy, where it lies, how it is printed, and when a new one loosens the old."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tabstop.hold import SMALLEST
from tabstop.policy import notation as n
from tabstop.policy.model import Cap, CheckMode, OnEmpty, Policy, PriceOverride, UnknownPrice, Unreachable


@dataclass(frozen=True, slots=True)
class Limit:
    """One value of a policy.

    path: its key in the file. attribute: where it lies in `Policy`, outer first.
    looser: whether the second value binds less than the first; None for values that bind nothing (a channel, a zone).
    """

    path: str
    attribute: tuple[str, ...]
    shown: Callable[[Any], str]
    looser: Callable[[Any, Any], bool] | None = None

    def of(self, policy: Policy) -> Any:
        """The value in this policy."""
        value: Any = policy
        for name in self.attribute:
            value = getattr(value, name)
        return value

    def put(self, policy: Policy, value: Any) -> Policy:
        """The policy with this value replaced."""
        if len(self.attribute) == 1:
            return replace(policy, **{self.attribute[0]: value})
        outer, inner = self.attribute
        return replace(policy, **{outer: replace(getattr(policy, outer), **{inner: value})})

    @property
    def is_cap(self) -> bool:
        """Whether the value is a `Cap`: amount, window and reason together."""
        return self.looser is looser_cap


def _more(old: int | None, new: int | None) -> bool:
    return old is not None and (new is None or new > old)


def looser_cap(old: Cap, new: Cap) -> bool:
    """Whether some spending that the old cap stops passes the new one.

    Another window does so always: it is another budget, with nothing spent in it, so the amount could be had a second time.
    """
    if old.unlimited:
        return False
    if new.unlimited or new.window is not old.window:
        return True
    return _more(old.nano, new.nano) or _more(old.tokens, new.tokens)


def _looser_purposes(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    return bool(old) and (not new or not set(new) <= set(old))


def _fewer_warnings(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    return bool(old) and (not new or new[0] > old[0])


def _smaller_hold(old: int | None, new: int | None) -> bool:
    # `auto` follows measured sessions; all that can be said of it is what it never goes below.
    return new is not None and new < (SMALLEST if old is None else old)


def _looser_prices(old: tuple[PriceOverride, ...], new: tuple[PriceOverride, ...]) -> bool:
    # What a rule replaces is the price list's business, unknown here; a cheaper price makes every cap wider.
    return old != new


def _becomes(*loose: object) -> Callable[[Any, Any], bool]:
    return lambda old, new: old not in loose and new in loose


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "none"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _hold(nano: int | None) -> str:
    return "auto" if nano is None else n.show_dollars(nano)


def _steps(steps: tuple[int, ...]) -> str:
    return ", ".join(f"{step} %" for step in steps) or "none"


def _prices(prices: tuple[PriceOverride, ...]) -> str:
    return "; ".join(f"{p.model}: {n.show_price(p)}" for p in prices) or "list prices"


LIMITS: tuple[Limit, ...] = (
    Limit("session.tokens", ("session", "tokens"), n.show_tokens, _more),
    Limit("session.tool_calls", ("session", "tool_calls"), n.show_whole, _more),
    Limit("session.iterations", ("session", "iterations"), n.show_whole, _more),
    Limit("session.wall_clock", ("session", "wall_clock_seconds"), n.show_seconds, _more),
    Limit("session.cost", ("session", "cost"), n.show_dollars, _more),
    Limit("tab.cap", ("tab",), n.show_cap, looser_cap),
    Limit("engineer.cap", ("engineer",), n.show_cap, looser_cap),
    Limit("engineer.on_empty", ("on_empty",), str, _becomes(OnEmpty.DOWNGRADE)),
    Limit(
        "engineer.downgrade.models",
        ("downgrade", "models"),
        _words,
        lambda old, new: bool(old) and not set(new) <= set(old),
    ),
    Limit("engineer.downgrade.cost", ("downgrade", "cost"), n.show_dollars, _more),
    Limit("engineer.downgrade.cap", ("downgrade", "cap"), n.show_dollars, _more),
    Limit("guest.cap", ("guest",), n.show_cap, looser_cap),
    Limit("repository.cap", ("repository",), n.show_cap, looser_cap),
    Limit("organization.cap", ("organization",), n.show_cap, looser_cap),
    Limit("steps", ("steps",), _steps, _fewer_warnings),
    Limit("hold", ("hold",), _hold, _smaller_hold),
    Limit("approvers", ("approvers",), _words, lambda old, new: not set(new) <= set(old)),
    Limit("unknown_price", ("unknown_price",), str, _becomes(UnknownPrice.WARN)),
    Limit("server_unreachable", ("unreachable",), str, _becomes(Unreachable.ALLOW)),
    Limit("check", ("check",), str, _becomes(CheckMode.ADVISE)),
    Limit("comment", ("comment",), str),
    Limit("slack.channel", ("slack", "channel"), lambda channel: channel or "off"),
    Limit("slack.names", ("slack", "names"), _flag, _becomes(True)),
    Limit("slack.allowed", ("slack", "allowed"), _words),
    Limit("purposes", ("purposes",), lambda purposes: ", ".join(purposes) or "any", _looser_purposes),
    Limit("prices", ("prices",), _prices, _looser_prices),
    Limit("subscription_counts", ("subscription_counts",), _flag, _becomes(False)),
    Limit("timezone", ("timezone",), str),
)
"""Every value but `engineers`, whose caps compare one by one, and `repositories`, which is resolved into `repository.cap`."""

ORGANIZATIONS_OWN = frozenset(
    {"engineer.cap", "engineer.downgrade.cap", "organization.cap", "approvers", "slack.allowed", "timezone"}
)
"""What only the organization's file sets: it is one and the same for all repositories."""

LOOSENABLE: tuple[str, ...] = (
    *("session", "tab", "engineer", "engineer.downgrade", "guest", "repository"),
    *(limit.path for limit in LIMITS if limit.looser and limit.path not in ORGANIZATIONS_OWN),
)
"""What the organization's `may_loosen` may list: sections, and single keys. A cap's window goes with its cap."""


def may_be_loosened(path: str, allowed: tuple[str, ...]) -> bool:
    """Whether `may_loosen` lists this key or a section around it."""
    return any(path == entry or path.startswith(f"{entry}.") for entry in allowed)
