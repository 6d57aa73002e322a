"""What any database raises when it cannot be used, for callers who do not know the library."""

from __future__ import annotations

from sqlalchemy import exc

from app.store.engine import DatabaseUrlError

FAILURES = (exc.SQLAlchemyError, DatabaseUrlError)
"""To be caught: cannot connect, locked for too long, tables missing, disk full, a URL that names nothing."""

AWAY = (exc.OperationalError, exc.InterfaceError, exc.DisconnectionError, exc.TimeoutError, DatabaseUrlError)
"""Those of them that may be gone when it is tried again: no connection, locked, full. Any other comes from what was asked, and stays."""


def reason(failure: Exception) -> str:
    """The database's own words, one line, without SQL or parameters."""
    told = str(getattr(failure, "orig", None) or failure).strip()
    return told.splitlines()[0] if told else type(failure).__name__
