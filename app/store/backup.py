"""Backup: a whole, checked copy of SQLite's file while the server runs. PostgreSQL has a tool of its own for that."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from app.store.engine import database_url


class BackupError(Exception):
    """No backup was made; the message says why and what to do."""


def back_up(url: str, target: Path) -> int:
    """Copy the database of this URL to `target`, which must not exist; answers its size in bytes. Raises `BackupError`.

    One read transaction sees one state (SQLite's online backup, sqlite.org/backup.html); with the write-ahead log,
    writers go on meanwhile. The copy appears under its name only when it is whole and has been checked.
    """
    parsed = database_url(url)
    if parsed.drivername != "sqlite":
        raise BackupError(
            "PostgreSQL is backed up by its own tool: pg_dump --format=custom "
            f"--file={target} {parsed.set(drivername='postgresql').render_as_string()} (with the password, or PGPASSWORD)."
        )
    source = Path(parsed.database or "")
    if not source.exists():
        raise BackupError(f"There is no database at {source.resolve()}: check TABSTOP_DATABASE_URL.")
    if target.exists():
        raise BackupError(f"{target} exists and is left as it is: choose another name.")
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)  # of a backup that was cut off
        _copy(source, part)
        part.rename(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise BackupError(f"{target} could not be written: {error}. The database is as it was.") from error
    return target.stat().st_size


def _copy(source: Path, part: Path) -> None:
    # The books hold names and spend, so the copy is its owner's only, from the first byte on.
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(part)) as copy:
        live.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file; the server turns the log on again
        found = [row[0] for row in copy.execute("PRAGMA integrity_check")]
    if found != ["ok"]:
        raise BackupError(
            f"The copy fails SQLite's own check, so the database itself is damaged: {found[0]}. Restore an earlier backup."
        )
    _sync(part)


def _sync(path: Path) -> None:
    """Until this, a power cut could leave a name without its bytes."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
