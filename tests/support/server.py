"""The real server as its own process (`python -m app.cli serve`), with its address, its log, and the operator's commands beside it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60
STOP_SECONDS = 40


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class ServerProcess:
    """A server that can be started, killed and started again on the same port and database."""

    environ: Mapping[str, str]
    folder: Path
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None
    _log: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def full_environ(self) -> dict[str, str]:
        """The environment of the server and of commands beside it: nothing of this machine but what Python needs."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {**kept, "PORT": str(self.port), "TABSTOP_PUBLIC_URL": self.url, **self.environ}

    def start(self) -> Self:
        """Start it and wait until it is ready. Raises `AssertionError` with its log when it does not come up."""
        self._log = (self.folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve"],
            cwd=ROOT,
            env=self.full_environ,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                if httpx.get(self.url + "/readyz", timeout=2, trust_env=False).status_code == 200:
                    return self
            except httpx.HTTPError:
                time.sleep(0.1)
        raise AssertionError(f"The server did not come up. It said:\n{self.log[-4000:]}")

    def kill(self) -> None:
        """SIGKILL to the whole process group: what a machine that goes away looks like."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._log is not None:
            self._log.close()

    def stop(self) -> int | None:
        """SIGTERM, then wait; answers the exit status, None when it was not running."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._log is not None:
            self._log.close()
        return self._process.returncode

    @property
    def log(self) -> str:
        """What it printed so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run an operator's command beside the running server."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *words],
            cwd=ROOT,
            env=self.full_environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
