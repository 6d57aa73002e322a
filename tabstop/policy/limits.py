"""Every value of a policy that a file can set: where it lies, how it is printed, and when a new one loosens the old."""

from __future__ import annotations

from tabstop.governor.settings import Unbounded, UnknownPrice
from tabstop.hold import SMALLEST
from tabstop.policy import notation as n
from tabstop.policy.governed import GOVERNED
from tabstop.policy.governed import SECTIONS as GOVERNED_SECTIONS
from tabstop.policy.looser import Limit, becomes, looser_cap, more
from tabstop.policy.model import CheckMode, OnEmpty, PriceOverride, Unreachable


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


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "none"


def _hold(nano: int | None) -> str:
    return "auto" if nano is None else n.show_dollars(nano)


def _steps(steps: tuple[int, ...]) -> str:
    return ", ".join(f"{step} %" for step in steps) or "none"


def _prices(prices: tuple[PriceOverride, ...]) -> str:
    return "; ".join(f"{p.model}: {n.show_price(p)}" for p in prices) or "list prices"


LIMITS: tuple[Limit, ...] = (
    Limit("session.tokens", ("session", "tokens"), n.show_tokens, more),
    Limit("session.tool_calls", ("session", "tool_calls"), n.show_whole, more),
    Limit("session.iterations", ("session", "iterations"), n.show_whole, more),
    Limit("session.wall_clock", ("session", "wall_clock_seconds"), n.show_seconds, more),
    Limit("session.cost", ("session", "cost"), n.show_dollars, more),
    *(said.limit for said in GOVERNED if said.path.startswith("session.")),
    Limit("tab.cap", ("tab",), n.show_cap, looser_cap),
    Limit("engineer.cap", ("engineer",), n.show_cap, looser_cap),
    Limit("aliases", ("aliases",), lambda aliases: _words(tuple(login for login, _ in aliases))),
    Limit("engineer.on_empty", ("on_empty",), str, becomes(OnEmpty.DOWNGRADE)),
    Limit(
        "engineer.downgrade.models",
        ("downgrade", "models"),
        _words,
        lambda old, new: bool(old) and not set(new) <= set(old),
    ),
    Limit("engineer.downgrade.cost", ("downgrade", "cost"), n.show_dollars, more),
    Limit("engineer.downgrade.cap", ("downgrade", "cap"), n.show_dollars, more),
    Limit("guest.cap", ("guest",), n.show_cap, looser_cap),
    Limit("repository.cap", ("repository",), n.show_cap, looser_cap),
    Limit("organization.cap", ("organization",), n.show_cap, looser_cap),
    Limit("steps", ("steps",), _steps, _fewer_warnings),
    Limit("hold", ("hold",), _hold, _smaller_hold),
    Limit("approvers", ("approvers",), _words, lambda old, new: not set(new) <= set(old)),
    *(said.limit for said in GOVERNED if not said.path.startswith("session.")),
    Limit("unknown_price", ("unknown_price",), str, becomes(UnknownPrice.WARN)),
    Limit("unbounded", ("unbounded",), str, becomes(Unbounded.ALLOW_MARKED)),
    Limit("server_unreachable", ("unreachable",), str, becomes(Unreachable.ALLOW)),
    Limit("check", ("check",), str, becomes(CheckMode.ADVISE)),
    Limit("comment", ("comment",), str),
    Limit("slack.channel", ("slack", "channel"), lambda channel: channel or "off"),
    Limit("slack.names", ("slack", "names"), n.show_flag, becomes(True)),
    Limit("slack.allowed", ("slack", "allowed"), _words),
    Limit("slack.people", ("slack", "people"), lambda people: _words(tuple(login for login, _ in people))),
    Limit("purposes", ("purposes",), lambda purposes: ", ".join(purposes) or "any", _looser_purposes),
    Limit("prices", ("prices",), _prices, _looser_prices, merged=lambda new, old: (*new, *old)),
    Limit("subscription_counts", ("subscription_counts",), n.show_flag, becomes(False)),
    Limit("timezone", ("timezone",), str),
)
"""Every value but `engineers`, whose caps compare one by one, and `repositories`, which is resolved into `repository.cap`."""

ORGANIZATIONS_OWN = frozenset(
    {
        "aliases",
        "engineer.cap",
        "engineer.downgrade.cap",
        "organization.cap",
        "approvers",
        "slack.allowed",
        "slack.people",
        "timezone",
    }
)
"""What only the organization's file sets: it is one and the same for all repositories."""

LOOSENABLE: tuple[str, ...] = (
    *("session", "tab", "engineer", "engineer.downgrade", "guest", "repository"),
    *(section for section in GOVERNED_SECTIONS if section != "subtasks.kinds"),  # a value of its own
    *(limit.path for limit in LIMITS if limit.looser and limit.path not in ORGANIZATIONS_OWN),
)
"""What the organization's `may_loosen` may list: sections, and single keys. A cap's window goes with its cap."""


def may_be_loosened(path: str, allowed: tuple[str, ...]) -> bool:
    """Whether `may_loosen` lists this key or a section around it."""
    return any(path == entry or path.startswith(f"{entry}.") for entry in allowed)
