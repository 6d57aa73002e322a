"""The execution file: what a run printed (`--output-format json` or `stream-json`), as claude-code-action leaves it.

It gives an aggregate of one run, never calls: the stream's `assistant` events carry the output count of the first
moment, repeat per content block, and leave a subagent's last answer out. Rules, seen in Claude Code 2.1.330:
`modelUsage` is cumulative over `--resume` and `--fork-session`; `model_usage_since_last_result` is what is new; a
background subagent gives a second `result` event with the same total and nothing new.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tabstop.agents.claude_code.client_count import Counts, client_totals, larger, read_counts, since
from tabstop.agents.claude_code.folder import SessionsFound
from tabstop.agents.claude_code.rate_limits import readings_of_rate_limits
from tabstop.agents.claude_code.rows import Row, RowError, ident, mapping, text
from tabstop.gauge import GaugeReading
from tabstop.wire import ClientTotal

LONGEST_FILE = 256 * 1024 * 1024
"""Bytes; a file beyond this is not read."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How one `result` event says its turn ended; texts as the client spells them, empty when absent.

    api_status: the HTTP status of the API's last error. The client's error text is not read: it may quote the work.
    """

    subtype: str = ""
    terminal_reason: str = ""
    is_error: bool = False
    turns: int = 0
    local_command: str = ""
    api_status: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """One run, as far as its output tells.

    session: the client's session id. endings: one per `result` event, in order; none when it was killed.
    this_run: what this run used, by model; None when the client does not tell it apart from what came before.
    cumulative: what the client counts for the session, earlier runs included.
    api_key_source, model, version: from the event it began with. provider: who served it, as the client says.
    rate_limited: whether it told of a plan's windows. gauges: of each the last reading, as of when the file was last written.
    complete: False when the file ends in the middle or part of it could not be read.
    """

    session: str = ""
    endings: tuple[Ending, ...] = ()
    this_run: Counts | None = None
    cumulative: Counts | None = None
    api_key_source: str = ""
    provider: str = ""
    rate_limited: bool = False
    gauges: tuple[GaugeReading, ...] = ()
    model: str = ""
    version: str = ""
    complete: bool = True


def read_execution_file(path: Path, *, longest: int = LONGEST_FILE) -> ExecutionResult | None:
    """Read a JSON array of events, one event a line, or a single `result`; cut off or not. Never raises.

    None when there is no such plain file, it cannot be read, is longer than `longest` bytes, or nothing in it is an event.
    """
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return None
        with path.open("rb") as stream:
            raw = stream.read(longest + 1)
            written = datetime.fromtimestamp(os.fstat(stream.fileno()).st_mtime, UTC)
    except OSError:
        return None
    if len(raw) > longest:
        return None
    reading = _Reading(written)
    for event in _events(raw.decode("utf-8-sig", errors="replace")):
        if event is None:
            reading.complete = False
        else:
            reading.take(event)
    return reading.result() if reading.events else None


def totals_of(found: SessionsFound, execution: ExecutionResult | None) -> tuple[ClientTotal, ...]:
    """The client's totals of this job: per session the larger of what its transcript and the last run's output say.

    Without a transcript and without a delta the cumulative count stands in: a fresh machine has nothing before it.
    """
    counts: dict[str, Counts] = {one.session: one.counts for one in found.sessions if one.counts is not None}
    if execution is not None and execution.session:
        known = counts.get(execution.session)
        told = execution.this_run
        if told is None and known is None:
            told = execution.cumulative
        counts[execution.session] = larger(known or {}, told or {})
    return tuple(total for session, one in sorted(counts.items()) for total in client_totals(session, one))


class _Reading:
    def __init__(self, written: datetime) -> None:
        self.events = 0
        self.complete = True
        self._session = self._source = self._provider = self._model = self._version = ""
        self._rate_limited = False
        self._written = written
        self._gauges: dict[str, GaugeReading] = {}
        self._endings: list[Ending] = []
        self._before: Counts | None = None
        self._cumulative: Counts | None = None

    def take(self, event: Row) -> None:
        kind = event.get("type")
        if not isinstance(kind, str):
            return
        self.events += 1
        self._session = self._session or ident(event.get("session_id"))
        if kind == "system" and event.get("subtype") == "init":
            self._source = text(event.get("apiKeySource"), 100)
            self._model = ident(event.get("model"))
            self._version = ident(event.get("claude_code_version"))
        elif kind == "rate_limit_event":
            self._rate_limited = True
            self._gauges |= readings_of_rate_limits(event.get("rate_limit_info"), self._written)
        elif kind == "result":
            self._result(event)

    def _result(self, event: Row) -> None:
        turns = event.get("num_turns")
        self._endings.append(
            Ending(
                subtype=text(event.get("subtype"), 100),
                terminal_reason=text(event.get("terminal_reason"), 100),
                is_error=event.get("is_error") is True,
                turns=turns if isinstance(turns, int) else 0,
                local_command=text(event.get("local_command"), 100),
                api_status=status if isinstance(status := event.get("api_error_status"), int) else None,
            )
        )
        usage = mapping(event.get("modelUsage"))
        for one in usage.values():
            self._provider = text(mapping(one).get("provider"), 100) or self._provider
        try:
            total = read_counts(usage)
            if self._before is None and isinstance(event.get("model_usage_since_last_result"), dict):
                new = read_counts(event["model_usage_since_last_result"])
                # With the first result this is the whole run so far; what the total has besides was there before.
                if len(self._endings) == 1:
                    self._before = since(total, new)
            self._cumulative = total if self._cumulative is None else larger(self._cumulative, total)
        except RowError:
            self.complete = False

    def result(self) -> ExecutionResult:
        this_run = None
        if self._before is not None and self._cumulative is not None:
            this_run = since(self._cumulative, self._before)
        return ExecutionResult(
            session=self._session,
            endings=tuple(self._endings),
            this_run=this_run,
            cumulative=self._cumulative,
            api_key_source=self._source,
            provider=self._provider,
            rate_limited=self._rate_limited,
            gauges=tuple(self._gauges.values()),
            model=self._model,
            version=self._version,
            complete=self.complete,
        )


_DECODER = json.JSONDecoder()
_BETWEEN = " \t\r\n,[]"


def _events(content: str) -> Iterator[Row | None]:
    """The JSON objects of an array, of lines, or alone; None for a stretch that cannot be read.

    An array is read element by element, so that what stands before a cut is not lost. Past a broken line the next one
    is tried, but only where objects stand one a line: inside an indented array every line looks like a beginning.
    """
    by_line = not content.lstrip().startswith("[")
    at, end = 0, len(content)
    while at < end:
        if content[at] in _BETWEEN:
            at += 1
            continue
        try:
            value, at = _DECODER.raw_decode(content, at)
        except (ValueError, RecursionError):
            yield None
            line_end = content.find("\n", at)
            if not by_line or line_end < 0:
                return
            at = line_end + 1
            continue
        if isinstance(value, dict):
            yield value
