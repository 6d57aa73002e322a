"""What the client itself has counted per model: `modelUsage` of results and cost-state rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from tabstop.agents.claude_code.rows import Row, RowError, count, ident, mapping
from tabstop.model_id import without_variant
from tabstop.money import NANO_PER_DOLLAR, Nano, round_half_up
from tabstop.usage import Tokens, Usage

if TYPE_CHECKING:
    from tabstop.wire import ClientTotal


@dataclass(frozen=True, slots=True)
class ClientCount:
    """Tokens, web searches and cost (nano-dollars, to the digits the client prints) of one model."""

    tokens: Tokens = field(default_factory=Tokens)
    web_searches: int = 0
    cost: Nano = 0

    def __add__(self, other: ClientCount) -> ClientCount:
        """Both together."""
        return ClientCount(self.tokens + other.tokens, self.web_searches + other.web_searches, self.cost + other.cost)

    def __sub__(self, other: ClientCount) -> ClientCount:
        """What came after `other`. A count is never negative: a client that starts again counts from zero."""
        return ClientCount(
            (self.tokens - other.tokens).at_least_zero(),
            max(0, self.web_searches - other.web_searches),
            max(0, self.cost - other.cost),
        )

    def __or__(self, other: ClientCount) -> ClientCount:
        """The larger of two views of the same thing, kind by kind."""
        return ClientCount(
            self.tokens + (other.tokens - self.tokens).at_least_zero(),
            max(self.web_searches, other.web_searches),
            max(self.cost, other.cost),
        )


Counts = Mapping[str, ClientCount]
"""By model, as the client spells it."""


def read_counts(value: object) -> dict[str, ClientCount]:
    """Read `modelUsage`: `{model: {inputTokens, outputTokens, cacheReadInputTokens, …, costUSD}}`.

    Raises `RowError` when a count is none.
    """
    return {model: _count(mapping(one)) for name, one in mapping(value).items() if (model := ident(name))}


def since(counts: Counts, before: Counts) -> dict[str, ClientCount]:
    """What was added to `before`; models without anything new are left out."""
    nothing = ClientCount()
    added = {model: one - before.get(model, nothing) for model, one in counts.items()}
    return {model: one for model, one in added.items() if one != nothing}


def larger(one: Counts, other: Counts) -> dict[str, ClientCount]:
    """The larger of two views of the same run, per model and kind."""
    nothing = ClientCount()
    return {model: one.get(model, nothing) | other.get(model, nothing) for model in sorted({*one, *other})}


def client_totals(thread: str, counts: Counts) -> tuple[ClientTotal, ...]:
    """The counts as the wire carries them; `thread` is the client's session id, its subagents included."""
    from tabstop.wire import ClientTotal  # noqa: PLC0415 - it loads half of tabstop, and few who count need it

    return tuple(ClientTotal(thread, model, one.tokens, one.web_searches) for model, one in sorted(counts.items()))


def counted(usages: Iterable[Usage], onto: Counts | None = None) -> dict[str, ClientCount]:
    """Usages as the client would count them, added to what it has; its own cost is not theirs to change."""
    counts = dict(onto or {})
    for usage in usages:
        model = without_variant(usage.model)
        counts[model] = counts.get(model, ClientCount()) + ClientCount(usage.tokens, usage.web_searches)
    return counts


def _count(row: Row) -> ClientCount:
    written = count(row, "cacheCreationInputTokens")
    an_hour = count(row, "cacheCreationEphemeral1hInputTokens")
    five_minutes = count(row, "cacheCreationEphemeral5mInputTokens")
    return ClientCount(
        Tokens(
            input=count(row, "inputTokens"),
            cache_read=count(row, "cacheReadInputTokens"),
            cache_write_5m=max(five_minutes, written - an_hour),
            cache_write_1h=an_hour,
            output=count(row, "outputTokens"),
        ),
        web_searches=count(row, "webSearchRequests"),
        cost=_nano(row.get("costUSD")),
    )


def _nano(dollars: object) -> Nano:
    """Dollars as the client prints them. `str` of a float is its shortest form, which is what the client wrote."""
    if dollars is None:
        return 0
    if isinstance(dollars, bool) or not isinstance(dollars, int | float) or not 0 <= dollars <= 10**9:
        raise RowError("costUSD is not an amount")
    return round_half_up(Decimal(str(dollars)) * NANO_PER_DOLLAR)
