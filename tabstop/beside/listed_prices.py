"""Listed prices: what the price book says of the vendors' own models, beside it, to be had without loading the book.

The book takes as long to load as 50 MB of logs to read. `listed_prices.json` holds for one book only: where another one is installed,
nothing is listed, and the book itself is asked.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec

from tabstop.price_card import ModelPrice

PLACE = Path(__file__).with_name("listed_prices.json")

Since = list[tuple[int, ModelPrice]]
"""From which day, counted from 1970 UTC, what price holds; ascending."""


class ListedPrices(msgspec.Struct):
    """book: what `digest` says of the book these are from. models: by model, as clients name it, a `Since` each."""

    book: str = ""
    models: dict[str, msgspec.Raw] = {}

    def of(self, model: str) -> Since:
        """The model's prices; none where it is not listed. A price holds at all hours of a day."""
        told = self.models.get(model)
        return [] if told is None else msgspec.json.decode(told, type=Since)


def listed_prices(book: Path) -> ListedPrices:
    """Those of the book in this folder, which is an installed package."""
    try:
        listed = msgspec.json.decode(PLACE.read_bytes(), type=ListedPrices)
        return listed if listed.book == digest(book) else ListedPrices()
    except OSError:
        return ListedPrices()


def digest(book: Path) -> str:
    """What tells one book from another: of its prices, and of what finds a model in them. Raises `OSError`."""
    return f"{zlib.crc32((book / 'data.py').read_bytes() + (book / 'types.py').read_bytes()):08x}"


def price_on(since: Since, day: int) -> ModelPrice:
    """The one that holds on this day; before the first, that one."""
    return next((price for first, price in reversed(since) if first <= day), since[0][1])
