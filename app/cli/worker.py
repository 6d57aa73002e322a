"""`worker`: does jobs in a process of its own, beside any number of others, on PostgreSQL."""

from __future__ import annotations

import signal

import click

from app.cli.opening import OperatorError, environment, opened
from app.logs import configure
from app.serving import work
from tabstop.beside.stop_signal import StopSignal


@click.command()
def worker() -> None:
    """Do jobs until told to stop: posts checks and comments, reads policies, sends messages.

    For PostgreSQL: `serve` has job threads of its own unless TABSTOP_WORKERS=0. Stops, on SIGTERM or Ctrl-C, after the
    job in hand; one that was cut off is taken over by another worker.
    """
    settings = environment()
    if settings.database_url.startswith("sqlite"):
        raise OperatorError(
            "A worker of its own needs PostgreSQL. With SQLite, `serve` does the jobs: start it with TABSTOP_WORKERS=1."
        )
    with opened():
        pass
    configure(settings.log_format)
    stop = StopSignal()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.set)
    click.echo("Doing jobs. Ctrl-C stops after the one in hand.", err=True)
    work(settings, stop)
