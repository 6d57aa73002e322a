"""Budgets: a cap for a scope and a window, what is spent and held against it, and what that means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tabstop.money import Nano
from tabstop.money import show as show_money
from tabstop.quantity import percent
from tabstop.quantity import tokens as show_tokens
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.window import Window


class Scope(StrEnum):
    """What a budget bounds."""

    TAB = "tab"
    ENGINEER = "engineer"
    GUEST = "guest"
    """Per repository, for bots and people outside the organization."""
    DOWNGRADE = "downgrade"
    """Per engineer, for sessions on cheaper models after the engineer's own budget is empty."""
    REPOSITORY = "repository"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Amount:
    """Nano-dollars and tokens, which budgets may cap either or both of."""

    nano: Nano = 0
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        """Add both."""
        return Amount(self.nano + other.nano, self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        """Subtract both."""
        return Amount(self.nano - other.nano, self.tokens - other.tokens)

    def __neg__(self) -> Amount:
        """The opposite."""
        return Amount(-self.nano, -self.tokens)

    def at_most(self, other: Amount) -> Amount:
        """The smaller of each."""
        return Amount(min(self.nano, other.nano), min(self.tokens, other.tokens))

    def at_least_zero(self) -> Amount:
        """Nothing below zero."""
        return Amount(max(0, self.nano), max(0, self.tokens))


@dataclass(frozen=True, slots=True)
class BudgetKey:
    """Which budget: scope, the internal id of what it bounds, and the start of its window."""

    scope: Scope
    subject_id: int
    window: Window


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget as it stands. Caps are None for unlimited and do not include `raised`, what overdrives in force add.

    unknown_usages: how many usages in it have no price. notional: nano-dollars that are only an equivalent; they count
    in `spent` only where the policy says so. unplaced: how much of `spent` lies on no tab; always zero for a tab's own.
    """

    id: int
    key: BudgetKey
    cap_nano: Nano | None = None
    cap_tokens: int | None = None
    raised: Amount = Amount()
    spent: Amount = Amount()
    held: Amount = Amount()
    notional: Nano = 0
    unknown_usages: int = 0
    why: str = ""
    unplaced: Amount = Amount()

    @property
    def nano_ceiling(self) -> Nano | None:
        """The cap in dollars with overdrives; None for unlimited."""
        return None if self.cap_nano is None else self.cap_nano + self.raised.nano

    @property
    def token_ceiling(self) -> int | None:
        """The cap in tokens with overdrives; None for unlimited."""
        return None if self.cap_tokens is None else self.cap_tokens + self.raised.tokens

    @property
    def nano_room(self) -> Nano | None:
        """Dollars neither spent nor held, maybe below zero; None for unlimited."""
        return None if self.nano_ceiling is None else self.nano_ceiling - self.spent.nano - self.held.nano

    @property
    def token_room(self) -> int | None:
        """Tokens neither spent nor held, maybe below zero; None for unlimited."""
        return None if self.token_ceiling is None else self.token_ceiling - self.spent.tokens - self.held.tokens

    @property
    def overrun(self) -> Amount:
        """How far spend alone is past the cap."""
        nano = 0 if self.nano_ceiling is None else self.spent.nano - self.nano_ceiling
        tokens = 0 if self.token_ceiling is None else self.spent.tokens - self.token_ceiling
        return Amount(nano, tokens).at_least_zero()

    @property
    def spent_percent(self) -> int:
        """The larger share, in whole percent rounded down, of dollars and tokens; 0 when unlimited."""
        shares = [0]
        if self.nano_ceiling is not None:
            shares.append(percent(self.spent.nano, self.nano_ceiling))
        if self.token_ceiling is not None:
            shares.append(percent(self.spent.tokens, self.token_ceiling))
        return max(shares)

    def fits(self, asked: Amount) -> bool:
        """Whether spent + held + asked stays within every cap: promise 3."""
        return (self.nano_room is None or asked.nano <= self.nano_room) and (
            self.token_room is None or asked.tokens <= self.token_room
        )

    @property
    def is_spent(self) -> bool:
        """Whether spend alone has reached a cap: red."""
        return self.spent_percent >= 100


def standing(budget: Budget, steps: tuple[int, ...], subject: str = "") -> Finding:
    """How a budget stands by what is spent: allow below the first step, warn from it on, stop at 100 percent."""
    share = budget.spent_percent
    if share >= 100:
        outcome = Outcome.STOP
    elif steps and share >= min(steps):
        outcome = Outcome.WARN
    else:
        outcome = Outcome.ALLOW
    return _finding(budget, outcome, subject, cause="spent" if outcome is Outcome.STOP else "")


def asking(budget: Budget, asked: Amount, subject: str = "", retry_at: datetime | None = None) -> Finding | None:
    """The finding that refuses `asked`, or None when it fits.

    It says whether the budget is spent, or whether other sessions hold what is left; only then does waiting help.
    """
    if budget.fits(asked) and not budget.is_spent:
        return None
    without_holds = Amount(
        asked.nano + budget.spent.nano if budget.nano_ceiling is not None else 0,
        asked.tokens + budget.spent.tokens if budget.token_ceiling is not None else 0,
    )
    fits_later = (
        not budget.is_spent
        and (budget.nano_ceiling is None or without_holds.nano <= budget.nano_ceiling)
        and (budget.token_ceiling is None or without_holds.tokens <= budget.token_ceiling)
    )
    cause = "held" if fits_later else "spent"
    return _finding(budget, Outcome.STOP, subject, cause, asked, retry_at if cause == "held" else None)


def crossed(before: Budget, after: Budget, steps: tuple[int, ...]) -> tuple[int, ...]:
    """The steps, 100 included, that spend went over between two states of one budget."""
    levels = (*sorted(set(steps)), 100)
    return tuple(level for level in levels if before.spent_percent < level <= after.spent_percent)


def _finding(
    budget: Budget,
    outcome: Outcome,
    subject: str,
    cause: str,
    asked: Amount = Amount(),
    retry_at: datetime | None = None,
) -> Finding:
    tokens = _binding_unit(budget, asked) == "tokens"
    return Finding(
        signal=Signal.BUDGET,
        outcome=outcome,
        scope=budget.key.scope.value,
        subject=subject,
        unit="tokens" if tokens else "usd",
        cap=budget.token_ceiling if tokens else budget.nano_ceiling,
        spent=budget.spent.tokens if tokens else budget.spent.nano,
        held=budget.held.tokens if tokens else budget.held.nano,
        asked=asked.tokens if tokens else asked.nano,
        raised=budget.raised.tokens if tokens else budget.raised.nano,
        cause=cause,
        window=budget.key.window.name,
        until=budget.key.window.end,
        retry_at=retry_at,
        why=budget.why,
        unplaced=budget.unplaced.tokens if tokens else budget.unplaced.nano,
    )


def _binding_unit(budget: Budget, asked: Amount) -> str:
    """The unit to speak in: the one with the larger share used once `asked` is added; dollars when there is a tie."""
    if budget.token_ceiling is None:
        return "usd"
    if budget.nano_ceiling is None:
        return "tokens"
    dollars = percent(budget.spent.nano + budget.held.nano + asked.nano, budget.nano_ceiling)
    tokens = percent(budget.spent.tokens + budget.held.tokens + asked.tokens, budget.token_ceiling)
    return "tokens" if tokens > dollars else "usd"


def show_amount(amount: int, unit: str) -> str:
    """Print an amount in a finding's unit: `$1.20` or `12.3k tokens`."""
    return f"{show_tokens(amount)} tokens" if unit == "tokens" else show_money(amount)
