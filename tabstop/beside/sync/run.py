"""One pass of `tabstop sync`: what changed in the agents' logs is read, then told to each server somebody is logged in at."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from tabstop.agents.homes import Homes
from tabstop.agents.log_files import READERS, discover
from tabstop.beside.credentials import Credentials
from tabstop.beside.late_reports import bring_along
from tabstop.beside.server import NotAcceptedError, Server, ServerError, UnreachableError
from tabstop.beside.server_access import NO_SERVER, ServerAccess
from tabstop.beside.session_folder import sessions_root
from tabstop.beside.spool import spool_root
from tabstop.beside.sync.queue import Part, Queue
from tabstop.beside.sync.reading import Read, read_changed, remembering
from tabstop.beside.sync.sending import QUIET, Sent, Ways, send
from tabstop.beside.transport import Transport, UrllibTransport
from tabstop.usage import Billing
from tabstop.window import LATE_LIMIT

SPOOL_SECONDS = 30.0


class NobodyToTellError(Exception):
    """No server, or nobody is logged in; the text says what to do."""


class AlreadyRunningError(Exception):
    """Another sync of this user runs."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """agents: whose logs. back: how far; the server takes no more than 35 days. billing: how the tokens are paid, where people say.

    dry: read, and send nothing.
    """

    agents: tuple[str, ...] = tuple(READERS)
    back: timedelta = LATE_LIMIT
    billing: Billing = Billing.UNKNOWN
    dry: bool = False


@dataclass(slots=True)
class Passed:
    """What one pass did at one server.

    elsewhere: calls in repositories of others, which the server is never told of. nowhere: calls where no repository is known.
    waiting: calls that are kept for later. unread: lines of logs that could not be used. problem: why not all was told.
    retry_after: seconds the server asked for.
    """

    server: str
    organizations: tuple[str, ...]
    read: Read
    sent: Sent = field(default_factory=Sent)
    elsewhere: int = 0
    nowhere: int = 0
    waiting: int = 0
    too_late: int = 0
    unread: int = 0
    problem: str = ""
    retry_after: int = 0


def sync(
    environ: Mapping[str, str],
    wanted: Wanted,
    now: datetime,
    sleep: Callable[[float], None],
    transport: Transport | None = None,
) -> list[Passed]:
    """One pass, at each server. Raises `NobodyToTellError`, `AlreadyRunningError`, `OSError`, `sqlite3.Error`."""
    by = transport or UrllibTransport()
    folder = sessions_root(environ).parent / "sync"
    with _alone(folder):
        return [
            _Pass(environ, wanted, now, folder, Server(address, by, sleep), tokens).run()
            for address, tokens in _servers(environ).items()
        ]


class _Pass:
    def __init__(
        self,
        environ: Mapping[str, str],
        wanted: Wanted,
        now: datetime,
        folder: Path,
        server: Server,
        tokens: dict[str, str],
    ) -> None:
        self._environ = environ
        self._wanted = wanted
        self._now = now
        self._folder = folder
        self._server = server
        self._tokens = tokens

    def run(self) -> Passed:
        """Read, then send."""
        queue = Queue(self._folder / f"{hashlib.sha256(self._server.address.encode()).hexdigest()[:16]}.db")
        try:
            since = self._now - min(self._wanted.back, LATE_LIMIT)
            too_late = queue.drop_before(self._now - LATE_LIMIT)
            files = discover(Homes.from_environ(self._environ), self._wanted.agents)
            passed = Passed(
                self._server.address,
                tuple(self._tokens),
                read_changed(files, queue, since, remembering(queue)),
                too_late=too_late,
            )
            try:
                self._learn_organization(passed)
                if not self._wanted.dry:
                    self._tell(queue, passed)
            except ServerError as error:
                passed.problem = _why(self._server.address, error)
                passed.retry_after = error.retry_after if isinstance(error, UnreachableError) else 0
            self._count(queue, passed)
        finally:
            queue.close()
        return passed

    def _learn_organization(self, passed: Passed) -> None:
        """Of the environment's token only the server knows for whose organization it is."""
        if "" in self._tokens:
            token = self._tokens[""]
            self._tokens = {self._server.who_am_i(token=token).organization.lower(): token}
            passed.organizations = tuple(self._tokens)

    def _tell(self, queue: Queue, passed: Passed) -> None:
        quiet = [part for part in queue.open_parts() if _is_quiet(queue, part, self._now)]
        parts = list(dict.fromkeys([*queue.waiting(), *quiet]))
        for organization, token in self._tokens.items():
            ways = Ways(self._server, token, sessions_root(self._environ), self._wanted.billing)
            mine = [part for part in parts if owner_of(part.repository) == organization]
            send(queue, mine, ways, self._now, passed.sent)
            late = bring_along(spool_root(self._environ), self._server, token)
            if late is not None:
                late.join(SPOOL_SECONDS)

    def _count(self, queue: Queue, passed: Passed) -> None:
        for repository, count in queue.unsent():
            if owner_of(repository) in self._tokens or "" in self._tokens:
                passed.waiting += count
            else:
                passed.elsewhere += count
        passed.nowhere, passed.unread = queue.nowhere(), queue.unread()


def owner_of(repository: str) -> str:
    """Whose repository it is, in lower case."""
    return repository.partition("/")[0].lower()


def _is_quiet(queue: Queue, part: Part, now: datetime) -> bool:
    span = queue.span(part)
    return span is not None and now - span[1] >= QUIET


def _why(address: str, error: ServerError) -> str:
    if isinstance(error, NotAcceptedError):
        said = " ".join(one for one in (error.problem.title, error.problem.detail, error.problem.remedy) if one)
        return f"{address} did not take it: {said}"
    return f"{address} could not be asked ({error})."


def _servers(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Servers, each with its tokens by organization in lower case; one whose organization is not known yet under the empty name."""
    access = ServerAccess.from_environ(environ)
    named = environ.get("TABSTOP_SERVER", "").strip().rstrip("/")
    if named == NO_SERVER:
        raise NobodyToTellError(f"TABSTOP_SERVER={NO_SERVER} says that no server is told of anything.")
    if access is None:
        raise NobodyToTellError("Nobody is logged in. `tabstop login --server URL` changes that.")
    if access.problem:
        raise NobodyToTellError(f"{access.problem}.")
    if not access.organization:
        return {access.address: {"": access.token}}
    found: dict[str, dict[str, str]] = {}
    credentials = Credentials.from_environ(environ)
    for one in credentials.logins():
        login = credentials.with_token(one) if named in {"", one.server} else None
        if login is not None:
            found.setdefault(one.server, {})[one.organization.lower()] = login.token
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunningError("Another `tabstop sync` of yours is running; it does the same work.") from error
        yield
    finally:
        os.close(lock)
