"""A user's machine with a hook that knows how to start the resident governor, which runs as a process, or in a thread of this one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tabstop.beside import hook
from tabstop.beside.governor_call import governor_command, governor_socket, is_running
from tabstop.beside.governor_process import Governor
from tests.beside.short_folder import short_folder


class Machine:
    """A user's machine with a hook that knows how to start the governor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {**os.environ, "TMPDIR": str(folder), "TABSTOP_STATE": str(folder / "state"), "CI": ""}
        self.state = folder / "state"
        shutil.copy(hook.__file__, folder / "hook.py")
        (folder / "governor.command").write_text("".join(f"{one}\n" for one in governor_command()), encoding="utf-8")
        (folder / "repository" / ".git").mkdir(parents=True)
        (folder / "repository" / ".github").mkdir()
        (folder / "repository" / ".github" / "tabstop.yml").write_text("session: {tool_calls: 2}\n", encoding="utf-8")

    def hook(self, body: dict[str, Any], environ: Mapping[str, str] | None = None) -> Any:
        """environ: of the agent, over the machine's."""
        command = [sys.executable, "-I", "-S", str(self.folder / "hook.py"), "claude-code", body["hook_event_name"]]
        data = json.dumps({**body, "cwd": str(self.folder / "repository")}).encode()
        done = subprocess.run(
            command, input=data, capture_output=True, env={**self.environ, **(environ or {})}, check=True, timeout=60
        )
        return json.loads(done.stdout) if done.stdout else None

    @contextmanager
    def governor(self, environ: Mapping[str, str]) -> Iterator[Governor]:
        """One that was started in this environment, in a thread."""
        governor = Governor({**self.environ, **environ}, lambda: datetime.now(UTC))
        running = threading.Thread(target=governor.run)
        running.start()
        try:
            while not is_running({}):
                time.sleep(0.02)
            yield governor
        finally:
            governor.end()
            running.join()

    @property
    def log(self) -> str:
        return (self.state / "hooks" / "governor.log").read_text(encoding="utf-8")

    @property
    def hook_log(self) -> str:
        path = self.state / "hooks" / "hook.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def process(self) -> int:
        return int(self.log.split("began, process ")[-1].split()[0])

    def end(self, number: signal.Signals) -> None:
        os.kill(self.process(), number)
        until = time.monotonic() + 60
        # One that was killed may still take a connection for a moment when it answers no more.
        while is_running({}) or not refuses() or (number is signal.SIGTERM and not self.log.endswith("ended\n")):
            assert time.monotonic() < until
            time.sleep(0.02)


def refuses() -> bool:
    """Whether nobody listens where the governor does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(governor_socket({})))
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        return False


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with short_folder() as folder:
        machine = Machine(folder)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        yield machine
        if is_running({}):
            machine.end(signal.SIGTERM)
