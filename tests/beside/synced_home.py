"""A home folder with logs and clones, logged in at a server in memory, for passes of `tabstop sync`; and rows of its logs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.sync.passed import Passed
from tabstop.beside.sync.run import Wanted, sync
from tests.beside.picky_server import Picky
from tests.beside.test_working_tree import git

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADDRESS = "https://tabstop.example"


@dataclass
class Home:
    """A home folder with logs, logged in for acme at a server in memory."""

    path: Path
    server: Picky = field(default_factory=Picky)
    organizations: tuple[str, ...] = ("Acme",)
    formerly: tuple[str, ...] = ()

    @property
    def environ(self) -> dict[str, str]:
        for one in self.organizations:
            path = self.path / ".config" / "tabstop" / "credentials.json"
            before = self.formerly if one == "Acme" else ()
            Credentials(path).keep(Login(ADDRESS, one, "alice", f"token_of_{one.lower()}", formerly=before))
        return {"HOME": str(self.path), "PATH": os.environ["PATH"]}

    def sync(self, after: timedelta = timedelta(), **wanted: Any) -> Passed:
        """One pass."""
        (passed,) = sync(self.environ, Wanted(**wanted), NOW + after, lambda _seconds: None, self.server)
        return passed

    def clone(self, name: str, **remotes: str) -> Path:
        """A repository with these remotes, each by its `owner/name`."""
        folder = self.path / "src" / name
        folder.mkdir(parents=True)
        git(folder, "init", "-q")
        for remote, repository in remotes.items():
            git(folder, "remote", "add", remote, f"git@github.com:{repository}.git")
        return folder

    def log(self, session: str, *rows: dict[str, Any]) -> Path:
        """Lines of one of Claude Code's transcripts."""
        path = self.path / ".claude" / "projects" / "p" / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps({"sessionId": session, **row}) + "\n" for row in rows)
        return path

    @property
    def told(self) -> list[tuple[str, str]]:
        """Each call's key, and the repository that it says it was made in."""
        return [(call.keys[0].rpartition("_")[2], call.repository) for one in self.server.batches for call in one.calls]


def an_answer(key: str, folder: Path | str, minutes_ago: int = 60, **more: Any) -> dict[str, Any]:
    """A row of a transcript: a thousand output tokens."""
    model = more.pop("model", "claude-sonnet-4-5")
    usage = {"input_tokens": 0, "output_tokens": 1_000}
    return {
        "type": "assistant", "requestId": f"req_{key}", "timestamp": ago(minutes_ago), "gitBranch": "fix",
        "cwd": str(folder), "message": {"id": f"msg_{key}", "model": model, "content": [], "usage": usage}, **more,
    }  # fmt: skip


def a_commit(sha: str, minutes_ago: int) -> dict[str, Any]:
    """A row of a transcript that says a commit was made."""
    made = {"commit": {"sha": sha, "kind": "committed"}}
    return {"type": "user", "timestamp": ago(minutes_ago), "toolUseResult": {"gitOperation": made}}


def ago(minutes: int) -> str:
    """That many minutes before `NOW`, as logs write it."""
    return (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """See `Home`."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return Home(tmp_path)
