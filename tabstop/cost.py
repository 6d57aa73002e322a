"""Cost: what a usage costs, and how surely that is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tabstop.money import Nano


class CostState(StrEnum):
    """How surely a cost is known. From best to worst."""

    KNOWN = "known"
    """Exact model id, priced at the usage's own date."""
    ESTIMATED = "estimated"
    """A fuzzy model match, an aggregate of several calls, or a cache split that is missing."""
    UNKNOWN = "unknown"
    """No price. Shown and alarmed, never zero."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one usage.

    nano: nano-dollars at list or negotiated price; None exactly when the state is unknown.
    matched: the model id whose price was used, as the price book spells it; empty when unknown.
    why: for people, why the cost is not known; empty when it is.
    """

    state: CostState
    nano: Nano | None
    matched: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        """An unknown price is never zero, and a known one is never missing."""
        if (self.nano is None) != (self.state is CostState.UNKNOWN):
            raise ValueError(f"a cost that is {self.state} cannot be {self.nano!r} nano-dollars")
