"""Local prices: what the models of this machine's logs cost by day, remembered so that the price book is not loaded every time.

The book takes a third of a second to load. What is remembered holds for the installed book only: another version has other prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import msgspec

from tabstop.price_card import ModelPrice
from tabstop.usage_groups import QUARTER

_DAY = 86_400 // QUARTER
"""Quarters of an hour of a day."""

_AHEAD = 14
"""Days after today that are looked up as well, so that the book is needed once in a fortnight."""


class LocalPrices(msgspec.Struct):
    """Prices by model and day; of models that cost more at some hours, by quarter of an hour.

    book: identity of the price book they are from. today: the day, counted from 1970 UTC. prices: each once; None for a model without one. days and quarters: by model,
    the place in `prices`.
    """

    book: tuple[str, int, int] = ("", 0, 0)
    today: int = 0
    prices: list[ModelPrice | None] = []
    days: dict[str, dict[int, int]] = {}
    quarters: dict[str, dict[int, int]] = {}

    def price(self, model: str, quarter: int) -> ModelPrice | None:
        """The price at this quarter of an hour (counted from 1970 UTC); it must have been learned."""
        place = self.quarters[model][quarter] if model in self.quarters else self.days[model][quarter // _DAY]
        return self.prices[place]

    def missing(self, wanted: Mapping[str, set[int]]) -> dict[str, set[int]]:
        """Models and quarters that have not been learned yet."""
        left = {}
        for model, quarters in wanted.items():
            if model in self.quarters:
                unknown = quarters - self.quarters[model].keys()
            else:
                known = self.days.get(model, {})
                unknown = {one for one in quarters if one // _DAY not in known}
            if unknown:
                left[model] = unknown
        return left

    def prepare(self) -> None:
        """Load the price book where nothing is known yet: while others read, this costs no time."""
        if not self.prices:
            from tabstop import price_book  # noqa: F401, PLC0415 - a third of a second

    def learn(self, wanted: Mapping[str, set[int]]) -> None:
        """Look up what is missing. Loads the price book where anything is."""
        missing = self.missing(wanted)
        if not missing:
            return
        from tabstop.price_book import price_of  # noqa: PLC0415 - a third of a second

        places = {price: place for place, price in enumerate(self.prices)}
        for model, quarters in missing.items():
            if model not in self.days and model not in self.quarters and _by_the_hour(model, min(quarters)):
                self.quarters[model] = {}
            if model in self.quarters:
                for quarter in quarters:
                    price = price_of(model, at=_moment(quarter))
                    self.quarters[model][quarter] = places.setdefault(price, len(places))
            else:
                days = self.days.setdefault(model, {})
                for day in self._days(quarters):
                    price = price_of(model, at=_moment(day * _DAY))
                    days[day] = places.setdefault(price, len(places))
        self.prices = list(places)

    def _days(self, quarters: set[int]) -> set[int]:
        days = {quarter // _DAY for quarter in quarters}
        return days | set(range(self.today, self.today + 1 + _AHEAD)) if max(days) >= self.today - 1 else days


def book_identity() -> tuple[str, int, int]:
    """What tells one installed price book from another, found without loading it: its data's path, size and time."""
    spec = find_spec("genai_prices")
    places: Iterable[str] = (spec.submodule_search_locations or ()) if spec else ()
    for place in places:
        data = Path(place) / "data.py"
        try:
            about = data.stat()
        except OSError:
            continue
        return str(data), about.st_size, about.st_mtime_ns
    return "", 0, 0


def _by_the_hour(model: str, quarter: int) -> bool:
    from tabstop.price_book import price_of  # noqa: PLC0415 - as above

    midnight = quarter - quarter % _DAY
    return len({price_of(model, at=_moment(midnight + step)) for step in range(_DAY)}) > 1


def _moment(quarter: int) -> datetime:
    return datetime.fromtimestamp(quarter * QUARTER, UTC)
