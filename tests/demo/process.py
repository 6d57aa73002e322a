"""The demo as its own process, in an environment that has nothing but what a fresh machine has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.server import ROOT

PATIENCE_SECONDS = 200


@dataclass
class DemoProcess:
    """A running demo. temp: its temporary folder; output goes to a file beside it."""

    process: subprocess.Popen[bytes]
    port: int
    temp: Path
    output: Path

    @classmethod
    def start(cls, folder: Path, port: int | str, *words: str) -> DemoProcess:
        """Start `python -m app.demo` with this PORT."""
        temp = folder / f"temp-{port}"
        temp.mkdir(parents=True)
        output = folder / f"output-{port}.txt"
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TMPDIR": str(temp), "PORT": str(port), **measured}
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "app.demo", *words],
                cwd=ROOT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(process, int(port) if str(port).isdigit() else 0, temp, output)

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def page(self, path: str = "/") -> httpx.Response:
        """A page of it."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10, trust_env=False)

    def wait_to_say(self, words: str) -> None:
        """Wait until it printed this. Raises `AssertionError` when it ends or takes too long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while words not in self.said:
            assert self.process.poll() is None, f"the demo ended with {self.process.returncode}:\n{self.said}"
            assert time.monotonic() < deadline, f"the demo does not say {words!r}:\n{self.said}"
            time.sleep(0.1)

    def end(self, with_signal: int = signal.SIGINT) -> int:
        """Send a signal, and answer the exit code."""
        self.process.send_signal(with_signal)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; answers the exit code."""
        return self.process.wait(PATIENCE_SECONDS)

    def gone(self) -> None:
        """Nothing of it is left, whatever happened."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
