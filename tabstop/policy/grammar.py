"""The table of every key a policy may hold. The parser, the JSON Schema and the documentation all read this one table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tabstop.governor.settings import Unbounded, UnknownPrice
from tabstop.money import NANO_PER_DOLLAR
from tabstop.policy import forms as f
from tabstop.policy import governed
from tabstop.policy.forms import Form, ListForm
from tabstop.policy.key import Key, Where
from tabstop.policy.limits import LOOSENABLE
from tabstop.policy.model import CheckMode, CommentMode, OnEmpty, Unreachable
from tabstop.window import WindowKind

_ORG = Where.ORGANIZATION
_WINDOWS = f.choice(
    WindowKind,
    ("day", "week", "month", "lifetime"),
    (("daily", "day"), ("weekly", "week"), ("monthly", "month"), ("never", "lifetime"), ("forever", "lifetime")),
)
_WINDOW_MEANING = "How often this budget starts afresh, in the organization's timezone."
_WHY_MEANING = "Shown beside the cap, wherever the cap is shown."
_LOOSENABLE = Form(
    "a key that can be loosened",
    "a key or section such as `tab` or `session.tokens`",
    "|".join(re.escape(key) for key in LOOSENABLE),
    str,
    choices=LOOSENABLE,
)
_GOVERNED = tuple(said.key for said in governed.GOVERNED)
_D = NANO_PER_DOLLAR


def _budget(
    scope: str, default: str, meaning: str, where: Where = Where.BOTH, usual: tuple[int, int] | None = None
) -> tuple[Key, ...]:
    return (
        Key(
            f"{scope}.cap",
            f.CAP,
            default,
            meaning,
            "dollars",
            where,
            usual,
            ("budget", "limit", "amount", "dollars", "max"),
        ),
        Key(f"{scope}.window", _WINDOWS, "month", _WINDOW_MEANING, where=where, also=("per", "period", "every")),
        Key(f"{scope}.why", f.WHY, "", _WHY_MEANING, where=where, also=("reason", "comment", "description")),
    )


# fmt: off
KEYS: tuple[Key, ...] = (
    Key("session.tokens", f.TOKENS, "10M", "Tokens of all kinds one session may use, cache reads included.", "tokens", usual=(1_000_000, 10_000_000), also=("max_tokens",)),
    Key("session.tool_calls", f.COUNT, "500", "Tool calls one session may make.", "calls", usual=(100, 500), also=("tools", "max_tool_calls")),
    Key("session.iterations", f.COUNT, "200", "Model requests one session may make; a request and its answer are one iteration.", "iterations", usual=(50, 200), also=("turns", "max_turns", "steps")),
    Key("session.wall_clock", f.DURATION, "2h", "How long one session may run.", usual=(1_800, 7_200), also=("timeout", "duration", "time", "max_time")),
    Key("session.cost", f.COST, "$10", "What one session may cost.", "dollars", usual=(_D // 2, 50 * _D), also=("cap", "budget", "dollars", "usd", "max_budget_usd")),
    *(key for key in _GOVERNED if key.path.startswith("session.")),
    Key("tab.cap", f.CAP, "$50", "What one pull request may cost: all sessions of its branch, from the first one on.", "dollars", usual=(5 * _D, 200 * _D), also=("budget", "limit", "amount", "dollars", "max")),
    Key("tab.why", f.WHY, "", _WHY_MEANING, also=("reason", "comment", "description")),
    *_budget("engineer", "$1,000", "What each engineer's sessions may cost, over all repositories.", _ORG, usual=(500 * _D, 5_000 * _D)),
    Key("engineer.on_empty", f.choice(OnEmpty), "refuse", "What a start meets when its engineer's budget is empty: `refuse`; `downgrade` to cheaper models and a small cap; `ask`, which refuses and says who may grant a raise."),
    Key("engineer.downgrade.models", ListForm(f.MODEL, 50), "[]", "The only models a downgraded session may use. Needed by `on_empty: downgrade`."),
    Key("engineer.downgrade.cost", f.DOLLARS, "$0.50", "What one downgraded session may cost.", "dollars"),
    Key("engineer.downgrade.cap", f.DOLLARS, "$10", "What all downgraded sessions of one engineer may cost together, per window of `engineer`.", "dollars", _ORG, also=("budget",)),
    Key("engineers.<login>.cap", f.CAP, "", "What this engineer's sessions may cost, instead of `engineer.cap`.", "dollars", _ORG, also=("budget", "limit")),
    Key("engineers.<login>.window", _WINDOWS, "as `engineer.window`", _WINDOW_MEANING, where=_ORG),
    Key("engineers.<login>.why", f.WHY, "", _WHY_MEANING, where=_ORG, also=("reason",)),
    Key("aliases.<login>", ListForm(f.ALIAS, 50, at_least=1), "", "Who else this engineer is: e-mail addresses and names in git, other and former logins, and bots that work for nobody else. What those start counts for this login.", where=_ORG),
    *_budget("guest", "$100", "What bots and people outside the organization may cost together, in each repository."),
    *_budget("repository", "$10,000", "What all sessions of a repository may cost.", usual=(5_000 * _D, 50_000 * _D)),
    Key("repositories[].match", f.REPOSITORY_NAME, "", "Repositories whose name matches, without regard to case. Each item needs `match` or `topic`; the first item that applies counts.", where=_ORG, also=("name", "pattern", "repository")),
    Key("repositories[].topic", f.TOPIC, "", "Repositories that carry this topic. A repository's administrators can change its topics; where that matters, use `match`.", where=_ORG, also=("topics", "label")),
    Key("repositories[].cap", f.CAP, "", "What all sessions of such a repository may cost, instead of `repository.cap`.", "dollars", _ORG, also=("budget", "limit")),
    Key("repositories[].window", _WINDOWS, "as `repository.window`", _WINDOW_MEANING, where=_ORG),
    Key("repositories[].why", f.WHY, "", _WHY_MEANING, where=_ORG, also=("reason",)),
    *_budget("organization", "unlimited", "What all sessions of the organization may cost.", _ORG),
    Key("steps", ListForm(f.PERCENT, 10, ascending=True), "[75, 90]", "Percent of a cap at which a budget turns amber and people are told. Red is always 100.", "percent", also=("warn_at", "thresholds", "warnings", "warn")),
    Key("hold", f.HOLD, "auto", "What a starting session sets aside in every budget it touches: `auto` takes what 9 of 10 recent sessions needed, $2 without history. Never more than `session.cost`.", "dollars", also=("reserve", "reservation")),
    Key("approvers", ListForm(f.APPROVER, 100), "[]", "Who may grant an overdrive, a raise of one budget. With nobody listed, only whoever operates the server can.", where=_ORG, also=("admins", "reviewers")),
    *(key for key in _GOVERNED if not key.path.startswith("session.")),
    Key("unknown_price", f.choice(UnknownPrice, slips=(("allow", "warn"), ("stop", "block"))), "warn", "What usage of a model without a known price does: `warn`, or `block`, which stops a session that has a cost limit and refuses further starts.", also=("unpriced",)),
    Key("unbounded", f.choice(Unbounded, slips=(("allow", "allow_marked"), ("warn", "allow_marked"), ("block", "refuse"))), "allow_marked", "What the metering proxy does with a request that has parts nobody can bound beforehand, such as a file by its id or a search by the vendor: `allow_marked` lets it pass and says that the cap is not exact, `refuse` does not send it.", also=("unboundable",)),
    Key("server_unreachable", f.choice(Unreachable, slips=(("warn", "allow"), ("stop", "block"))), "allow", "What the gate does when the server cannot be asked: `allow` the session, or `block` it.", also=("unreachable", "offline", "on_unreachable")),
    Key("check", f.choice(CheckMode, slips=(("warn", "advise"), ("block", "enforce"), ("off", "advise"))), "enforce", "What a red tab does to the check: `enforce` fails it, `advise` leaves it neutral.", also=("mode",)),
    Key("comment", f.choice(CommentMode, slips=(("never", "off"), ("none", "off"), ("true", "always"), ("false", "off"))), "on_spend", "When a pull request gets its comment.", also=("comments",)),
    Key("slack.channel", f.CHANNEL_OR_OFF, "off", "Where notices go. Needs quotes: an unquoted `#` begins a YAML comment.", also=("room", "to")),
    Key("slack.names", f.YES_NO, "false", "Whether notices name people.", also=("mention", "mentions")),
    Key("slack.allowed", ListForm(f.CHANNEL, 200), "[]", "Channels that repositories may name, besides the organization's own.", where=_ORG, also=("channels", "allow")),
    Key("slack.people.<login>", f.PERSON, "", "Who this GitHub login is in Slack. Told directly when a session of theirs is stopped, suspended, asks for more or trips the breaker, whatever `slack.channel` says. Whoever is not listed is not.", where=_ORG),
    Key("purposes", ListForm(f.PURPOSE, 50), "[]", "Purposes a session may name. Empty: any.", also=("purpose",)),
    Key("prices[].model", f.MODEL, "", "The models this price is for. Each item needs it; of those that apply the one that began last counts, then the first written, a repository's before the organization's.", also=("match", "name")),
    Key("prices[].input", f.RATE, "list price", "Input tokens.", "dollars per million tokens", also=("prompt",)),
    Key("prices[].cache_read", f.RATE, "list price", "Input tokens read from the cache.", "dollars per million tokens", also=("cached",)),
    Key("prices[].cache_write_5m", f.RATE, "list price", "Input tokens written to the cache for 5 minutes.", "dollars per million tokens", also=("cache_write",)),
    Key("prices[].cache_write_1h", f.RATE, "list price", "Input tokens written to the cache for an hour.", "dollars per million tokens"),
    Key("prices[].output", f.RATE, "list price", "Output tokens.", "dollars per million tokens", also=("completion",)),
    Key("prices[].discount", f.DISCOUNT, "0%", "Taken off the list price of every kind without a price of its own.", "percent", also=("off", "discount_percent")),
    Key("prices[].from", f.DATE, "always", "The first day it holds, UTC.", also=("since", "start", "from_date")),
    Key("prices[].why", f.WHY, "", "Why, for whoever reads the file.", also=("reason",)),
    Key("subscription_counts", f.YES_NO, "false", "Whether the notional dollars of subscriptions and prepaid credits count toward caps.", also=("count_subscriptions",)),
    Key("timezone", f.TIMEZONE, "UTC", "Where days, weeks and months begin. A change holds from the next window.", where=_ORG, also=("tz", "time_zone")),
    Key("may_loosen", ListForm(_LOOSENABLE, 50), "[]", "Keys, or sections of keys, that repositories may set above the values of the organization. Everything else they may only tighten.", where=_ORG, also=("overrides", "allow_override")),
)
# fmt: on

SECTIONS: Mapping[str, str] = {
    "session": "What bounds one session.",
    "tab": "The budget of one pull request. A bare amount is its cap.",
    "engineer": "The budget of every engineer, over all repositories. A bare amount is its cap, which the organization's file sets.",
    "engineer.downgrade": "What a session gets whose engineer's budget is empty, with `on_empty: downgrade`.",
    "engineers": "Budgets of single engineers, by login. A bare amount is the cap.",
    "engineers.<login>": "The budget of this engineer. A bare amount is its cap.",
    "aliases": "Who is one and the same person, by login.",
    "guest": "The budget of bots and people outside the organization, per repository. A bare amount is its cap.",
    "repository": "The budget of the repository, in the organization's file of each repository. A bare amount is its cap.",
    "repositories": "Budgets of repositories by name or topic.",
    "organization": "The budget of the whole organization. A bare amount is its cap.",
    **governed.SECTIONS,
    "slack": "Where notices go in Slack.",
    "slack.people": "People who are told directly of their own sessions, by GitHub login.",
    "prices": "Negotiated and missing prices.",
}

ALSO_SECTIONS: Mapping[str, str] = {
    "pull_request": "tab",
    "pr": "tab",
    "branch": "tab",
    "limits": "session",
    "run": "session",
    "user": "engineer",
    "developer": "engineer",
    "users": "engineers",
    "bots": "guest",
    "identities": "aliases",
    "identity": "aliases",
    "mapping": "aliases",
    "authors": "aliases",
    "also_known_as": "aliases",
    "guests": "guest",
    "repo": "repository",
    "repos": "repositories",
    "org": "organization",
    **governed.ALSO_SECTIONS,
    "pricing": "prices",
    "notifications": "slack",
}


_SWITCHES = {"degrade", "runaway"}


@dataclass(slots=True)
class Section:
    """Keys below a key.

    each: "" for a plain section, "[]" for a list of such, "<login>" for such or values under any login, "<kind>" for values under any name.
    """

    path: str
    each: str = ""
    children: dict[str, Section | Key] = field(default_factory=dict)

    @property
    def shorthand(self) -> Key | None:
        """The key that a bare value stands for: a budget's cap, a signal's response."""
        if self.each or "[]" in self.path:
            return None
        name = "cap" if {"cap", "why"} <= set(self.children) else "response"
        key = self.children.get(name)
        return key if isinstance(key, Key) else None

    @property
    def switched_off(self) -> tuple[Key, ...]:
        """The keys that a bare `off` turns off, all at once; none where it means nothing."""
        if self.path not in _SWITCHES:
            return ()
        below = (key for key in KEYS if key.path.startswith(f"{self.path}."))
        return tuple(key for key in below if isinstance(key.form, Form) and "off" in key.form.choices)

    @property
    def where(self) -> Where:
        """Organization only when every key below is."""
        return Where.BOTH if any(c.where is Where.BOTH for c in self.children.values()) else Where.ORGANIZATION


def _tree() -> Section:
    root = Section("")
    for key in KEYS:
        section = root
        *parents, name = key.path.replace("[].", ".[].").split(".")
        for part in parents:
            if part in {"[]", "<login>"}:
                section.each = part
            path = f"{section.path}{part}" if part == "[]" else f"{section.path}.{part}".removeprefix(".")
            child = section.children.setdefault(part, Section(path))
            assert isinstance(child, Section)  # noqa: S101 - the table above is wrong otherwise
            section = child
        section.children[name] = key
        if name.startswith("<"):
            section.each = name
    return root


ROOT = _tree()
"""The same table as a tree: sections by name, keys at the leaves; a list's or mapping's items under `[]` or `<login>`."""
