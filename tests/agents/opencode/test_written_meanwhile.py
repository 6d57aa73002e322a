"""OpenCode's database while its client begins, writes or ends: read again, and never called damaged; and what SQLite says."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tabstop.agents.log_files import LogReading
from tabstop.agents.opencode.database import OpenCodeDatabase
from tests.agents.opencode.database import build
from tests.agents.opencode.test_logs import NEW, readings


class _Meanwhile(OpenCodeDatabase):
    """A client that has done something by the time the reader meets what it takes for damage, the first time."""

    def __init__(self, path: Path, does: Callable[[], object]) -> None:
        super().__init__(path)
        self._todo = [does]

    def _sessions(self, database: sqlite3.Connection) -> Iterator[LogReading]:
        try:
            yield from super()._sessions(database)
        except sqlite3.DatabaseError:
            while self._todo:
                self._todo.pop()()
            raise


def _torn(path: Path) -> None:
    """Its last page is being written: some sessions can be read, and not all."""
    with path.open("r+b") as database:
        database.seek(-4_096, os.SEEK_END)
        database.write(b"\xff" * 4_096)


def test_a_client_that_began_while_its_database_was_read(tmp_path: Path) -> None:
    """What the reader met between two of its writes is no damage: read again, each session is told once."""
    path = build(tmp_path / "opencode.db", "PRAGMA journal_mode = WAL;")
    whole = path.read_bytes()
    expected = readings(path)
    _torn(path)
    assert [one.problem for one in readings(path)] == ["", "", "a damaged database"]
    with closing(sqlite3.connect(tmp_path / "copy.db")) as client:  # whose `-wal` is there while it is open
        (tmp_path / "copy.db").write_bytes(whole)
        client.executescript(NEW)
        wal = (tmp_path / "copy.db-wal").read_bytes()

    def ends() -> None:
        path.write_bytes(whole)

    def begins() -> None:
        ends()
        path.with_name("opencode.db-wal").write_bytes(wal)

    assert list(_Meanwhile(path, ends).readings()) == expected
    _torn(path)
    found = list(_Meanwhile(path, begins).readings())
    assert [one.session for one in found] == [*(one.session for one in expected), "ses_new"]


def test_a_client_that_goes_on_writing(tmp_path: Path) -> None:
    """Has a problem that another time may not have: nothing is said of damage."""
    path = build(tmp_path / "opencode.db")
    _torn(path)
    found = list(_Meanwhile(path, lambda: os.utime(path, (1, 1))).readings())
    assert [one for one in found if one.problem] == [LogReading(problem="its client was writing to it", passing=True)]


class _Refused(OpenCodeDatabase):
    """What SQLite says, by its code."""

    def __init__(self, path: Path, code: int | None) -> None:
        super().__init__(path)
        self._code = code

    def _open(self, how: str) -> sqlite3.Connection:
        error = sqlite3.OperationalError(how)
        if self._code is not None:
            error.sqlite_errorcode, error.sqlite_errorname = self._code, "SQLITE_OF_A_KIND"
        raise error


@pytest.mark.parametrize(
    ("code", "problem", "passing"),
    [
        (sqlite3.SQLITE_BUSY_RECOVERY, "its client keeps it locked", True),
        (sqlite3.SQLITE_CORRUPT_INDEX, "a damaged database", False),
        (sqlite3.SQLITE_IOERR_READ, "a database that cannot be read (SQLITE_OF_A_KIND)", True),
        (None, "a database that cannot be read (OperationalError)", True),
    ],
)
def test_what_sqlite_says_more_exactly(code: int | None, problem: str, passing: bool, tmp_path: Path) -> None:
    """Is told by the kind it is of; what is of no kind that is known may pass."""
    path = build(tmp_path / "opencode.db")
    assert list(_Refused(path, code).readings()) == [LogReading(problem=problem, passing=passing)]
