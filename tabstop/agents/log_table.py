"""Log table: a log file's reading with its calls in columns; what `tabstop cost` keeps of a file."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tabstop.agents.call_table import CallTable, table_of
from tabstop.agents.claude_code.rows import SkippedRow
from tabstop.agents.claude_code.transcript import Checkpoint
from tabstop.agents.log_files import LogReading
from tabstop.evidence import CommitMade, PullRequestLink


class LogTable(msgspec.Struct, frozen=True, array_like=True):
    """See `LogReading`: the same fields, with a call table in place of the usages, and where to go on.

    lines, size: whole lines and bytes read, from the file's beginning; 0 where a reader cannot go on from there.
    branch, latest: the last one and the latest time in the file, for rows that tell none.
    """

    session: str = ""
    calls: CallTable = CallTable()
    pull_requests: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()
    copied_from: tuple[str, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    skipped: tuple[SkippedRow, ...] = ()
    skip_reasons: dict[str, int] = {}
    lines: int = 0
    size: int = 0
    branch: str = ""
    latest: datetime | None = None


def log_table(reading: LogReading) -> LogTable:
    """The same in columns."""
    return LogTable(
        session=reading.session,
        calls=table_of(reading.usages),
        pull_requests=reading.pull_requests,
        commits=reading.commits,
        copied_from=tuple(sorted(reading.copied_from)),
        checkpoints=reading.checkpoints,
        skipped=reading.skipped,
        skip_reasons=dict(reading.skip_reasons),
    )
