"""Local prices: what the models of this machine's logs cost by day, remembered so that the price book is not loaded every time.

The book takes a third of a second to load, and is not needed for the models of `listed_prices`. What is remembered holds for the
installed book only: another version has other prices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import msgspec

from tabstop.beside.listed_prices import listed_prices, price_on
from tabstop.beside.own_prices import OwnPrices
from tabstop.price_card import ModelPrice
from tabstop.usage_groups import QUARTER

_DAY = 86_400 // QUARTER
"""Quarters of an hour of a day."""

_AHEAD = 14
"""Days after today that are looked up as well, so that the book is needed once in a fortnight."""

_MOST_MODELS = 10_000
"""Models that are looked up, in all. The logs of a machine name some dozens; who names thousands has made them up, and gets no price for the rest."""


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

    def learn(self, wanted: Mapping[str, set[int]]) -> None:
        """Look up what is missing. Loads the price book where a model is not among the listed."""
        missing = self.missing(wanted)
        if not missing:
            return
        listed = listed_prices(Path(self.book[0]).parent)
        places = {price: place for place, price in enumerate(self.prices)}
        for model, quarters in sorted(missing.items(), key=lambda item: -len(item[1])):
            since = listed.of(model)
            if since:
                self._learn_days(model, quarters, partial(price_on, since), places)
            elif model not in self.days and model not in self.quarters and self._full():
                self._learn_days(model, quarters, lambda _day: None, places)
            else:
                self._look_up(model, quarters, places)
        self.prices = list(places)

    def _full(self) -> bool:
        return len(self.days) + len(self.quarters) >= _MOST_MODELS

    def _look_up(self, model: str, quarters: set[int], places: dict[ModelPrice | None, int]) -> None:
        from tabstop.price_book import changes_by_the_hour, price_of  # noqa: PLC0415 - a third of a second

        if changes_by_the_hour(model):
            known = self.quarters.setdefault(model, {})
            for quarter in quarters:
                known[quarter] = places.setdefault(price_of(model, at=_moment(quarter)), len(places))
        else:
            self._learn_days(model, quarters, lambda day: price_of(model, at=_moment(day * _DAY)), places)

    def _learn_days(
        self,
        model: str,
        quarters: set[int],
        price: Callable[[int], ModelPrice | None],
        places: dict[ModelPrice | None, int],
    ) -> None:
        days = self.days.setdefault(model, {})
        for day in self._days(quarters):
            days[day] = places.setdefault(price(day), len(places))

    def _days(self, quarters: set[int]) -> set[int]:
        days = {quarter // _DAY for quarter in quarters}
        return days | set(range(self.today, self.today + 1 + _AHEAD)) if max(days) >= self.today - 1 else days


class PricesHere:
    """The list's prices, and in some folders a repository's own."""

    def __init__(self, listed: LocalPrices, own: OwnPrices) -> None:
        """listed: of the installed book."""
        self.listed, self.own = listed, own

    def learn(self, wanted: Mapping[str, set[int]]) -> None:
        """Look up what is missing on the list."""
        self.listed.learn(wanted)

    def price(self, model: str, quarter: int, folder: str) -> ModelPrice | None:
        """The price at this quarter of an hour, in this folder; it must have been learned."""
        tree = self.own.tree(folder)
        return self.own.price(model, _moment(quarter), tree) if tree else self.listed.price(model, quarter)


def book_identity() -> tuple[str, int, int]:
    """What tells one installed price book from another, found without loading it: its data's path, size and time."""
    spec = find_spec("genai_prices")
    if spec is None or spec.origin is None:
        return "", 0, 0
    data = Path(spec.origin).with_name("data.py")
    about = data.stat()
    return str(data), about.st_size, about.st_mtime_ns


def _moment(quarter: int) -> datetime:
    return datetime.fromtimestamp(quarter * QUARTER, UTC)
