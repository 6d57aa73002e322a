"""The budget manager: a cap in dollars on an agent's loop, checked after every answer."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from tabstop.governor.settings import Breaker, Degradation, Detector, Response, Rules, Runaway, Throttle
from tabstop.library.amounts import Dollars, in_dollars
from tabstop.library.amounts import limits as limits_of
from tabstop.library.governor import Governor
from tabstop.policy.model import PriceOverride

_OFF = Detector(1, 1, Response.OFF, 0)

LIMIT_ONLY = Rules(
    degradation=Degradation(ladder=()),
    runaway=Runaway(*([_OFF] * 7)),
    breaker=Breaker(failures_percent=None, repeats=None, cost_per_minute=None),
    throttle=Throttle(calls_per_minute=None, identical_per_minute=None, retry_pauses=None),
)
"""The rules of a budget manager: nothing but its limit stops or slows the loop. For more, use `Governor`."""


class BudgetManager:
    """Counts what an agent's loop costs and stops it at its limit. Thread-safe.

    budget = BudgetManager(session_limit=0.50)
    while True:
        response = client.messages.create(...)
        budget.check_and_add(response.usage)
    """

    def __init__(
        self, session_limit: Dollars, *, model: str = "", session: str = "", prices: Sequence[PriceOverride] = ()
    ) -> None:
        """session_limit: dollars, above zero. model: what answers without a model are priced as.

        session, prices: see `Governor`. Raises `ValueError`.
        """
        limits = limits_of(cost=session_limit)
        if limits.cost is None:
            raise ValueError(f"cost: {session_limit!r} is no limit; write dollars such as 0.50")
        self.governor = Governor(limits, session=session, rules=LIMIT_ONLY, prices=prices)
        self._model = model

    def check_and_add(self, usage: object, *, model: str = "") -> None:
        """Add what one answer cost. Raises `BudgetExceeded` once the limit is reached, and at every call after that.

        usage: an SDK's response or its usage (`tabstop.library.vendor_usage.SHAPES`), or a plain cost in dollars. A response
        is better: it names its model. Where no model is named the dearest that is known is assumed, never zero.
        Raises `UnknownUsageError` for anything else.
        """
        if isinstance(usage, float | int | str | Decimal) and not isinstance(usage, bool):
            self.governor.charged(usage, model=model or self._model)
        else:
            self.governor.answered(usage, model=model or self._model)

    def check(self) -> None:
        """Raise `BudgetExceeded` if the limit is reached; costs nothing."""
        self.governor.check()

    def overdrive(self, more: Dollars) -> None:
        """Let it have so many dollars more."""
        self.governor.overdrive(limits_of(cost=more))

    def close(self) -> None:
        """Let go of a named session."""
        self.governor.close()

    @property
    def limit(self) -> Decimal:
        """Dollars it may use, raises included."""
        return in_dollars(self.governor.limits.cost or 0)

    @property
    def spent(self) -> Decimal:
        """Dollars it has used."""
        return in_dollars(self.governor.totals.cost)

    @property
    def remaining(self) -> Decimal:
        """Dollars left; zero once the limit is reached."""
        return max(Decimal(0), self.limit - self.spent)
