"""The listed prices are the price book's own: for every listed model, at any time. `UPDATE_GOLDEN=1` lists them anew."""

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import genai_prices
import msgspec
import pytest
from genai_prices.types import StartDateConstraint
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.beside import listed_prices
from tabstop.beside.listed_prices import PLACE, Since, digest, price_on
from tabstop.beside.local_prices import LocalPrices, book_identity
from tabstop.price_book import _find, changes_by_the_hour, models_of, price_of
from tests.support.golden import UPDATE

BOOK = Path(genai_prices.__file__).parent
FIRST = date(1970, 1, 1)
DATED = [
    "claude-3-5-haiku-20241022",
    "claude-3-5-sonnet-20241022",
    "claude-3-7-sonnet-20250219",
    "claude-haiku-4-5-20251001",
    "claude-opus-4-20250514",
    "claude-opus-4-1-20250805",
    "claude-opus-4-5-20251101",
    "claude-sonnet-4-20250514",
    "claude-sonnet-4-5-20250929",
]
"""Ids with a date, which the book does not spell out: platform.claude.com/docs/en/about-claude/models/overview"""


def names() -> list[str]:
    """What clients call the models that agents run on."""
    return sorted({*DATED, *(name for agent in ("claude-code", "codex", "gemini-cli") for name in models_of(agent))})


def since(model: str) -> Since:
    """The days on which another price begins."""
    found = _find(model, "")
    assert found is not None
    entries = found[0].prices if isinstance(found[0].prices, list) else []
    starts = [one.constraint.start_date for one in entries if isinstance(one.constraint, StartDateConstraint)]
    days = [FIRST, *sorted(starts)]
    told = [
        ((day - FIRST).days, price_of(model, at=datetime(day.year, day.month, day.day, tzinfo=UTC))) for day in days
    ]
    return [(day, price) for day, price in told if price is not None]


def listing() -> bytes:
    """The file, a model a line."""
    encode = msgspec.json.encode
    models = {name: since(name) for name in names() if not changes_by_the_hour(name)}
    lines = b",\n".join(encode(name) + b": " + encode(told) for name, told in models.items() if told)
    return b'{"book": ' + encode(digest(BOOK)) + b', "models": {\n' + lines + b"\n}}\n"


def test_the_list_is_of_the_locked_book() -> None:
    """Else every first `tabstop cost` would load the book."""
    if UPDATE:
        PLACE.write_bytes(listing())
    assert PLACE.read_bytes() == listing(), "the price book is another one; list its prices with UPDATE_GOLDEN=1"


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(names()),
    st.one_of(
        st.integers(0, 5 * 365 * 24 * 60).map(
            lambda after: datetime(2023, 1, 1, tzinfo=UTC) + timedelta(minutes=after)
        ),
        st.dates(date(2025, 6, 1), date(2027, 2, 1)).map(
            lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC)
        ),
    ),
)
def test_every_price_is_the_book_s(model: str, at: datetime) -> None:
    """On any day, at any hour of it."""
    told = listed_prices.listed_prices(BOOK).of(model)
    assert price_on(told, (at.date() - FIRST).days) == price_of(model, at=at)


def test_learning_them_does_not_need_the_book(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listed model's price is found where the book cannot be loaded; one before every day has the first."""
    monkeypatch.setitem(sys.modules, "tabstop.price_book", None)
    prices = LocalPrices(book_identity())
    prices.learn({"claude-opus-4-5-20251101": {20_500 * 96, -96}})
    assert prices.price("claude-opus-4-5-20251101", 20_500 * 96) == prices.price("claude-opus-4-5-20251101", -96)


def test_another_book(tmp_path: Path) -> None:
    """It has other prices: nothing is listed for it, nor for none."""
    for name in ("data.py", "types.py"):
        (tmp_path / name).write_text("providers = []")
    assert not listed_prices.listed_prices(tmp_path).models
    assert not listed_prices.listed_prices(tmp_path / "gone").models


def test_what_is_not_listed_has_no_prices() -> None:
    """Then the book is asked."""
    assert listed_prices.listed_prices(BOOK).of("nobodys-model") == []
