"""How counts, shares, spans and lists are printed for people, in one place so that every surface says them alike."""

from __future__ import annotations

from collections.abc import Sequence

_STEPS = ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k"))


def tokens(count: int) -> str:
    """Print a count of tokens short: `950`, `12.3k`, `10M`."""
    for size, letter in _STEPS:
        if abs(count) >= size:
            return f"{count / size:.1f}".removesuffix(".0") + letter
    return str(count)


def span(seconds: int) -> str:
    """Print a length of time: `45 s`, `12 min`, `2 h`, `1 h 30 min`."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def exact_span(seconds: int) -> str:
    """Print a length of time to the second, beside another that `span` may print alike: `1 min 5 s`, `2 h`, `1 h 30 min`."""
    rest = seconds % 60
    if seconds < 60 or not rest:
        return span(seconds)
    return f"{span(seconds - rest)} {rest} s"


def percent(part: int, whole: int) -> int:
    """The share in whole percent, rounded down, so that 99.9 % is not shown as full. 100 for a part of nothing."""
    if whole <= 0:
        return 100 if part > 0 else 0
    return part * 100 // whole


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`, `22nd`."""
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 call`, `3 calls`, `2 retries`."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; empty for none. last: the word before the last one."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
