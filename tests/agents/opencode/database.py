"""OpenCode's database as the real client left it, built anew from its rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.samples import SAMPLES


def build(path: Path, *statements: str) -> Path:
    """The captured database at `path`, changed by the statements."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.executescript((SAMPLES / "opencode" / "database.sql").read_text(encoding="utf-8"))
        for statement in statements:
            database.executescript(statement)
        database.commit()
    return path
