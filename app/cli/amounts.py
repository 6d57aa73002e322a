"""Amounts and times as operators write them, in the notation of the policy: `$20`, `5M`, `24h`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from tabstop.money import dollars
from tabstop.policy.notation import DURATION, TOKENS, read_seconds, read_tokens


class Time(click.ParamType[datetime]):
    """A moment: ISO 8601; without a zone it is UTC, as everything operators read is."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it, or fail with an example."""
        if isinstance(value, datetime):
            return value
        try:
            return read_time(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; write for example 2026-11-21T14:30 (UTC)", param, ctx)


def read_time(text: str) -> datetime:
    """ISO 8601, UTC where no zone is named. Raises `ValueError`."""
    at = datetime.fromisoformat(text.strip())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


class Written(click.ParamType[int]):
    """A value people write; what is wrong with it is said in their words."""

    def __init__(self, name: str, pattern: str, read: Callable[[str], int], example: str) -> None:
        """Take what matches, as `read` reads it."""
        self.name = name
        self._pattern = re.compile(pattern)
        self._read = read
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it, or fail with an example."""
        if isinstance(value, int):
            return value
        text = str(value).strip()
        try:
            if not self._pattern.fullmatch(text):
                raise ValueError("that cannot be read")  # noqa: TRY301 - one place says what was wrong
            return self._read(text)
        except ValueError as error:
            self.fail(f"{text!r}: {error}; write for example {self._example}", param, ctx)


DOLLARS = Written("dollars", r".*", dollars, "'$20' or 2.50")
COUNT = Written("tokens", TOKENS, read_tokens, "5M or 250,000")
SPAN = Written("time", DURATION, read_seconds, "24h, 90m or 2d")
TIME = Time()
