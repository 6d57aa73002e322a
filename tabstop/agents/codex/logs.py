"""Codex's rollouts as log files: `sessions/**/rollout-*.jsonl`, those in `archived_sessions`, and packed ones of both."""

from __future__ import annotations

from collections.abc import Iterator

from tabstop.agents.claude_code.responses import Responses
from tabstop.agents.claude_code.rows import RowError, Skips, rows_of
from tabstop.agents.codex.packed import lines
from tabstop.agents.codex.rollout_rows import AGENT, RolloutRows
from tabstop.agents.homes import Homes
from tabstop.agents.log_files import LogFile, LogReading, files_below

COPIED = "a count of the session this one was forked from; it counts there"


def discover(homes: Homes) -> Iterator[LogFile]:
    """Every rollout, archived ones too."""
    for home in homes.codex:
        for folder in ("sessions", "archived_sessions"):
            yield from files_below(AGENT, home / folder, _is_rollout)


def _is_rollout(name: str) -> bool:
    return name.startswith("rollout-") and name.endswith((".jsonl", ".jsonl.zst"))


def read(file: LogFile) -> tuple[LogReading]:
    """One rollout. Raises `OSError`."""
    rows, skips, responses = RolloutRows(), Skips(), Responses()
    for number, row in rows_of(lines(file.path, skips), skips):
        try:
            usage = rows.take(row)
        except (RowError, RecursionError) as error:
            skips.add(number, str(error))
            continue
        if usage is not None:
            responses.add(usage)
    if rows.copied:
        skips.reasons[COPIED] = rows.copied
    reading = LogReading(
        session=rows.session,
        usages=responses.usages(),
        pull_requests=rows.git.pull_requests,
        commits=rows.git.commits,
        gauges=tuple(rows.gauges.values()),
        copied_from=frozenset(rows.copied_from),
        skipped=tuple(skips.first),
        skip_reasons=dict(skips.reasons),
    )
    return (reading,)
