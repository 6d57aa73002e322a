"""Bring a database to the newest revision. Alembic, configured here: there is no ini file to keep in step."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from app.store.engine import Database

SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(url: str) -> None:
    """Create or upgrade the tables; doing it again changes nothing. Two that start at once do it one after the other."""
    database = Database(url)
    try:
        with database.writing() as db:
            if not database.is_sqlite:
                db.exec_driver_sql("SELECT pg_advisory_xact_lock(7217867)")
            command.upgrade(_config(db), "head")
    finally:
        database.close()


def is_current(url: str) -> bool:
    """Whether the database is at the newest revision."""
    database = Database(url)
    try:
        with database.reading() as db:
            found = MigrationContext.configure(db).get_current_revision()
    finally:
        database.close()
    return found == ScriptDirectory(str(SCRIPTS)).get_current_head()


def _config(db: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = db
    return config
