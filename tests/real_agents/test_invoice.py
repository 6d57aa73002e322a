"""What is counted as a call after the limit."""

from __future__ import annotations

import pytest

from tabstop.usage import Tokens
from tests.real_agents.invoice import Account, Limit, Line, account


def line(began: float, ended: float, *, asks: bool = True) -> Line:
    """A call of 110,000 tokens for $0.45."""
    return Line(began, ended, "claude-sonnet-4-5", Tokens(input=100_000, output=10_000), asks)


THREE = (line(0, 1), line(2, 3), line(4, 5))


@pytest.mark.parametrize(
    ("limit", "text", "lines", "expected"),
    [
        (Limit.TOKENS, "220k", THREE, Account(1, "330k", over=True)),
        (Limit.TOKENS, "330k", THREE, Account(0, "330k")),
        (Limit.TOKENS, "1M", THREE, Account(0, "330k")),
        (Limit.ITERATIONS, "1", THREE, Account(2, "3", over=True)),
        (Limit.TOOL_CALLS, "2", (*THREE, line(6, 7, asks=False)), Account(2, "3", over=True)),
        (Limit.COST, "$0.90", THREE, Account(1, "$1.35", over=True)),
        (Limit.WALL_CLOCK, "3s", THREE, Account(1, "5s", over=True)),
        (Limit.COST, "$1", (), Account(0, "$0.00")),
    ],
)
def test_a_call_is_after_the_limit_when_it_began_later(
    limit: Limit, text: str, lines: tuple[Line, ...], expected: Account
) -> None:
    """The answer that reaches a limit is not after it, whatever it uses."""
    assert account(lines, limit, text, began=0.0) == expected


def test_a_call_that_was_under_way_is_not_after_the_limit() -> None:
    """Of agents that run at once, each has one call under way when another one's answer reaches the limit."""
    assert account((line(0, 3), line(2, 4)), Limit.ITERATIONS, "1", began=0.0).after == 0
