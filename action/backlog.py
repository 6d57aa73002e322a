"""The backlog: reports of earlier sessions that did not arrive, brought in now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tabstop.beside.delivery import Delivered, Identity, deliver
from tabstop.beside.server import Server, UnreachableError
from tabstop.beside.spool import Undelivered, pending, put
from tabstop.wire import EndAnswer, StartRequest

MOST_AT_ONCE = 100
"""Reports one step brings in; the rest wait for the next."""

ARTIFACT = "tabstop-spool-"
"""How the names of artifacts that hold reports begin."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A report the server has now, or had before: its session, as it was asked for, and the session's totals."""

    session: str
    start: StartRequest
    answer: EndAnswer


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was brought in; which are left, each with why; which are for another server or repository to bring in."""

    delivered: tuple[Arrived, ...] = ()
    left: tuple[tuple[Path, str], ...] = ()
    elsewhere: tuple[tuple[Path, str], ...] = ()


def send_backlog(folder: Path, server: Server, identity: Identity, repository: str) -> Backlog:
    """Deliver what waits in the folder for this server; stops at the first that finds the server away.

    A report without a token can be delivered only by a job of its own repository, whose identity it needs.
    """
    delivered = list[Arrived]()
    left, elsewhere = list[tuple[Path, str]](), list[tuple[Path, str]]()
    away = ""
    for number, one in enumerate(pending(folder)):
        waiting = one.undelivered
        if waiting is None:
            left.append((one.path, one.problem))
        elif waiting.server != server.address:
            elsewhere.append((one.path, "meant for another server"))
        elif not waiting.token and waiting.start.repository.lower() != repository.lower():
            elsewhere.append((one.path, f"waits for a job of {waiting.start.repository}"))
        elif away or number >= MOST_AT_ONCE:
            left.append((one.path, away or "waits for the next step"))
        else:
            result = deliver(waiting, server, identity)
            if result.answer is not None:
                one.path.unlink(missing_ok=True)
                delivered.append(Arrived(result.rest.session, waiting.start, result.answer))
                continue
            why = str(result.error)
            if isinstance(result.error, UnreachableError):
                away = why = f"Tabstop's server could not be reached: {why}"
            left.append((_replaced(one.path, waiting, result), why))
    return Backlog(tuple(delivered), tuple(left), tuple(elsewhere))


def _replaced(path: Path, before: Undelivered, result: Delivered) -> Path:
    """Keep how far it came, so that the next try goes on from there."""
    if result.rest == before:
        return path
    try:
        newer = put(path.parent, result.rest)
    except OSError:
        return path
    if newer != path:
        path.unlink(missing_ok=True)
    return newer
