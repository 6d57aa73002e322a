"""The report: what `tabstop cost` found, whatever it is shown as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from tabstop.report.by import By
from tabstop.report.tally import Row, Sum

AGENTS = {"claude-code": "Claude Code", "codex": "Codex", "gemini-cli": "Gemini CLI", "opencode": "OpenCode"}
"""What people call the agents."""


class Report(msgspec.Struct, frozen=True):
    """What was found.

    since: nothing before it counts; None for everything; since_words: the same for people. timezone: its name, for days. unpriced: calls without a price, by model.
    files: log files there are; skipped: their lines that could not be used; skipped_lines: the first fifty of
    each file (path, number from 1, reason; 0 for a call that was left out, whatever lines tell it); unread: files that could not be read, or not to their end (path, reason).
    notes: what people should know of how it was made. unplaced: what of the total is on no pull request and no branch.
    """

    by: By
    rows: Sequence[Row]
    total: Sum
    made_at: datetime
    timezone: str
    since: datetime | None = None
    since_words: str = ""
    paths: Sequence[str] = ()
    unpriced: Mapping[str, int] = {}
    files: int = 0
    skipped: int = 0
    skipped_lines: Sequence[tuple[str, int, str]] = ()
    unread: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    unplaced: Sum = msgspec.field(default_factory=Sum)


class Charts(msgspec.Struct, frozen=True):
    """The same calls by other measures. days: by agent, each by day."""

    days: Mapping[str, Sequence[Row]]
    models: Sequence[Row]
    agents: Sequence[Row]


def clean(text: str) -> str:
    """A name from outside, safe to print: what no one sees or what turns text around becomes `\N{REPLACEMENT CHARACTER}`."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
