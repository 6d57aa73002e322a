"""The policy as plain values: what one repository's sessions, tabs and budgets are bound by, defaults included."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from tabstop.governor.settings import (
    Breaker,
    Degradation,
    Exhaustion,
    Heartbeats,
    Rules,
    Runaway,
    Subtasks,
    Throttle,
    Unbounded,
    UnknownPrice,
    Windows,
)
from tabstop.money import NANO_PER_DOLLAR, Nano
from tabstop.window import WindowKind


class Unreachable(StrEnum):
    """What the gate does when the server cannot be asked."""

    ALLOW = "allow"
    BLOCK = "block"


class CheckMode(StrEnum):
    """What a red tab does to the check: `enforce` fails it, `advise` leaves it neutral."""

    ENFORCE = "enforce"
    ADVISE = "advise"


class CommentMode(StrEnum):
    """When a pull request gets its comment."""

    ALWAYS = "always"
    ON_SPEND = "on_spend"
    ON_WARNING = "on_warning"
    OFF = "off"


class OnEmpty(StrEnum):
    """What a start meets when its engineer's budget is empty."""

    REFUSE = "refuse"
    DOWNGRADE = "downgrade"
    """Admit with cheaper models only and a small cap of its own."""
    ASK = "ask"
    """Refuse, saying how to request a raise and who may grant it."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What bounds one session. None means unlimited, which the policy has to write out. Cost in nano-dollars."""

    tokens: int | None = 10_000_000
    tool_calls: int | None = 500
    iterations: int | None = 200
    wall_clock_seconds: int | None = 7_200
    cost: Nano | None = 10 * NANO_PER_DOLLAR


@dataclass(frozen=True, slots=True)
class Cap:
    """A budget's cap per window, in nano-dollars, tokens or both; both None means unlimited. `why` is shown beside it."""

    nano: Nano | None = None
    tokens: int | None = None
    window: WindowKind = WindowKind.MONTH
    why: str = ""

    @property
    def unlimited(self) -> bool:
        """Whether nothing bounds this budget."""
        return self.nano is None and self.tokens is None


@dataclass(frozen=True, slots=True)
class Downgrade:
    """The allowance of a session admitted on an empty engineer's budget: these models only, and a small cap of its own.

    cost: the cap of one such session. cap: what all of them may spend together in the engineer's window; they draw on
    a budget of their own, so the empty one is not passed.
    """

    models: tuple[str, ...] = ()
    cost: Nano = NANO_PER_DOLLAR // 2
    cap: Nano = 10 * NANO_PER_DOLLAR


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """A price the policy sets for models whose id matches `model` (a glob), in dollars per million tokens.

    Kinds left None keep the list price; `discount_percent` applies to the list price of every kind left None.
    from_date: first day it holds, UTC; None for always.
    """

    model: str
    input: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None
    output: Decimal | None = None
    discount_percent: Decimal | None = None
    from_date: date | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class SlackPolicy:
    """Where notices go. `channel` is empty for nowhere; `allowed` (organization only) lists channels repositories may name.

    people (organization only): who is told directly of their own sessions, by login in lower case: a member id or an e-mail address.
    """

    channel: str = ""
    names: bool = False
    allowed: tuple[str, ...] = ()
    people: tuple[tuple[str, str], ...] = ()

    def person(self, login: str) -> str:
        """Whom Slack knows this login as: a member id or an e-mail address; empty when nobody has said."""
        return dict(self.people).get(login.lower(), "")


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything in force for one repository: its file over the organization's over these defaults."""

    session: SessionLimits = field(default_factory=SessionLimits)
    exhaustion: Exhaustion = field(default_factory=Exhaustion)
    tab: Cap = field(default_factory=lambda: Cap(nano=50 * NANO_PER_DOLLAR, window=WindowKind.LIFETIME))
    engineer: Cap = field(default_factory=lambda: Cap(nano=1_000 * NANO_PER_DOLLAR))
    engineers: tuple[tuple[str, Cap], ...] = ()
    """Caps of single engineers by login, lower case (organization only)."""
    aliases: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Who else single engineers are, by login, all in lower case (organization only)."""
    on_empty: OnEmpty = OnEmpty.REFUSE
    downgrade: Downgrade = field(default_factory=Downgrade)
    guest: Cap = field(default_factory=lambda: Cap(nano=100 * NANO_PER_DOLLAR))
    """Per repository, for bots and people outside the organization."""
    repository: Cap = field(default_factory=lambda: Cap(nano=10_000 * NANO_PER_DOLLAR))
    organization: Cap = field(default_factory=Cap)
    steps: tuple[int, ...] = (75, 90)
    """Percent of a cap at which a budget turns amber and people are told; red is always 100."""
    hold: Nano | None = None
    """What admission sets aside for a session; None for `auto`."""
    approvers: tuple[str, ...] = ()
    """Logins and `team:slug`s who may grant an overdrive (organization only)."""
    degradation: Degradation = field(default_factory=Degradation)
    runaway: Runaway = field(default_factory=Runaway)
    breaker: Breaker = field(default_factory=Breaker)
    throttle: Throttle = field(default_factory=Throttle)
    subtasks: Subtasks = field(default_factory=Subtasks)
    heartbeats: Heartbeats = field(default_factory=Heartbeats)
    windows: Windows = field(default_factory=Windows)
    """The vendors' windows: 5 hours, a week."""
    unknown_price: UnknownPrice = UnknownPrice.WARN
    unbounded: Unbounded = Unbounded.ALLOW_MARKED
    unreachable: Unreachable = Unreachable.ALLOW
    check: CheckMode = CheckMode.ENFORCE
    comment: CommentMode = CommentMode.ON_SPEND
    slack: SlackPolicy = field(default_factory=SlackPolicy)
    purposes: tuple[str, ...] = ()
    """Purposes a session may name; empty for any."""
    prices: tuple[PriceOverride, ...] = ()
    subscription_counts: bool = False
    """Whether notional dollars of subscriptions and credits count toward caps."""
    timezone: str = "UTC"
    """IANA name (organization only); names the windows."""

    def engineer_cap(self, login: str) -> Cap:
        """The cap of this engineer: their own where the organization gives one, else everybody's."""
        return dict(self.engineers).get(login.lower(), self.engineer)

    def login_of(self, alias: str) -> str:
        """The login this e-mail address, name, bot, account or other login stands for; empty where nobody has said."""
        folded = " ".join(alias.lower().split())
        return next((login for login, others in self.aliases if folded in others), "")

    @property
    def rules(self) -> Rules:
        """What the governor of a session goes by, all but its limits."""
        return Rules(
            exhaustion=self.exhaustion,
            degradation=self.degradation,
            runaway=self.runaway,
            breaker=self.breaker,
            throttle=self.throttle,
            subtasks=self.subtasks,
            heartbeats=self.heartbeats,
            windows=self.windows,
            unpriced=self.unknown_price,
            unbounded=self.unbounded,
        )
