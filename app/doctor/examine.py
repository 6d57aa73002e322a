"""Examine a server from its own machine: gather what is so, let the checks judge it, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Protocol

from app.doctor import disk, github, reach, slack, work
from app.doctor.diagnosis import Diagnosis, ok, problem, warning
from app.doctor.reach import Answer, NoAnswerError
from app.github_api.protocol import FailedDelivery, GitHubError, RemoteApp
from app.ledger.rows import NO_REPOSITORY
from app.registry import Organization, PolicyFile, Store
from app.secrets_store import SecretKeyError
from app.settings import Settings
from app.slack_api.protocol import Chat, ChatError
from app.store.engine import database_url
from app.store.failure import FAILURES, reason
from app.store.unsealed import Unsealed

MOST_DELIVERIES = 100
DAY = timedelta(days=1)
WEEK = timedelta(days=7)


class AskableApp(Protocol):
    """What is asked of GitHub. Every method raises `GitHubError`."""

    def app(self) -> RemoteApp:
        """The App's own registration."""

    def installations(self) -> Sequence[tuple[int, int, str]]:
        """(installation id, account id, account login)."""

    def hook_url(self) -> str:
        """Where the App's webhooks are sent."""

    def failed_deliveries(self, since: datetime) -> Iterator[FailedDelivery]:
        """Webhooks that failed."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the examination reaches for. Built by the command; tests give fakes.

    credentials: the settings with what `/setup` stored. unsealed: by database URL.
    """

    is_current: Callable[[str], bool]
    open_store: Callable[[str], Store]
    credentials: Callable[[Settings, Store], Settings]
    unsealed: Callable[[str], list[Unsealed]]
    github: Callable[[Settings], AskableApp]
    chat: Callable[[Settings], Chat | None]
    fetch: Callable[[str], Answer]
    mounts: Callable[[], str]
    now: Callable[[], datetime]


def examine(settings: Settings, outside: Outside) -> Iterator[Diagnosis]:
    """Look at everything; what depends on something that does not work is left out."""
    yield ok("settings", "Complete.")
    yield from _disk(settings, outside)
    store = None
    try:
        store, said = _database(settings, outside)
        yield said
    except FAILURES as error:
        yield problem(
            "database",
            f"It cannot be used: {reason(error)}",
            "Check TABSTOP_DATABASE_URL, that the database runs, and that its folder exists and can be written.",
        )
    try:
        yield from _dependent(settings, outside, store)
    finally:
        if store is not None:
            store.close()


def _dependent(settings: Settings, outside: Outside, store: Store | None) -> Iterator[Diagnosis]:
    """What is looked at with the database, if there is one."""
    known: list[Organization] = store.organizations() if store else []
    yield from _github(settings, outside, store, known)
    yield reach.public_url(settings, _fetched(outside, settings.page("/healthz")))
    yield reach.issuer_keys(settings, _fetched(outside, settings.jwks_url))
    wants = slack.Wanted()
    if store is not None:
        files, wants = _policies(store, known)
        yield from work.policies(files)
        yield from work.dead_jobs(store.dead_jobs())
        yield from work.seal(outside.unsealed(settings.database_url), outside.now())
        yield from work.pauses(known)
        yield from work.disputes(_disputed(store, known, outside.now() - WEEK))
    yield from slack.judge(*_who(outside.chat(settings)), wants)
    yield reach.clock(settings, outside.now(), _fetched(outside, settings.github_api_url))


def _disk(settings: Settings, outside: Outside) -> Iterator[Diagnosis]:
    with suppress(*FAILURES):
        url = database_url(settings.database_url)
        if url.drivername == "sqlite" and url.database:
            # The link's target counts: /data may be a link to a volume.
            path = str(Path(url.database).resolve())
            yield disk.judge(path, disk.mount_of(path, outside.mounts()))


def _database(settings: Settings, outside: Outside) -> tuple[Store | None, Diagnosis]:
    kind = database_url(settings.database_url).drivername.partition("+")[0]
    if kind == "sqlite" and not Path(database_url(settings.database_url).database or "").exists():
        return None, problem(
            "database", "The file does not exist yet.", "Start `serve`, or run `migrate`: they make it."
        )
    if not outside.is_current(settings.database_url):
        return None, problem(
            "database",
            f"{kind} answers, but its tables are not those of this version.",
            "Run `python -m app.cli migrate`.",
        )
    store = outside.open_store(settings.database_url)
    store.ping()
    return store, ok("database", f"{kind} answers, and its tables are up to date.")


def _github(
    settings: Settings, outside: Outside, store: Store | None, known: Sequence[Organization]
) -> Iterator[Diagnosis]:
    try:
        found = outside.credentials(settings, store) if store else settings
    except SecretKeyError as error:
        yield problem("GitHub App", str(error), "See above; without either, register a new App at /setup.")
        return
    if not found.github_app_id or not found.github_private_key:
        if store is not None:  # without a database nobody knows whether there are any
            yield github.no_credentials(settings)
        return
    if not found.github_webhook_secret:
        yield problem(
            "webhook secret",
            "There is none, so every webhook is refused.",
            "Set TABSTOP_GITHUB_WEBHOOK_SECRET to the “Webhook secret” of the App's settings on GitHub.",
        )
    try:
        app = outside.github(found)
        yield from github.app_answers(found, app.app())
        yield from github.installations(app.installations(), known)
        yield github.hook(found, app.hook_url())
        failed = list(islice(app.failed_deliveries(outside.now() - DAY), MOST_DELIVERIES + 1))
        yield github.deliveries(failed[:MOST_DELIVERIES], more=len(failed) > MOST_DELIVERIES)
    except (GitHubError, OSError) as error:  # a key in a file that is not there is an OSError
        yield github.refused(found, error)


def _policies(store: Store, known: Sequence[Organization]) -> tuple[list[tuple[str, PolicyFile]], slack.Wanted]:
    """The newest read of every policy file by the name of its repository; what those in force want of Slack."""
    files: list[tuple[str, PolicyFile]] = []
    wants = slack.Wanted()
    for organization in known:
        if not organization.active:
            continue
        with store.look(organization.id) as books:
            places: list[tuple[str, int | None]] = [(f"{organization.login} (organization)", None)]
            places += [(r.full_name, r.id) for r in books.repositories() if r.active]
            for name, repository_id in places:
                file = books.policy_file(repository_id)
                if file is not None:
                    files.append((name, file))
            in_force = [books.policy_in_force(r).policy.slack for _, r in places if r is not None]
            wants += slack.wanted(books, books.policy_in_force(NO_REPOSITORY).policy.slack, in_force)
    return files, wants


def _disputed(store: Store, known: Sequence[Organization], since: datetime) -> dict[str, int]:
    """By session, its calls of which reports contradict each other."""
    found: dict[str, int] = {}
    for organization in known:
        with store.look(organization.id) as books:
            found |= books.disputed_calls(since)
    return found


def _who(chat: Chat | None) -> tuple[str | ChatError | None, frozenset[str] | None]:
    """Whose token it is, or what is wrong with it; what it may do."""
    if chat is None:
        return None, None
    try:
        return chat.who(), chat.scopes()
    except ChatError as error:
        return error, None


def _fetched(outside: Outside, url: str) -> Answer | NoAnswerError:
    try:
        return outside.fetch(url)
    except NoAnswerError as error:
        return error


def misset(problems: Sequence[str]) -> list[Diagnosis]:
    """What is wrong with the settings; nothing else can be looked at then."""
    return [
        *(problem("settings", said, "Set it in the environment of `serve` and of this command.") for said in problems),
        warning("everything else", "Not looked at.", "Run `doctor` again when the settings are complete."),
    ]
