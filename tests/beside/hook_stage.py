"""A machine to try the hook on, which is run as its agent runs it: as a process, and in this one so that its coverage is seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabstop.beside import hook
from tabstop.beside.hook_socket import HookAnswer, HookSocket
from tests.beside.short_folder import short_folder
from tests.support.hook_payloads import SESSION

PAYLOAD = f'{{"session_id":"{SESSION}","prompt":"say \\"session_id\\": \\"other\\""}}'.encode()


class InProcess:
    """The same file as a module of this process, so that its coverage is seen; its patience is shortened."""

    def __init__(self, file: Path, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.lock = threading.Lock()
        patch.setattr(hook, "__file__", str(file))
        patch.setattr(hook, "ANSWER_SECONDS", 0.5)

    def __call__(self, arguments: list[str], payload: bytes, environ: dict[str, str]) -> tuple[int, bytes]:
        with (
            self.lock,
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as printed,
            self.patch.context() as patch,
        ):
            given.write(payload)
            given.seek(0)
            for name in ("TABSTOP_SOCKET", "TABSTOP_SESSION"):
                patch.delenv(name, raising=False)
            for name, value in environ.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", arguments)
            kept = os.dup(0), os.dup(1)
            try:
                os.dup2(given.fileno(), 0)
                os.dup2(printed.fileno(), 1)
                code = hook.main()
            finally:
                for number, descriptor in enumerate(kept):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
            printed.seek(0)
            return code, printed.read()


class Stage:
    """A user's machine: a state folder, a folder for sockets, and the hook's copy, run as a process or in this one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "state" / "hooks"
        self.socket = folder / f"tabstop-{os.getuid()}" / "governor.sock"
        self.hook = folder / "hook.py"
        shutil.copy(hook.__file__, self.hook)
        self.environ = {"TMPDIR": str(folder), "TABSTOP_STATE": str(folder / "state"), "PATH": "/usr/bin:/bin"}
        self.heard: list[tuple[tuple[str, ...], bytes]] = []
        self.here: InProcess | None = None

    def run(self, event: str = "PreToolUse", payload: bytes = PAYLOAD, **environ: str) -> tuple[int, bytes]:
        if self.here is not None:
            return self.here(["hook.py", "claude-code", event], payload, {**self.environ, **environ})
        command = [sys.executable, "-I", "-S", str(self.hook), "claude-code", event]
        done = subprocess.run(
            command, input=payload, capture_output=True, env={**self.environ, **environ}, check=False, timeout=60
        )
        assert done.stderr == b""
        return done.returncode, done.stdout

    def governor(self, answer: HookAnswer | None = None, path: Path | None = None) -> HookSocket:
        def reply(words: tuple[str, ...], body: bytes) -> bytes:
            self.heard.append((words, body))
            return (answer or HookAnswer('{"ok":1}')).encode()

        return HookSocket(path or self.socket, {"hook": reply}, lambda _text: None)

    def stand(self, answer: bytes, event: str = "PreToolUse") -> None:
        folder = self.home / "standing" / f"claude-code-{SESSION}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / event).write_bytes(answer)

    @property
    def log(self) -> str:
        path = self.home / "hook.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def waiting(self) -> list[bytes]:
        folder = self.home / "waiting"
        return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.exists() else []


@pytest.fixture(params=["as a process", "in this one"])
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with short_folder() as folder:
        stage = Stage(folder)
        if request.param == "in this one":
            stage.here = InProcess(stage.hook, monkeypatch)
        yield stage
