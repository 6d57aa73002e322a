"""Opening: settings and database for a command, one organization by its login; what is wrong becomes a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from app.registry import Organization, PullRequest, Repository, Store, Transaction
from app.settings import Settings, SettingsError
from app.store.engine import database_url
from app.store.failure import FAILURES, reason
from app.store.migrate import is_current
from app.store.open import open_store

FIRST_TRY = (
    "\n\nFor a first try on this machine, make a key, keep it, and run the command again:\n"
    "  export TABSTOP_SECRET_KEY=$(openssl rand -hex 32)"
)

LONGEST_NUMBER = 9
"""Digits of a pull request's number: far beyond any repository's, and every database holds it."""


class OperatorError(click.ClickException):
    """Something a person can mend; printed as `Error: …`, exit code 1."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a command works with."""

    settings: Settings
    store: Store
    now: Callable[[], datetime]

    def organizations(self, login: str | None) -> list[Organization]:
        """The one of this login, or all. Raises `OperatorError`."""
        return self.store.organizations() if login is None else [self.organization(login)]

    def organization(self, login: str) -> Organization:
        """By login, case ignored. Raises `OperatorError` with those there are."""
        known = self.store.organizations()
        found = next((o for o in known if o.login.lower() == login.lower()), None)
        if found is not None:
            return found
        if not known:
            raise OperatorError(
                f"There is no organization {login} yet: the App is not installed anywhere, or GitHub's event about it "
                "has not arrived. `doctor` says which."
            )
        raise OperatorError(f"There is no organization {login}. Known: {', '.join(o.login for o in known)}.")


def environment() -> Settings:
    """The settings. Raises `OperatorError` with everything that is missing or wrong, and what to run."""
    try:
        return Settings.from_environ(os.environ)
    except SettingsError as error:
        first_try = "" if os.environ.get("TABSTOP_SECRET_KEY", "").strip() else FIRST_TRY
        raise OperatorError(f"{error}{first_try}") from error


@contextmanager
def opened() -> Iterator[Opened]:
    """Settings and an open, migrated database. Raises `OperatorError`."""
    settings = environment()
    with explained():
        _must_exist(settings.database_url)
        if not is_current(settings.database_url):
            raise OperatorError(
                "The database's tables are not those of this version. Run `python -m app.cli migrate`, "
                "or start `serve`, which does it. Nothing was changed."
            )
        with closing(open_store(settings.database_url)) as store:
            yield Opened(settings, store, lambda: datetime.now(UTC))


def _must_exist(url: str) -> None:
    """SQLite makes a file by looking for it, so that a mistyped path would go unnoticed."""
    parsed = database_url(url)
    if parsed.drivername == "sqlite" and not Path(parsed.database or "").exists():
        raise OperatorError(
            f"There is no database at {Path(parsed.database or '').resolve()} yet. Check TABSTOP_DATABASE_URL, "
            "or run `python -m app.cli migrate`, or start `serve`: they make it."
        )


@contextmanager
def explained() -> Iterator[None]:
    """Turn the database's errors into a sentence. What a transaction had begun is undone by then."""
    try:
        yield
    except FAILURES as error:
        raise OperatorError(
            f"The database cannot be used: {reason(error)}\n"
            "Check TABSTOP_DATABASE_URL, and that the server or the file's folder is there and can be written. "
            "Nothing was changed. If it said `locked`, another process writes for long: try again."
        ) from error


def repository_named(books: Transaction, organization: Organization, name: str) -> Repository:
    """By full name, or by the name within the organization. Raises `OperatorError` with those there are."""
    full = name if "/" in name else f"{organization.login}/{name}"
    found = books.repository_by_name(full)
    if found is not None:
        return found
    names = [r.full_name.partition("/")[2] for r in books.repositories()]
    known = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    raise OperatorError(f"{organization.login} has no repository {full}. Known: {known or 'none'}.")


def pull_request_numbered(books: Transaction, repository: Repository, written: str) -> PullRequest:
    """The one of this number. Raises `OperatorError`, also for what is no number or longer than any that GitHub gives."""
    is_number = written.isascii() and written.isdecimal() and len(written) <= LONGEST_NUMBER
    found = books.pull_request(repository.id, int(written)) if is_number else None
    if found is None:
        raise OperatorError(f"{repository.full_name} has no pull request #{written} that Tabstop knows of.")
    return found
