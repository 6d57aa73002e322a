"""How amounts are written in a policy, read and printed: `10M`, `$1,000`, `2h`, `$1,000 and 50M tokens`, `unlimited`.

Reading raises `ValueError` with a clause that completes "`key` is `text`: …". Printing gives what would be read back
as the same value, so that an old and a new value never look alike.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from tabstop.money import NANO_PER_DOLLAR, Nano, dollars, show_exact
from tabstop.policy.model import Cap, PriceOverride
from tabstop.window import WindowKind

UNLIMITED = "unlimited"

# One dialect for Python and JSON Schema (ECMA-262): [0-9] and no \d, which in Python also means Arabic digits.
WHOLE = r"(?:0|[1-9][0-9]{0,2}(?:[,_][0-9]{3})+|[1-9][0-9]*)"
TOKENS = rf"{WHOLE}(?:(?:\.[0-9]{{1,3}})? ?[kKmMbB])?(?: ?tokens?)?"
CAP_TOKENS = rf"{WHOLE}(?:(?:\.[0-9]{{1,3}})? ?[kKmMbB])? ?tokens?"
DOLLARS = rf"\$? ?{WHOLE}(?:\.[0-9]{{1,9}})?"
CAP = rf"(?:{DOLLARS}|{CAP_TOKENS}|{DOLLARS} and {CAP_TOKENS})"
DURATION = r"(?=[0-9])(?:[0-9]{1,4} ?d)? ?(?:[0-9]{1,6} ?h)? ?(?:[0-9]{1,7} ?m(?:in)?)? ?(?:[0-9]{1,9} ?s)?"
PERCENT = r"[1-9][0-9]? ?%?"
DISCOUNT = rf"{WHOLE}(?:\.[0-9]{{1,4}})? ?%?"
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"

MOST_DOLLARS = 1_000_000_000
MOST_TOKENS = 1_000_000_000_000_000
MOST_COUNT = 1_000_000
MOST_SECONDS = 30 * 86_400
MOST_RATE = 1_000_000

_SIZES = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
_SPANS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_PER = {WindowKind.DAY: " a day", WindowKind.WEEK: " a week", WindowKind.MONTH: " a month", WindowKind.LIFETIME: ""}


def read_whole(text: str, at_least: int, at_most: int) -> int:
    """Read `500` or `1,000`."""
    return _between(int(re.sub("[,_]", "", text)), at_least, at_most, f"{at_least:,}", f"{at_most:,}")


def read_tokens(text: str, at_least: int = 1) -> int:
    """Read `10M`, `1.5k`, `250,000 tokens`."""
    bare = re.sub(r"[,_ ]|tokens?$", "", text.lower())
    number = bare.rstrip("kmb")
    count = int(Decimal(number) * _SIZES[bare[len(number) :]])
    return _between(count, at_least, MOST_TOKENS, str(at_least), show_tokens(MOST_TOKENS))


def read_dollars(text: str, at_least: Nano = 0) -> Nano:
    """Read `$1,000`, `2.50`; at least so many nano-dollars."""
    return _between(dollars(text), at_least, MOST_DOLLARS * NANO_PER_DOLLAR, show_dollars(at_least), "$1,000,000,000")


def read_cap(text: str) -> Cap:
    """Read `$50`, `1M tokens`, `$1,000 and 50M tokens`, `unlimited`. The window and the reason are the default ones."""
    if text == UNLIMITED:
        return Cap()
    parts = text.split(" and ")
    nano = None if "token" in parts[0] else read_dollars(parts[0])
    tokens = read_tokens(parts[-1], at_least=0) if "token" in parts[-1] else None
    return Cap(nano, tokens)


def read_seconds(text: str, at_least: int = 60, at_most: int = MOST_SECONDS) -> int:
    """Read `2h`, `30m`, `1h30m`, `90s`."""
    seconds = sum(int(found[1]) * size for unit, size in _SPANS if (found := re.search(rf"([0-9]+) ?{unit}", text)))
    days, rest = divmod(at_most, 86_400)
    return _between(seconds, at_least, at_most, show_seconds(at_least), show_seconds(at_most) if rest else f"{days}d")


def read_percent(text: str, at_least: int, at_most: int) -> int:
    """Read `75%`, `500`."""
    percent = read_whole(text.rstrip(" %"), 0, 10**9)
    return _between(percent, at_least, at_most, show_percent(at_least), show_percent(at_most))


def read_rate(text: str) -> Decimal:
    """Read dollars per million tokens: `3`, `$0.30`."""
    rate = Decimal(re.sub(r"[$,_ ]", "", text))
    if rate > MOST_RATE:
        raise ValueError(f"that is more than ${MOST_RATE:,} per million tokens")
    return rate


def read_discount(text: str) -> Decimal:
    """Read `15%` or `12.5`: percent, up to 100."""
    percent = Decimal(re.sub(r"[%,_ ]", "", text))
    if percent > 100:
        raise ValueError("that is more than 100 %")
    return percent


def read_date(text: str) -> date:
    """Read `2026-01-31`."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("there is no such day") from error


def show_tokens(count: int | None) -> str:
    """Print every digit that counts: `10M`, `12.345k`, `12,345,678`; `unlimited` for None."""
    if count is None:
        return UNLIMITED
    for letter, size in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size and count % (size // 1000) == 0:
            return f"{Decimal(count) / size:,f}{letter}"
    return f"{count:,}"


def show_dollars(nano: Nano | None) -> str:
    """Print `$10`, `$0.50`, `$1,000`; `unlimited` for None."""
    return UNLIMITED if nano is None else show_exact(nano).removesuffix(".00")


def show_whole(count: int | None) -> str:
    """Print `500`, `1,000`; `unlimited` for None."""
    return UNLIMITED if count is None else f"{count:,}"


def show_seconds(seconds: int | None) -> str:
    """Print `2h`, `1h30m`; `unlimited` for None."""
    if seconds is None:
        return UNLIMITED
    text = ""
    for unit, size in _SPANS[1:]:
        amount, seconds = divmod(seconds, size)
        text += f"{amount}{unit}" if amount else ""
    return text or "0s"


def show_percent(percent: int) -> str:
    """Print `75%`."""
    return f"{percent:,}%"


def show_flag(value: bool) -> str:
    """Print `true`, `false`."""
    return "true" if value else "false"


def show_bounds(cap: Cap) -> str:
    """Print a cap without its window: `$1,000 and 50M tokens`."""
    if cap.unlimited:
        return UNLIMITED
    parts = [show_dollars(cap.nano)] if cap.nano is not None else []
    if cap.tokens is not None:
        parts.append(f"{show_tokens(cap.tokens)} tokens")
    return " and ".join(parts)


def show_cap(cap: Cap) -> str:
    """Print a cap with its window: `$1,000 a month`, `$50`."""
    return UNLIMITED if cap.unlimited else show_bounds(cap) + _PER[cap.window]


def show_price(price: PriceOverride) -> str:
    """Print a price rule: `input $3, output $15 from 2026-01-01`, `15 % off`."""
    kinds = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    parts = [f"{kind} ${rate:f}" for kind in kinds if (rate := getattr(price, kind)) is not None]
    if price.discount_percent is not None:
        parts.append(f"{price.discount_percent:f} % off")
    start = f" from {price.from_date.isoformat()}" if price.from_date else ""
    return (", ".join(parts) or "list price") + start


def _between(value: int, low: int, high: int, shown_low: str, shown_high: str) -> int:
    if value < low and value == 0:
        raise ValueError("it must be more than zero")
    if value < low:
        raise ValueError(f"that is less than {shown_low}")
    if value > high:
        raise ValueError(f"that is more than {shown_high}")
    return value
