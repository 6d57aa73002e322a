"""The vendor's invoice of one run, and what it says: how much of a limit was used, and which calls began after it was reached."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import accumulate

from tabstop.money import dollars, show
from tabstop.policy.notation import read_seconds, read_tokens, show_tokens
from tabstop.price_book import card
from tabstop.price_card import price
from tabstop.usage import Tokens, Usage


class Limit(StrEnum):
    """Which limit the session has; as in the policy."""

    TOKENS = "tokens"
    TOOL_CALLS = "tool_calls"
    ITERATIONS = "iterations"
    WALL_CLOCK = "wall_clock"
    COST = "cost"

    @property
    def words(self) -> str:
        """As people read it."""
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class Line:
    """One answer on the invoice. began, ended: of the call, by `time.time`. asks: whether it asked for a tool."""

    began: float
    ended: float
    model: str
    tokens: Tokens
    asks: bool

    @property
    def cost(self) -> int:
        """In nano-dollars, at today's list. Raises `ValueError` for a model that stands in no list."""
        at = datetime.fromtimestamp(self.ended, UTC)
        found = price(Usage(("x:x:x",), self.model, self.tokens, at), card([self.model], at=at))
        if found.nano is None:
            raise ValueError(f"no price for {self.model}")
        return found.nano


@dataclass(frozen=True)
class Account:
    """after: model calls that began after the limit was reached. used: of it, as people read it. over: more than it was used."""

    after: int
    used: str
    over: bool = False


def account(lines: Iterable[Line], limit: Limit, text: str, began: float) -> Account:
    """What the invoice says. text: the limit as it is typed. began: of the session, by `time.time`; counts for a wall clock only.

    A limit is reached when the answer ends that reaches it; one of tool calls when the answer ends that asks for the last one.
    """
    found = sorted(lines, key=lambda line: line.ended)
    if limit is Limit.WALL_CLOCK:
        over = began + read_seconds(text, at_least=1)
        last = max((line.ended for line in found), default=began)
        return Account(sum(line.began > over for line in found), f"{last - began:.0f}s", over=last > over)
    if limit is Limit.TOKENS:
        amounts, most = [line.tokens.total for line in found], read_tokens(text)
    elif limit is Limit.COST:
        amounts, most = [line.cost for line in found], dollars(text.removeprefix("$"))
    else:
        amounts, most = [int(line.asks or limit is Limit.ITERATIONS) for line in found], int(text)
    sums = list(accumulate(amounts))
    reached = next((line.ended for line, total in zip(found, sums, strict=True) if total >= most), None)
    after = 0 if reached is None else sum(line.began > reached for line in found)
    total = sums[-1] if sums else 0
    return Account(after, show(total) if limit is Limit.COST else show_tokens(total), over=total > most)
