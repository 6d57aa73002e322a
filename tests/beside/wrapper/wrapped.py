"""A real `tabstop run` in a process of its own, in a folder of its own, with `claude` being the stand-in."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabstop.beside.session_folder import SessionFolder, everything
from tabstop.beside.session_view import SessionView, view
from tests.house.source import ROOT

PROGRAM = "from tabstop.cli.main import main; main()"
MINIMUM = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", "USER": "octocat"}
MEASURING = {name: value for name, value in os.environ.items() if name.startswith(("COV", "COVERAGE"))}


@dataclass(frozen=True)
class Done:
    """What came of a command. out, err: what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    """A home with nothing in it but `claude`."""

    path: Path

    @classmethod
    def make(cls, path: Path) -> Place:
        """In an empty folder."""
        (path / "bin").mkdir()
        (path / "work").mkdir()
        claude = path / "bin" / "claude"
        claude.write_text(
            f"#!{sys.executable}\n" + Path(__file__).with_name("fake_claude.py").read_text(encoding="utf-8")
        )
        claude.chmod(0o755)
        return cls(path)

    def close(self) -> None:
        """Leave nothing outside of it."""
        Path(short_folder(self.path)).unlink()

    @property
    def sessions(self) -> list[SessionFolder]:
        """Newest first."""
        return everything(self.path / "state" / "sessions")

    @property
    def environ(self) -> dict[str, str]:
        """Nothing of this machine's own settings."""
        return {
            **MINIMUM,
            **MEASURING,
            "PATH": f"{self.path / 'bin'}:{MINIMUM['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.path),
            "TMPDIR": short_folder(self.path),
            "TABSTOP_STATE": str(self.path / "state"),
            "CLAUDE_CONFIG_DIR": str(self.path / "claude"),
        }

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """`tabstop …`, not waited for."""
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            cwd=self.path / "work",
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def tabstop(self, *arguments: str, **environ: str) -> Done:
        """`tabstop …`, to its end."""
        with self.start(*arguments, **environ) as process:
            out, err = process.communicate(timeout=60)
        return Done(process.returncode, out, err)

    def run(self, *options: str, command: Sequence[str] = ("claude", "-p", "x"), **environ: str) -> Done:
        """`tabstop run OPTIONS -- COMMAND`."""
        return self.tabstop("run", *options, "--", *command, **environ)

    def python(self, *options: str, script: str, **environ: str) -> Done:
        """`tabstop run` of a Python script nobody knows."""
        return self.run(*options, command=(sys.executable, "-c", script), **environ)

    @property
    def folder(self) -> SessionFolder:
        """The newest session's."""
        return self.sessions[0]

    @property
    def session(self) -> SessionView:
        """The newest session."""
        return view(self.folder)

    def policy(self, text: str) -> None:
        """Write the policy of the repository it works in."""
        (self.path / "work" / ".git").mkdir(exist_ok=True)
        (self.path / "work" / ".github").mkdir(exist_ok=True)
        (self.path / "work" / ".github" / "tabstop.yml").write_text(text, encoding="utf-8")

    def runs(self) -> list[dict[str, Any]]:
        """What was kept of its runs."""
        return [json.loads(line) for line in (self.folder.path / "runs.jsonl").read_text().splitlines()]


def short_folder(path: Path) -> str:
    """A folder for sockets: a Unix socket's path has 108 bytes at most, and pytest's are long."""
    link = Path("/tmp") / f"ts-{hashlib.sha256(bytes(path)).hexdigest()[:12]}"
    if not link.is_symlink():
        link.symlink_to(path)
    return str(link)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
