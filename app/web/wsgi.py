"""What the web server loads in its worker process: the application, and the job threads beside it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.util import Finalize

from flask import Flask

from app.jobs.runner import Runner
from app.jobs.table import CRONS, HANDLERS
from app.logs import configure
from app.settings import Settings
from app.web.application import application
from app.web.metrics import Meters, meters
from app.wiring import build_verifier, build_world, done_building
from app.world import World

STOP_SECONDS = 20
"""How long a stopping process waits for the job in hand; one cut off is taken over when its lease ends."""


def create() -> Flask:
    """Build everything from the environment; called once per worker process."""
    settings = Settings.from_environ(os.environ)
    configure(settings.log_format)
    world = build_world(settings)
    watched = meters()
    start_runners(world, watched, int(settings.workers))
    app = application(world, build_verifier(world.settings), watched, renewal())
    done_building()
    return app


def renewal() -> Callable[[], None] | None:
    """How this worker asks for its successor: granian's main process replaces its workers, one by one, on SIGHUP."""
    main = multiprocessing.parent_process()
    if main is None or main.pid is None:
        return None
    pid = main.pid
    return lambda: os.kill(pid, signal.SIGHUP)


def start_runners(world: World, watched: Meters, count: int) -> None:
    """Start job threads that stop, after the job in hand, when the process ends."""
    stop = threading.Event()
    runners = [
        Runner(world, HANDLERS, CRONS, lambda kind, outcome: watched.jobs.labels(kind=kind, outcome=outcome).inc())
        for _ in range(count)
    ]
    threads = [
        threading.Thread(target=runner.run, args=(stop,), name=f"jobs-{number}", daemon=True)
        for number, runner in enumerate(runners)
    ]

    def finish() -> None:
        stop.set()
        for thread in threads:
            thread.join(STOP_SECONDS)

    # Not `atexit`: granian's workers are children of multiprocessing, which end without running that.
    Finalize(None, finish, exitpriority=10)
    for thread in threads:
        thread.start()
