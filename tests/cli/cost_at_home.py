"""A home folder with captured logs of all four agents, and `tabstop cost` run on it, as people and as programs run it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tabstop.cli.main import main
from tests.support.samples import CLAUDE, SAMPLES

CASES = ("compacted", "forked", "plain", "pull-request", "resumed", "sonnet", "subagent")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder as the four clients leave it, and an environment that names nothing else."""
    for name in list(os.environ):
        if name.startswith(("XDG_", "CLAUDE_", "CODEX_", "GEMINI_", "GH_", "GITHUB_", "TABSTOP_")) or name in {
            "COLUMNS",
            "TZ",
        }:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    for case in CASES:
        shutil.copytree(CLAUDE / case / "projects", tmp_path / ".claude" / "projects", dirs_exist_ok=True)
    day = tmp_path / ".codex" / "sessions" / "2026" / "11" / "21"
    day.mkdir(parents=True)
    shutil.copy(SAMPLES / "codex" / "rollout.jsonl", day / "rollout-2026-11-21T22-00-00-0.jsonl")
    chats = tmp_path / ".gemini" / "tmp" / "widget" / "chats"
    chats.mkdir(parents=True)
    shutil.copy(SAMPLES / "gemini" / "chat.jsonl", chats / "session-2026-11-21T21-00-0.jsonl")
    (tmp_path / ".local" / "share" / "opencode").mkdir(parents=True)
    with closing(sqlite3.connect(tmp_path / ".local" / "share" / "opencode" / "opencode.db")) as database:
        database.executescript((SAMPLES / "opencode" / "database.sql").read_text(encoding="utf-8"))
    return tmp_path


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(main, ["cost", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def told(*arguments: str) -> dict[str, Any]:
    """As programs get it."""
    done = run("--offline", "--json", *arguments)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def an_answer(session: str, at: str, **used: int) -> str:
    """A line of Claude Code's log."""
    answer = {
        "type": "assistant", "sessionId": session, "timestamp": at, "cwd": "/x", "gitBranch": "fix/a", "requestId": f"req_{at}",
        "message": {"id": f"msg_{at}", "role": "assistant", "model": "claude-opus-4-5", "content": [], "usage": used},
    }  # fmt: skip
    return json.dumps(answer) + "\n"
