"""What `codex exec --json` printed: events, of which the end of each turn tells the thread's count so far. It names no model and no time.

The count is the thread's, not the run's: a run that resumed or forked one begins where that stood (49,060 tokens, then 57,070).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from tabstop.agents.claude_code.rows import RowError, SkippedRow, Skips, ident, rows_of
from tabstop.agents.codex.rollout_rows import read_tokens
from tabstop.usage import Tokens


@dataclass(frozen=True, slots=True)
class ExecStream:
    """One run. counts: the thread's count at the end of each of its turns, oldest first."""

    thread: str = ""
    counts: tuple[Tokens, ...] = ()
    skipped: tuple[SkippedRow, ...] = ()

    def used(self, before: Tokens | None = None) -> tuple[Tokens, ...]:
        """What each turn used. before: the thread's count when the run began; without it the first turn's is the whole count."""
        steps = pairwise((before or Tokens(), *self.counts))
        return tuple((after - earlier).at_least_zero() for earlier, after in steps)


def read_exec_stream(lines: Iterable[bytes | None]) -> ExecStream:
    """Read the lines (None for one too long, as `rows.lines_of` gives them). Never raises for their content."""
    skips, thread, counts = Skips(), "", list[Tokens]()
    for number, row in rows_of(lines, skips):
        kind, used = row.get("type"), row.get("usage")
        if kind == "thread.started":
            thread = ident(row.get("thread_id")) or thread
        elif kind == "turn.completed" and isinstance(used, dict):
            try:
                counts.append(read_tokens(used))
            except RowError as error:
                skips.add(number, str(error))
    return ExecStream(thread, tuple(counts), tuple(skips.first))
