"""The machine of a scene: a home where somebody is logged in, and every source of the product at work beside the client."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.session_folder import sessions_root
from tests.real_agents.agents import Agent
from tests.real_agents.installed import ROOT, cache, node
from tests.real_agents.truth.server import Server

LONGEST = 120.0
"""Seconds for anything."""

TABSTOP = (sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tabstop.cli.main import main; main()")  # fmt: skip


class Source(StrEnum):
    """What tells of calls."""

    LOGS = "logs"
    """`tabstop sync`, when all is over."""
    HOOKS = "hooks"
    """`tabstop install`: the resident governor reports while the client runs."""
    TELEMETRY = "telemetry"
    """The client's own OTLP."""
    PROXY = "proxy"
    """`tabstop proxy`, for all runs of a scene."""
    JOB = "job"
    """The action's gate and settle around all runs, hooks included; what the client printed last is shown to settle."""


class DidNotHappenError(Exception):
    """A step of a scene did not go as it has to; the text says what."""


@dataclass
class Machine:
    """A home. environ: of the client and of everything beside it. more: what goes behind the client's program."""

    agent: Agent
    home: Path
    folder: Path
    environ: dict[str, str]
    server: Server
    more: tuple[str, ...] = ()
    said: list[str] = field(default_factory=list)

    def log_in(self) -> None:
        """As alice."""
        token = self.server.token("start", "read")
        Credentials(self.home / ".config" / "tabstop" / "credentials.json").keep(
            Login(self.server.url, "acme", "alice", token)
        )

    def tabstop(self, *words: str) -> str:
        """Run a command of ours; what it prints. Raises `DidNotHappenError`."""
        done = subprocess.run(
            [*TABSTOP, *words],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        if done.returncode:
            raise DidNotHappenError(f"tabstop {' '.join(words)} ended with {done.returncode}: {done.stderr[-2_000:]}")
        return done.stdout

    def start(self, argv: tuple[str, ...], name: str, **environ: str) -> subprocess.Popen[bytes]:
        """The client, its output in files of the home."""
        with (self.home / f"{name}.out").open("wb") as out, (self.home / f"{name}.err").open("wb") as err:
            return subprocess.Popen(
                (argv[0], *self.more, *argv[1:]),
                cwd=self.folder,
                env=self.environ | environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def put(self, name: str, content: Mapping[str, object]) -> None:
        """Lay keys over a JSON file of the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**before, **content}))

    @contextmanager
    def governed(self) -> Iterator[None]:
        """End the resident governor that hooks start, as a machine that is shut down does."""
        try:
            yield
        finally:
            log = sessions_root(self.environ).parent / "hooks" / "governor.log"
            begun = re.findall(r"began, process (\d+)", log.read_text()) if log.exists() else []
            for number in begun:
                with suppress(ProcessLookupError):
                    os.kill(int(number), signal.SIGTERM)
            if begun:
                eventually(lambda: log.read_text().count("ended") >= len(begun), "the governor did not end", 20.0)

    @contextmanager
    def metered(self, *, wanted: bool) -> Iterator[None]:
        """`tabstop proxy`, and the client led to it."""
        if not wanted:
            yield
            return
        out = self.home / "proxy.out"
        with out.open("wb") as stream:
            command = (*TABSTOP, "proxy", "--cost", "unlimited", "--folder", str(self.folder))
            proxy = subprocess.Popen(
                command, cwd=self.folder, env=self.environ, stdout=stream, stderr=subprocess.STDOUT
            )
        try:
            eventually(lambda: proxy.poll() is not None or "Ctrl-C ends" in out.read_text(), "the proxy did not begin")
            told = out.read_text()
            if proxy.poll() is not None:
                raise DidNotHappenError(f"the proxy ended: {told[-2_000:]}")
            self._lead(told)
            yield
        finally:
            proxy.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                proxy.wait(30)
            proxy.kill()
            proxy.wait()

    def _lead(self, told: str) -> None:
        """As the proxy's own words say."""
        for line in told.splitlines():
            match shlex.split(line) if line.startswith("  ") else ():
                case ["export", setting]:
                    name, _, value = setting.partition("=")
                    self.environ[name] = value
                case ["codex", *arguments] if self.agent.key == "codex":
                    self.more = tuple(arguments)


def environ_of(agent: Agent, home: Path, short: str) -> dict[str, str]:
    """Nothing of this machine but the programs. short: a folder for sockets, whose paths must be."""
    program = cache(os.environ) / agent.package.folder / "node_modules" / ".bin"
    return {
        "PATH": f"{home / 'bin'}:{program}:{Path(node()).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "TMPDIR": short,
        "USER": "dev",
        "SHELL": "/bin/bash",
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }


def eventually(what: Callable[[], object], because: str, seconds: float = LONGEST) -> None:
    """Wait for it. Raises `DidNotHappenError`."""
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            raise DidNotHappenError(because)
        time.sleep(0.02)
