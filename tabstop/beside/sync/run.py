"""One pass of `tabstop sync`: what changed in the agents' logs is read, then told to each server somebody is logged in at."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tabstop.agents.homes import Homes
from tabstop.agents.log_files import READERS, discover
from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.fork import owner_of
from tabstop.beside.gauge_file import keep_gauges, machine_gauges, read_gauges
from tabstop.beside.late_reports import bring_along
from tabstop.beside.pricing import from_price_book
from tabstop.beside.server import NotAcceptedError, Server, ServerError, UnreachableError
from tabstop.beside.server_access import NO_SERVER, ServerAccess, server_named
from tabstop.beside.session_folder import sessions_root
from tabstop.beside.spool import spool_root
from tabstop.beside.sync.passed import Left, Passed
from tabstop.beside.sync.queue import Part, Queue
from tabstop.beside.sync.reading import read_changed
from tabstop.beside.sync.sending import QUIET, Ways, said_by, send
from tabstop.beside.transport import Transport, UrllibTransport
from tabstop.gauge import GaugeReading
from tabstop.money import Nano
from tabstop.price_card import cost_of
from tabstop.usage import Billing, Usage
from tabstop.window import LATE_LIMIT

SPOOL_SECONDS = 30.0


class NobodyToTellError(Exception):
    """No server, or nobody is logged in; the text says what to do."""


class AlreadyRunningError(Exception):
    """Another sync of this user runs."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """agents: whose logs. since: from when on; None for all that the server takes, 35 days. billing: how the tokens are paid, where people say.

    dry: read, and send nothing.
    """

    agents: tuple[str, ...] = tuple(READERS)
    since: datetime | None = None
    billing: Billing = Billing.UNKNOWN
    dry: bool = False


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
            _Pass(environ, wanted, now, folder, Server(address, by, sleep), logins).run()
            for address, logins in _servers(environ).items()
        ]


class _Pass:
    def __init__(
        self,
        environ: Mapping[str, str],
        wanted: Wanted,
        now: datetime,
        folder: Path,
        server: Server,
        logins: list[Login],
    ) -> None:
        self._environ = environ
        self._wanted = wanted
        self._now = now
        self._folder = folder
        self._server = server
        self._tokens = {one.organization.lower(): one.token for one in logins}
        self._owners = {owner: one.organization.lower() for one in logins for owner in one.owners}
        # A name that another organization has by now is that one's.
        self._owners |= {organization: organization for organization in self._tokens}

    def run(self) -> Passed:
        """Read, then send."""
        passed = Passed(self._server.address, tuple(self._tokens))
        queue = Queue(self._folder / f"{hashlib.sha256(self._server.address.encode()).hexdigest()[:16]}.db")
        try:
            passed.too_late = queue.drop_before(self._now - LATE_LIMIT)
            try:
                self._learn_organization(passed)
                gauges = self._read(queue, passed)
                if not self._wanted.dry:
                    self._tell(queue, passed, gauges)
            except ServerError as error:
                self._failed(passed, error)
            self._count(queue, passed)
        finally:
            queue.close()
        return passed

    def _learn_organization(self, passed: Passed) -> None:
        """Of the environment's token only the server knows for whose organization it is, and so which work is for it."""
        if "" in self._tokens:
            token = self._tokens[""]
            organization = self._server.who_am_i(token=token).organization.lower()
            self._tokens, self._owners = {organization: token}, {organization: organization}
            passed.organizations = tuple(self._tokens)

    def _read(self, queue: Queue, passed: Passed) -> tuple[GaugeReading, ...]:
        """What changed in the logs, and how full the vendors' windows are by them and by the agents' own status lines."""
        earliest = self._now - LATE_LIMIT
        since = max(self._wanted.since or earliest, earliest)
        files = discover(Homes.from_environ(self._environ), self._wanted.agents)
        passed.read = read_changed(files, queue, since, self._owners, _price)
        heard = machine_gauges(self._environ)
        if passed.read.gauges:
            keep_gauges(heard, passed.read.gauges)
        return tuple(one for one in read_gauges(heard) if one.used_at(self._now) is not None)

    def _tell(self, queue: Queue, passed: Passed, gauges: tuple[GaugeReading, ...]) -> None:
        quiet = [part for part in queue.open_parts() if _is_quiet(queue, part, self._now)]
        parts = list(dict.fromkeys([*queue.waiting(), *quiet]))
        sessions, billing = sessions_root(self._environ), self._wanted.billing
        for organization, token in self._tokens.items():
            ways = Ways(self._server, organization, token, sessions, billing, gauges)
            mine = [part for part in parts if self._owners.get(owner_of(part.repository)) == organization]
            try:
                send(queue, mine, ways, self._now, passed.sent)
            except ServerError as error:  # what is wrong with one organization's work need not be with another's
                self._failed(passed, error)
                if passed.retry_after:
                    return  # it is the server that asks for patience
                continue
            late = bring_along(spool_root(self._environ), self._server, token)
            if late is not None:
                late.join(SPOOL_SECONDS)

    def _failed(self, passed: Passed, error: ServerError) -> None:
        passed.problem = _why(self._server.address, error)
        passed.retry_after = error.retry_after if isinstance(error, UnreachableError) else 0

    def _count(self, queue: Queue, passed: Passed) -> None:
        for part, why in passed.sent.failed.items():
            passed.kept.setdefault(why, Left()).sessions.add((part.agent, part.session))
        for one in queue.unsent():
            repository = one.part.repository
            if not repository:
                passed.nowhere.add(one)
            elif not {owner_of(repository), ""} & self._owners.keys():
                passed.elsewhere.add(one)
            else:
                passed.waiting += one.calls
                reason = passed.sent.not_covered.get(repository) or passed.sent.failed.get(one.part)
                if reason:
                    passed.kept.setdefault(reason, Left()).add(one)
        passed.unread = queue.unread()


def _price(usage: Usage) -> Nano | None:
    return cost_of(usage, from_price_book(usage.model, usage.occurred_at)).nano


def _is_quiet(queue: Queue, part: Part, now: datetime) -> bool:
    span = queue.span(part)
    return span is not None and now - span[1] >= QUIET


def _why(address: str, error: ServerError) -> str:
    if isinstance(error, NotAcceptedError):
        return f"{address} did not take it: {said_by(error)}"
    return f"{address} could not be asked ({error})."


def _servers(environ: Mapping[str, str]) -> dict[str, list[Login]]:
    """Servers, each with whose tokens there are, newest first; the environment's is of an organization that is not known yet."""
    access = ServerAccess.from_environ(environ)
    named = server_named(environ)
    if named == NO_SERVER:
        raise NobodyToTellError(f"TABSTOP_SERVER={NO_SERVER} says that no server is told of anything.")
    if access is None:
        raise NobodyToTellError("Nobody is logged in. `tabstop login --server URL` changes that.")
    if access.problem:
        raise NobodyToTellError(f"{access.problem}.")
    if not access.organization:
        return {access.address: [Login(access.address, "", "", access.token)]}
    found: dict[str, list[Login]] = {}
    credentials = Credentials.from_environ(environ)
    for one in credentials.at(named):
        login = credentials.with_token(one)
        if login is not None:
            found.setdefault(one.server, []).append(login)
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
