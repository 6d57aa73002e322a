"""Prices of this machine's models: the price book's own, day by day, without loading it again."""

from datetime import UTC, datetime

import pytest

from tabstop.beside.local_prices import LocalPrices, book_identity
from tabstop.beside.usage_grouping import quarter_of
from tabstop.price_book import price_of

BY_THE_HOUR = "deepseek/deepseek-chat"
"""Cheaper at night, in the book's past."""

DAY = 96


def at(text: str) -> int:
    return quarter_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize("model", ["claude-opus-4-5", "claude-sonnet-4-5", "gpt-5.5", BY_THE_HOUR, "nobodys-model"])
def test_the_price_of_the_book(model: str) -> None:
    """At any quarter of an hour that was asked for; None where the book has none."""
    quarters = {at(f"2025-{month:02}-11T{hour:02}:45:00") for month in (3, 9) for hour in (0, 10, 16, 23)}
    prices = LocalPrices()
    prices.learn({model: quarters})
    for quarter in quarters:
        assert prices.price(model, quarter) == price_of(model, at=datetime.fromtimestamp(quarter * 900, UTC))
    assert not prices.missing({model: quarters})
    another_day = max(quarters) + DAY
    assert prices.missing({model: {another_day}}) == {model: {another_day}}


def test_prices_that_change_with_the_hour() -> None:
    """Each quarter of an hour has its own."""
    prices = LocalPrices()
    day, night = at("2025-06-11T10:00:00"), at("2025-06-11T20:00:00")
    prices.learn({BY_THE_HOUR: {day, night}})
    assert prices.price(BY_THE_HOUR, day) != prices.price(BY_THE_HOUR, night)
    assert prices.missing({BY_THE_HOUR: {day, day + 1}}) == {BY_THE_HOUR: {day + 1}}


def test_tomorrow_is_known_already() -> None:
    """What was used today will be used tomorrow: a fortnight is looked up at once."""
    today = at("2026-11-22T12:00:00")
    prices = LocalPrices(today=today // DAY)
    prices.learn({"claude-opus-4-5": {today}})
    assert not prices.missing({"claude-opus-4-5": {today + 14 * DAY}})
    assert prices.missing({"claude-opus-4-5": {today + 15 * DAY}})


def test_names_that_are_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many are looked up, those that were used the longest first; the rest has no price, and the book is not asked again."""
    monkeypatch.setattr("tabstop.beside.local_prices._MOST_MODELS", 3)
    day = at("2025-03-11T12:00:00")
    prices = LocalPrices()
    wanted = {f"claude-opus-4-5-made-up-{number}": {day} for number in range(5)} | {
        "deepseek/deepseek-r1": {day, day + DAY}
    }
    prices.learn(wanted)
    assert prices.price("deepseek/deepseek-r1", day) is not None
    assert [prices.price(f"claude-opus-4-5-made-up-{number}", day) is None for number in range(5)] == [False] * 2 + [
        True
    ] * 3
    assert not prices.missing(wanted)


def test_the_book_that_is_installed() -> None:
    """Known by its data's file, without loading it."""
    path, size, changed = book_identity()
    assert path.endswith("genai_prices/data.py")
    assert size > 0
    assert changed > 0


def test_no_book_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there is nothing to tell apart."""
    monkeypatch.setattr("tabstop.beside.local_prices.find_spec", lambda _name: None)
    assert book_identity() == ("", 0, 0)
