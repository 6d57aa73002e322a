"""The stage: the real server on a temporary SQLite file, with a preview GitHub and Slack, all in this process."""

from __future__ import annotations

import logging
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import structlog
from flask import Flask

from app.demo import cast
from app.demo.ending import Ending
from app.demo.github_events import Hook, job_event
from app.demo.identity import Issuer, job_claims
from app.demo.local_server import serving
from app.demo.preview import PreviewGitHub, PreviewSlack, preview_github
from app.demo.workflow_job import ROOT, WorkflowJob
from app.github_api.protocol import CheckRun
from app.jobs.runner import Runner
from app.jobs.tab_facts import CHECK_NAME
from app.jobs.table import CRONS, HANDLERS
from app.ledger.books import SessionRow
from app.logs import configure
from app.pricing import models_of, most_in_a_call, price_card, price_usage
from app.registry import Organization
from app.settings import Settings
from app.store.migrate import upgrade
from app.store.open import open_store
from app.wiring import build_verifier, new_session_id
from app.world import World
from tabstop.budget import Budget

T = TypeVar("T")

PATIENCE_SECONDS = 45
"""A tab's check is posted at most every few seconds; a slow machine takes its time."""
STOP_SECONDS = 20


class NotTrueError(Exception):
    """Something the story promises did not happen."""


@dataclass
class Stage:
    """Everything that runs, and what can be seen of it."""

    world: World
    settings: Settings
    github: PreviewGitHub
    slack: PreviewSlack
    issuer: Issuer
    folder: Path
    ending: Ending
    _runs: int = field(default=84_000_100)

    @property
    def hook(self) -> Hook:
        """GitHub's way to tell the server something."""
        return Hook(self.settings.audience, self.settings.github_webhook_secret)

    def job(self) -> WorkflowJob:
        """A job of a `pull_request` run on a fresh runner."""
        self._runs += 1
        identity = self.issuer.begin_job(job_claims(self._runs))
        folder = self.folder / f"runner-{self._runs}"
        return WorkflowJob(folder, self._runs, self.settings.audience, identity, job_event(), self.ending)

    def command(self, *words: str) -> str:
        """Run an operator's command beside the server; answers what it printed. Raises `NotTrueError` when it fails."""
        command = [sys.executable, "-m", "app.cli", *words]
        environ = {**_inherited(), **environ_of(self.settings)}
        done = self.ending.run(command, ROOT, environ, PATIENCE_SECONDS, stderr=subprocess.PIPE)
        if done.returncode:
            raise NotTrueError(f"`python -m app.cli {' '.join(words)}` failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def eventually(self, what: Callable[[], T | None], because: str) -> T:
        """Wait until `what` answers something true. Raises `NotTrueError`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = what()
            if found:
                return found
            self.ending.wait(0.1)
        raise NotTrueError(because)

    def organization(self) -> Organization | None:
        """The organization as the server knows it."""
        return self.world.store.organization_by_github_id(cast.ORGANIZATION_ID)

    def tab(self) -> TabSeen:
        """The pull request's tab as it stands in the books."""
        organization = self.organization()
        if organization is None:
            return TabSeen()
        now = self.world.now()
        with self.world.store.look(organization.id) as db:
            repository = db.repository_by_github_id(cast.REPOSITORY_ID)
            tab = db.tab_of_branch(repository.id, cast.BRANCH) if repository else None
            if tab is None:
                return TabSeen()
            budgets = db.budgets_of_tab(tab.id, now)
            return TabSeen(tuple(db.sessions_of_tab(tab.id)), budgets[0] if budgets else None)

    def check(self, sha: str = cast.HEAD) -> CheckRun | None:
        """Our check on a commit, as GitHub has it."""
        with self.github.lock:
            found = [posted.check for posted in self.github.checks_on(sha) if posted.check.name == CHECK_NAME]
        return found[-1] if found else None

    def server_log(self) -> str:
        """What the server wrote, for when something goes wrong."""
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")


@dataclass(frozen=True, slots=True)
class TabSeen:
    """A tab's sessions, newest first, and its own budget; None before its first session."""

    sessions: tuple[SessionRow, ...] = ()
    budget: Budget | None = None

    @property
    def spent(self) -> int:
        """Nano-dollars."""
        return self.budget.spent.nano if self.budget else 0


@contextmanager
def stage(port: int, page: Callable[[Stage], Flask], ending: Ending) -> Iterator[Stage]:
    """Start everything on this port, and take all of it away at the end.

    page: makes the pages that the demo adds to the server's. ending: told when somebody wants the end before its time.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tabstop-demo-")))
        log = stack.enter_context((folder / "server.log").open("a", encoding="utf-8", buffering=1))
        configure("text")
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=log))
        logging.basicConfig(level=logging.WARNING, stream=log, force=True)
        settings = settings_on(port, folder)
        upgrade(settings.database_url)
        now = lambda: datetime.now(UTC)  # noqa: E731 (one clock for all)
        github, slack = preview_github(now), PreviewSlack(now=now)
        world = World(
            settings=settings,
            store=open_store(settings.database_url),
            github=github,
            chat=slack,
            now=now,
            new_session_id=new_session_id,
            price=price_usage,
            price_card=price_card,
            models_of=models_of,
            most_in_a_call=most_in_a_call,
        )
        there = Stage(world, settings, github, slack, Issuer(settings.oidc_issuer), folder, ending)
        stack.enter_context(serving(world, build_verifier(settings), page(there), port))
        stack.enter_context(_jobs(world))
        yield there


def settings_on(port: int, folder: Path) -> Settings:
    """The server's settings: machines reach it at 127.0.0.1, people at localhost."""
    here = f"http://127.0.0.1:{port}"
    return Settings.from_environ(
        {
            "TABSTOP_DATABASE_URL": f"sqlite:///{folder / 'tabstop.db'}",
            "TABSTOP_PUBLIC_URL": f"http://localhost:{port}",
            "TABSTOP_GITHUB_URL": f"http://localhost:{port}/github",
            "TABSTOP_GITHUB_WEBHOOK_SECRET": secrets.token_hex(20),
            "TABSTOP_SECRET_KEY": secrets.token_hex(32),
            "TABSTOP_OIDC_ISSUER": here,
            "TABSTOP_OIDC_AUDIENCE": here,
            "PORT": str(port),
        }
    )


def environ_of(settings: Settings) -> dict[str, str]:
    """The same settings as an environment, for commands beside the server."""
    return {f.metadata["name"]: str(getattr(settings, f.name)) for f in fields(settings)}


def _inherited() -> dict[str, str]:
    """What Python itself needs of this machine."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


@contextmanager
def _jobs(world: World) -> Iterator[None]:
    """The server's job runner, until the end; the job in hand is finished first."""
    stop = threading.Event()
    thread = threading.Thread(target=Runner(world, HANDLERS, CRONS).run, args=(stop,), name="jobs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOP_SECONDS)
