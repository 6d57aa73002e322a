"""The price book restates genai-prices faithfully, finds models under their many names, and obeys the policy."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from genai_prices import Usage as BookUsage
from genai_prices import calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.cost import CostState
from tabstop.money import NANO_PER_DOLLAR, round_half_up
from tabstop.policy.model import PriceOverride
from tabstop.price_book import card, context_window, price_of
from tabstop.price_card import PriceSource, cost_of, price
from tabstop.usage import Tokens, Usage

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)

MODELS = [  # as genai-prices is asked for them
    ("anthropic", "claude-opus-5-5"),
    ("anthropic", "claude-opus-4-6"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-sonnet-5-5"),
    ("anthropic", "claude-haiku-5-5"),
    ("anthropic", "claude-haiku-4-5-20251001"),
    ("anthropic", "claude-fable-5-2"),
    ("anthropic", "claude-2"),
    ("openai", "gpt-5.5"),
    ("openai", "gpt-5.6-sol"),
    ("openai", "gpt-5-pro"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-3.6-flash"),
    ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("aws", "us.anthropic.claude-opus-4-1-20250805-v1:0"),
    ("deepseek", "deepseek-chat"),
]
counts = st.integers(0, 400_000)
tokens = st.builds(Tokens, counts, counts, counts, counts, counts)
moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def a_usage(model: str, tokens: Tokens, at: datetime = AT, web_searches: int = 0) -> Usage:
    return Usage(("anthropic:req:1",), model, tokens, at, web_searches=web_searches)


@settings(max_examples=500)
@given(st.sampled_from(MODELS), tokens, moments, st.integers(0, 3))
def test_the_card_says_what_the_book_calculates(
    model: tuple[str, str], used: Tokens, at: datetime, searches: int
) -> None:
    """For any mix of tokens at any time: the same amount, to the nano-dollar."""
    provider, name = model
    one = price_of(name, at=at, provider=provider)
    assert one is not None
    if one.web_search is None:
        searches = 0
    book = calc_price(
        BookUsage(
            input_tokens=used.prompt,
            cache_read_tokens=used.cache_read,
            cache_write_tokens=used.cache_write_5m + used.cache_write_1h,
            cache_write_1h_tokens=used.cache_write_1h,
            output_tokens=used.output,
            web_searches=searches,
        ),
        name,
        provider_id=provider,
        genai_request_timestamp=at,
    )
    assert one.matched == book.model.id
    cost = cost_of(a_usage(name, used, at, searches), one)
    assert cost.nano == round_half_up(book.total_price * NANO_PER_DOLLAR)


def test_the_default_model_costs_what_its_client_says() -> None:
    """Dollars per million tokens, as Claude Code 2.1.330 bills them."""
    one = price_of("claude-opus-5-5", at=AT)
    assert one is not None
    rates = one.tiers[0].rates
    per_million = [
        rate / 1000 for rate in (rates.input, rates.cache_write_5m, rates.cache_write_1h) if rate is not None
    ]
    assert per_million == [4, 5, 8]
    assert rates.cache_read == 200
    assert rates.output == 20_000
    assert one.web_search == 10_000_000


@pytest.mark.parametrize(
    ("model", "matched", "exact"),
    [
        ("claude-opus-5-5", "claude-opus-5-5", True),
        ("Claude-Opus-5-5", "claude-opus-5-5", True),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5", True),
        ("claude-3-5-haiku-20241022", "claude-3-5-haiku-latest", True),
        ("claude-sonnet-4-20250514", "claude-sonnet-4-0", True),
        ("claude-sonnet-4-5[1m]", "claude-sonnet-4-5", True),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5", True),
        ("claude-opus-5-5@20260901", "claude-opus-5-5", True),
        ("anthropic/claude-opus-5-5", "claude-opus-5-5", True),
        ("vertex_ai/claude-opus-5-5@20260901", "claude-opus-5-5", True),
        ("openrouter/anthropic/claude-opus-5.5", "anthropic/claude-opus-5.5", True),
        ("anthropic.claude-opus-5-5-v1:0", "regional.anthropic.claude-opus-5-5", True),
        ("global.anthropic.claude-opus-5-5", "global.anthropic.claude-opus-5-5", True),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
            True,
        ),
        ("gpt-5.2-codex", "gpt-5.2", True),
        ("gpt-5-20250807", "gpt-5", True),
        ("models/gemini-2.5-flash", "gemini-2.5-flash", True),
        ("claude-opus-4-15", "claude-opus-4-1", False),
        ("global.anthropic.claude-opus-4-1-20250805-v1:0", "claude-opus-4-1", False),
        ("claude-sonnet-4-5[fast]", "claude-sonnet-4-5", False),
        ("claude-opus-5-5[us]", "claude-opus-5-5", False),
    ],
)
def test_a_model_is_found_under_its_names(model: str, matched: str, exact: bool) -> None:
    """A dated, prefixed or documented spelling is the same model; anything else is only like it."""
    one = price_of(model, at=AT)
    assert one is not None
    assert (one.matched, one.exact, one.source) == (matched, exact, PriceSource.LIST)


@pytest.mark.parametrize(
    "model",
    [
        "",
        "claude",
        "claude-opus-7",
        "gpt-9",
        "<synthetic>",
        "someone/claude-opus-5-5",
        "opus",
        "whisper-1",
        "\x00",
        "a" * 9999,
    ],
)
def test_a_model_nobody_knows_has_no_price(model: str) -> None:
    """And the usage is unknown, not free."""
    assert price_of(model, at=AT) is None
    cost = price(a_usage(model, Tokens(input=1)), card([model], at=AT))
    assert (cost.state, cost.nano) == (CostState.UNKNOWN, None)


def test_prices_are_those_of_the_day() -> None:
    """gpt-5.6-sol cost $5 a million until 2026-08-20, and $4 from the 21st."""
    day = datetime(2026, 8, 21, tzinfo=UTC)
    before, after = (price_of("gpt-5.6-sol", at=at) for at in (day - timedelta(seconds=1), day))
    assert before is not None
    assert after is not None
    assert before.tiers[0].rates.input == 5000
    assert after.tiers[0].rates.input == 4000


def test_a_day_is_a_day_in_utc() -> None:
    """A usage at 1 o'clock in Berlin is still priced by the day before."""
    berlin = datetime.fromisoformat("2026-08-21T01:00:00+02:00")
    one = price_of("gpt-5.6-sol", at=berlin)
    assert one is not None
    assert one.tiers[0].rates.input == 5000


def test_a_time_without_a_zone_is_refused() -> None:
    """A price is dated; guessing a zone would guess a price."""
    with pytest.raises(ValueError, match="no time zone"):
        price_of("claude-opus-5-5", at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_fast_mode_has_its_own_price() -> None:
    """Twice the price on claude-opus-5-5, cache included."""
    standard, fast = (price_of(name, at=AT) for name in ("claude-opus-5-5", "claude-opus-5-5[fast]"))
    assert standard is not None
    assert fast is not None
    assert fast.exact
    used = Tokens(1, 2, 3, 4, 5)
    assert cost_of(a_usage("x", used), fast).nano == 2 * (cost_of(a_usage("x", used), standard).nano or 0)


def test_a_long_prompt_costs_more_from_one_past_the_threshold() -> None:
    """claude-haiku-5-5: five times the price beyond 100,000 tokens."""
    one = price_of("claude-haiku-5-5", at=AT)
    assert one is not None
    assert cost_of(a_usage("x", Tokens(input=100_000)), one).nano == 100_000 * 100
    assert cost_of(a_usage("x", Tokens(input=100_001)), one).nano == 100_001 * 500


def test_a_borrowed_rate_is_an_estimate() -> None:
    """A copied marketplace without a price for one-hour writes: the nearest there is, and said so."""
    model = "openrouter/anthropic/claude-opus-5.5"
    cost = price(a_usage(model, Tokens(cache_write_1h=1000)), card([model], at=AT))
    assert (cost.state, cost.nano) == (CostState.ESTIMATED, 5_000_000)


OPUS = "claude-opus-5-5"
TEN = Decimal(10)


@pytest.mark.parametrize(
    ("overrides", "used", "nano"),
    [
        ([PriceOverride(OPUS, discount_percent=TEN)], Tokens(input=1, output=1), 3600 + 18000),
        ([PriceOverride("claude-*", input=Decimal(1))], Tokens(input=1, output=1), 1000 + 20000),
        ([PriceOverride("CLAUDE-opus-*", input=Decimal(1), discount_percent=TEN)], Tokens(1, output=1), 1000 + 18000),
        ([PriceOverride("gpt-*", input=Decimal(1))], Tokens(input=1), 4000),
        ([PriceOverride(OPUS, input=Decimal(1), from_date=date(2026, 11, 22))], Tokens(input=1), 4000),
        ([PriceOverride(OPUS, input=Decimal(1), from_date=date(2026, 11, 21))], Tokens(input=1), 1000),
        ([PriceOverride(OPUS, input=Decimal(1)), PriceOverride("claude-*", input=Decimal(2))], Tokens(input=1), 1000),
        (
            [PriceOverride(OPUS, input=Decimal(1), from_date=date(2026, 1, 1)), PriceOverride(OPUS, input=Decimal(2))],
            Tokens(input=1),
            1000,
        ),
        (
            [
                PriceOverride(OPUS, input=Decimal(1), from_date=date(2026, 1, 1)),
                PriceOverride(OPUS, input=Decimal(2), from_date=date(2026, 6, 1)),
            ],
            Tokens(input=1),
            2000,
        ),
        ([PriceOverride(OPUS, input=Decimal(0))], Tokens(input=1), 0),
    ],
)
def test_negotiated_rates(overrides: list[PriceOverride], used: Tokens, nano: int) -> None:
    """The one that began last counts, among equals the one written first; what it leaves out keeps the list's price."""
    cost = price(a_usage(OPUS, used), card([OPUS], at=AT, overrides=overrides))
    assert (cost.state, cost.nano) == (CostState.KNOWN, nano)


def test_a_discount_reaches_every_tier() -> None:
    """And a rate that is named is the same in all of them."""
    one = price_of("claude-haiku-5-5", at=AT, overrides=[PriceOverride("*", input=TEN, discount_percent=Decimal(50))])
    assert one is not None
    assert [tier.rates.input for tier in one.tiers] == [10_000, 10_000]
    assert [tier.rates.output for tier in one.tiers] == [250, 1250]
    assert one.source is PriceSource.NEGOTIATED


def test_a_model_only_the_policy_knows() -> None:
    """Has the rates the policy names, and no others."""
    book = card(["house-model"], at=AT, overrides=[PriceOverride("house-*", input=Decimal(1), output=Decimal(2))])
    known = price(a_usage("house-model", Tokens(input=1, output=1)), book)
    assert (known.state, known.nano, known.matched) == (CostState.KNOWN, 3000, "house-*")
    assert price(a_usage("house-model", Tokens(cache_read=1)), book).state is CostState.UNKNOWN


def test_naming_every_rate_settles_a_fuzzy_match() -> None:
    """The policy's price is not a guess about another model."""
    a_dollar = Decimal(1)
    every = PriceOverride("claude-opus-4-15", a_dollar, a_dollar, a_dollar, a_dollar, a_dollar)
    one = price_of("claude-opus-4-15", at=AT, overrides=[every])
    assert one is not None
    assert (one.exact, one.source, len(one.tiers)) == (True, PriceSource.NEGOTIATED, 1)


def test_a_discount_on_nothing_is_no_price() -> None:
    """10 % off an unknown price is unknown."""
    assert price_of("house-model", at=AT, overrides=[PriceOverride("house-*", discount_percent=TEN)]) is None


def test_dear_hours_are_priced_by_the_hour() -> None:
    """deepseek-chat is cheaper in off-peak hours; day-dated prices would miss it."""
    night, noon = (price_of("deepseek-chat", at=datetime(2025, 8, 1, hour, tzinfo=UTC)) for hour in (18, 12))
    assert night is not None
    assert noon is not None
    assert night.tiers != noon.tiers


@pytest.mark.parametrize(
    ("model", "window"), [("claude-haiku-4-5-20251001", 200_000), ("gpt-5.5", 1_000_000), ("gemini-2.5-pro", None)]
)
def test_the_context_window_is_the_books(model: str, window: int | None) -> None:
    """Where the book has none it is not known."""
    one = price_of(model, at=AT)
    assert one is not None
    assert one.context_window == window


def test_the_window_of_a_model() -> None:
    """Where the book knows one."""
    windows = [context_window(model) for model in ("claude-sonnet-4-5", "claude-opus-5-5[1m]", "nobodys-model")]
    assert windows == [200_000, 1_000_000, None]
