"""OpenCode's database, `~/.local/share/opencode/opencode.db`: read while the client runs, without writing to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tabstop.agents.claude_code.responses import Responses
from tabstop.agents.claude_code.rows import LONGEST_ROW, Row, RowError, Skips, ident, parse_row, text
from tabstop.agents.log_files import LogReading
from tabstop.agents.opencode.messages import Messages, Place
from tabstop.usage import Usage

_PATIENCE = 5.0
"""Seconds to wait for a client that is writing."""

_STEPS = 1_000_000
_MOST_STEPS = 50_000
"""Of a million steps of SQLite's machine each; a session takes a few thousand steps. Stops what was made to never end."""

_TABLES = frozenset({"session", "message", "part"})

_WRITTEN = LogReading(problem="its client was writing to it", passing=True)
_ANOTHER = LogReading(problem="a database of another kind, or of a version that is not known")
_DAMAGED = LogReading(problem="a damaged database")
_PROBLEMS = {
    sqlite3.SQLITE_BUSY: LogReading(problem="its client keeps it locked", passing=True),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_ERROR: _ANOTHER,
    sqlite3.SQLITE_INTERRUPT: LogReading(problem="a database whose queries do not end", passing=True),
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
"""By SQLite's primary result codes: https://sqlite.org/rescode.html."""

_PRIMARY = 0xFF
"""Of an extended code, such as SQLITE_BUSY_RECOVERY, the bits of its primary one."""

_SESSIONS = "SELECT id, parent_id, directory, workspace_id FROM session ORDER BY time_created, id"
_MESSAGES = """SELECT id, CASE WHEN length(data) <= :longest THEN data END
FROM message WHERE session_id = :session ORDER BY time_created, id"""
# What other tools gave back is not looked at; only how the vendor named their call, and when they began.
_PARTS = """SELECT CASE WHEN data LIKE '%"step-finish"%' OR data LIKE '%"bash"%' THEN CASE WHEN length(data) <= :longest THEN data END
WHEN json_valid(data) THEN json_object('type', 'tool', 'callID', json_extract(data, '$.callID'),
'state', json_object('time', json_object('start', json_extract(data, '$.state.time.start')))) END
FROM part WHERE message_id = :message
AND (data LIKE '%"step-finish"%' OR data LIKE '%"bash"%' OR data LIKE '%"callID"%') ORDER BY id"""


class _State(NamedTuple):
    """Of the file, and how many bytes there are in its `-wal`. Where it changes, the client wrote."""

    inode: int
    size: int
    changed: int
    wal: int


class OpenCodeDatabase:
    """One database, session by session. A row that cannot be read is told with its session, by its number.

    Where nothing more can be read, a last reading has the `problem`.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._known: dict[str, str] = {}

    def readings(self) -> Iterator[LogReading]:
        """One for each session, those of forks after what they were forked from. Raises `OSError` when it is not there."""
        before = self._state()
        if before.wal:
            yield from self._read("mode=ro")
            return
        # A client that has ended left nothing in a `-wal`. Read so, no file is made beside its database either; but nothing is
        # locked, and a client that begins meanwhile may change pages under the reader. So nothing is told before the end is known.
        found = list(self._read("mode=ro&immutable=1"))
        if found and found[-1].problem and self._state() != before:
            found = list(self._read("mode=ro"))
            if found and found[-1].problem:
                found[-1] = _WRITTEN
        yield from found

    def _state(self) -> _State:
        about = self._path.stat()
        try:
            wal = self._path.with_name(self._path.name + "-wal").stat().st_size
        except FileNotFoundError:
            wal = 0
        return _State(about.st_ino, about.st_size, about.st_mtime_ns, wal)

    def _read(self, how: str) -> Iterator[LogReading]:
        """how: the parameters of SQLite's URI."""
        self._known.clear()
        try:
            with closing(self._open(how)) as database:
                yield from self._sessions(database)
        except sqlite3.Error as error:
            # Errors that Python itself found have none of SQLite's codes and names.
            code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            other = LogReading(problem=f"a database that cannot be read ({name})", passing=True)
            yield _PROBLEMS.get(code, other)

    def _open(self, how: str) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?{how}"
        database = sqlite3.connect(uri, uri=True, timeout=_PATIENCE, isolation_level=None)
        # Others may have put text in there that is none.
        database.text_factory = lambda raw: raw.decode("utf-8", "replace")
        steps = iter(range(_MOST_STEPS))
        database.set_progress_handler(lambda: next(steps, None) is None, _STEPS)
        return database

    def _sessions(self, database: sqlite3.Connection) -> Iterator[LogReading]:
        database.execute("PRAGMA trusted_schema = OFF")
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables >= _TABLES:
            yield _ANOTHER
            return
        branches = _branches(database) if "workspace" in tables else {}
        parents: dict[str, str] = {}
        for session, parent, folder, workspace in database.execute(_SESSIONS):
            name = ident(session)
            if name:
                parents[name] = ident(parent)
                place = Place(text(folder), branches.get(text(workspace), ""))
                yield self._session(database, Messages(name, place), _root(name, parents))

    def _session(self, database: sqlite3.Connection, messages: Messages, root: str) -> LogReading:
        skips, responses, copied_from = Skips(), Responses(), set[str]()
        asked = {"session": messages.session, "longest": LONGEST_ROW}
        for number, (name, data) in enumerate(database.execute(_MESSAGES, asked), start=1):
            try:
                message = _row(data)
                parts = _parts(database, name) if message.get("role") == "assistant" else ()
                for usage in messages.take(text(name), message, parts):
                    origin = self._origin(usage)
                    copied_from.update([origin] if origin else [])
                    responses.add(replace(usage, thread=origin) if origin else usage)
            except (RowError, RecursionError) as error:
                skips.add(number, str(error))
        return LogReading(
            session=root,
            usages=responses.usages(),
            pull_requests=messages.git.pull_requests,
            commits=messages.git.commits,
            copied_from=frozenset(copied_from),
            skipped=tuple(skips.first),
            skip_reasons=dict(skips.reasons),
        )

    def _origin(self, usage: Usage) -> str:
        """The session an answer was copied from by a fork; empty for one met for the first time."""
        met = [self._known.setdefault(key, usage.thread) for key in usage.keys]
        return next((session for session in met if session != usage.thread), "")


def _parts(database: sqlite3.Connection, message: object) -> Iterator[Row]:
    for (data,) in database.execute(_PARTS, {"message": message, "longest": LONGEST_ROW}):
        try:
            yield _row(data)
        except RowError:
            continue  # the message has what it used itself


def _branches(database: sqlite3.Connection) -> dict[str, str]:
    try:
        found = database.execute("SELECT id, branch FROM workspace").fetchall()
    except sqlite3.OperationalError:
        return {}
    return {text(name): text(branch) for name, branch in found}


def _row(data: Any) -> Row:
    if data is None:
        raise RowError("longer than 8 MiB")
    if not isinstance(data, str):
        raise RowError("not JSON")
    return parse_row(data)


def _root(session: str, parents: dict[str, str]) -> str:
    """The session that a subagent's works for."""
    seen = {session}
    while (parent := parents.get(session, "")) and parent not in seen:
        session = parent
        seen.add(parent)
    return session
