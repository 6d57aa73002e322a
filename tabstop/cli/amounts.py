"""Amounts people type: dollars, tokens, counts and lengths of time, each refused with what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from tabstop.policy import notation as n


class Amount(click.ParamType[int | None]):
    """One kind of amount. `unlimited`, written out, is None where a limit may be left away."""

    def __init__(
        self, name: str, pattern: str, read: Callable[[str], int], such_as: str, *, may_be_unlimited: bool
    ) -> None:
        """such_as: examples, as they stand in the sentence that refuses another form."""
        self.name = name
        self._pattern = pattern
        self._read = read
        self._such_as = such_as + (", or `unlimited`" if may_be_unlimited else "")
        self._may_be_unlimited = may_be_unlimited

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Read it, or say what is wrong with it."""
        text = str(value).strip()
        if self._may_be_unlimited and text == n.UNLIMITED:
            return None
        if not re.fullmatch(self._pattern, text):
            self.fail(f"{text!r} is not {self.name}; write {self._such_as}.", param, ctx)
        try:
            return self._read(text)
        except ValueError as error:
            self.fail(f"{text!r}: {error}; write {self._such_as}.", param, ctx)


def _dollars(text: str) -> int:
    return n.read_dollars(text, at_least=1)


def _count(text: str) -> int:
    return n.read_whole(text, 1, n.MOST_COUNT)


def _seconds(text: str) -> int:
    return int(text) if text.isdigit() else n.read_seconds(text, at_least=1)


def _kinds(*, may_be_unlimited: bool) -> tuple[Amount, Amount, Amount, Amount]:
    return (
        Amount("an amount of dollars", n.DOLLARS, _dollars, "`5`, `2.50` or `'$5'`", may_be_unlimited=may_be_unlimited),
        Amount("a number of tokens", n.TOKENS, n.read_tokens, "`500k` or `2M`", may_be_unlimited=may_be_unlimited),
        Amount("a whole number", n.WHOLE, _count, "`50`", may_be_unlimited=may_be_unlimited),
        Amount(
            "a length of time",
            rf"[0-9]{{1,9}}|{n.DURATION}",
            _seconds,
            "`30m`, `90s` or `2h`",
            may_be_unlimited=may_be_unlimited,
        ),
    )


DOLLARS, TOKENS, COUNT, DURATION = _kinds(may_be_unlimited=False)
"""What is added to a limit, or how long something may take."""

COST_LIMIT, TOKEN_LIMIT, COUNT_LIMIT, TIME_LIMIT = _kinds(may_be_unlimited=True)
"""A limit as it is set."""
