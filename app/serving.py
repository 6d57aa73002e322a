"""Runs the web server, and job workers of their own, until told to stop."""

from __future__ import annotations

import errno
import socket

from granian import Granian
from granian.constants import Interfaces

from app.jobs.runner import Runner
from app.jobs.table import CRONS, HANDLERS
from app.settings import Settings
from app.wiring import build_world, done_building
from tabstop.beside.stop_signal import Stop

THREADS = 4
"""Request threads: more only wait for the interpreter and the database."""


class PortTakenError(Exception):
    """Somebody else listens there."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises `PortTakenError` before anything starts."""
    check_port(settings.host, int(settings.port))
    Granian(
        "app.web.wsgi:create",
        factory=True,
        address=settings.host,
        port=int(settings.port),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREADS,
        websockets=False,
        log_access=False,
        workers_kill_timeout=30,
    ).serve()


def work(settings: Settings, stop: Stop) -> None:
    """Do jobs until `stop` is set: one of any number of worker processes on PostgreSQL."""
    runner = Runner(build_world(settings), HANDLERS, CRONS)
    done_building()
    runner.run(stop)


def check_port(host: str, port: int) -> None:
    """Raise `PortTakenError` when the port cannot be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                raise PortTakenError(
                    f"Port {port} cannot be used: {error.strerror}. "
                    "Stop what listens there, or choose another port with PORT=8001."
                ) from error
            raise
