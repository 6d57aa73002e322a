"""Backup of a running database into one file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL

from app.store.engine import database_url


class BackupError(Exception):
    """No backup was made; the text says why and what to do."""


def backup(url: str, file: Path) -> str:
    """Copy the database to a file that is not there yet, while it is in use; answers how to restore it.

    Raises `BackupError`.
    """
    if file.exists():
        raise BackupError(f"{file} exists already; name another file, so that no backup is lost.")
    if not file.parent.is_dir():
        raise BackupError(f"There is no folder {file.parent}; make it first.")
    parsed = database_url(url)
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)  # of a backup that was cut off
    # The books hold names and spend, so the copy is its owner's only, from the first byte on.
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        part.touch(mode=0o600)  # the books name people and what they spend
        if parsed.drivername == "sqlite":
            _copy(Path(str(parsed.database)), part)
            how = f"Stop the server and copy {file} to {parsed.database}; remove {parsed.database}-wal and -shm."
        else:
            _dump(parsed, part)
            how = f"Create an empty database and run: pg_restore --no-owner --dbname URL {file}"
        _sync(part)
        part.rename(file)
        _sync(file.parent)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{file} could not be written: {error}. The database is as it was.") from error
    finally:
        part.unlink(missing_ok=True)
    return how


def _copy(database: Path, to: Path) -> None:
    """SQLite's own online backup: one consistent state, writers go on."""
    if not database.exists():
        raise BackupError(f"There is no database at {database}; look at TABSTOP_DATABASE_URL.")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source, closing(sqlite3.connect(to)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, whole in itself
        found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise BackupError(f"The copy is damaged, and so may the database be: {found}. Check {database} and its disk.")


def _sync(path: Path) -> None:
    """Until this, a power cut could leave a name without its bytes."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _dump(url: URL, to: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupError(
            "pg_dump is not installed here. Install PostgreSQL's client programs (package `postgresql-client`), of the "
            "server's version or newer, or run pg_dump where they are; your provider's snapshots are a backup too."
        )
    plain = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    secret = {} if url.password is None else {"PGPASSWORD": str(url.password)}  # other users see arguments
    done = subprocess.run(  # noqa: S603 - a program found on the path, arguments of our own
        [program, "--format=custom", "--no-owner", f"--file={to}", f"--dbname={plain}"],
        env={**os.environ, **secret},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BackupError(f"pg_dump failed: {done.stderr.strip()[-800:]}")
