"""What the clients write that never ask git where they stand: Gemini CLI's chats, and OpenCode's database, in the real clients' shapes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.agents.opencode.database import build
from tests.git_histories.logs import Standing, iso

_COPY_MESSAGES = """INSERT INTO message
SELECT id || '-' || :fork, :fork, time_created, time_updated, data FROM message WHERE session_id = :session"""
_COPY_PARTS = """INSERT INTO part
SELECT id || '-' || :fork, message_id || '-' || :fork, :fork, time_created, time_updated, data FROM part WHERE session_id = :session"""


@dataclass
class Gemini:
    """`~/.gemini/tmp/<project>/chats/session-….jsonl`: an answer is written when it is there, and again with its tools' results."""

    home: Path
    session: str
    _file: Path | None = None
    _folder: Path | None = None
    _answer: dict[str, Any] = field(default_factory=lambda: {"id": "first", "type": "gemini"})

    def key(self, call: str) -> str:
        """See `Log`."""
        return f"google:chat:{self.session}/{call}"

    def folder(self, here: Path) -> Path:
        """See `Log`. A chat belongs to one folder."""
        return self._folder or here

    def answered(self, key: str, at: datetime, here: Standing) -> None:
        """See `Log`."""
        self._begin(at, here)
        used = {"input": 0, "output": 1, "cached": 0, "thoughts": 0, "tool": 0, "total": 1}
        self._answer = {"id": key, "timestamp": iso(at), "type": "gemini", "content": "", "thoughts": []}
        self._answer |= {"tokens": used, "model": "gemini-2.5-pro"}
        self._write(self._answer)

    def ran(self, command: str, output: str, at: datetime, here: Standing) -> None:
        """See `Log`."""
        self._begin(at, here)
        before = self._answer.get("toolCalls", [])
        name = f"run_shell_command__run_shell_command_{_milliseconds(at)}_{len(before)}"
        said = f"<untrusted_context>\nOutput: {output or '(empty)'}\nProcess Group PGID: 15979\n</untrusted_context>"
        response = {"id": name, "name": "run_shell_command", "response": {"output": said}}
        call = {
            "id": name,
            "name": "run_shell_command",
            "args": {"command": command, "dir_path": str(here.folder)},
            "result": [{"functionResponse": response}],
            "status": "success",
            "timestamp": iso(at),
        }
        self._answer = {**self._answer, "toolCalls": [*before, call]}
        self._write(self._answer)

    def _begin(self, at: datetime, here: Standing) -> None:
        if self._file is not None:
            return
        self._folder = here.folder
        project = self.home / ".gemini" / "tmp" / here.folder.name
        (project / "chats").mkdir(parents=True, exist_ok=True)
        (project / ".project_root").write_text(str(here.folder), encoding="utf-8")
        self._file = project / "chats" / f"session-{at:%Y-%m-%dT%H-%M}-{self.session}.jsonl"
        about = {"sessionId": self.session, "projectHash": sha256(str(here.folder).encode()).hexdigest()}
        self._write({**about, "startTime": iso(at), "lastUpdated": iso(at), "kind": "main"})

    def _write(self, row: dict[str, Any]) -> None:
        assert self._file is not None
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")


@dataclass
class OpenCode:
    """`~/.local/share/opencode/opencode.db`: a message is an answer, and has its tools as parts. One database for all sessions."""

    home: Path
    session: str
    _folder: Path | None = None
    _message: str = ""

    def key(self, call: str) -> str:
        """See `Log`."""
        return f"opencode:msg:msg_{call}"

    def folder(self, here: Path) -> Path:
        """See `Log`. A session belongs to one folder."""
        return self._folder or here

    def answered(self, key: str, at: datetime, here: Standing) -> None:
        """See `Log`."""
        self._begin(at, here.folder)
        self._message = f"msg_{key}"
        now, cwd = _milliseconds(at), str(self._folder)
        told = {
            "role": "assistant",
            "mode": "build",
            "agent": "build",
            "path": {"cwd": cwd, "root": cwd},
            "tokens": {"total": 1, "input": 0, "output": 1, "reasoning": 0, "cache": {"write": 0, "read": 0}},
            "modelID": "claude-sonnet-4-5",
            "providerID": "anthropic",
            "time": {"created": now, "completed": now},
        }
        self._do("INSERT INTO message VALUES(?, ?, ?, ?, ?)", self._message, self.session, now, now, json.dumps(told))

    def ran(self, command: str, output: str, at: datetime, here: Standing) -> None:
        """See `Log`. It began when the answer that asked for it was there."""
        now = _milliseconds(at)
        ((begun, number),) = self._do(
            "SELECT time_created, (SELECT count(*) FROM part) FROM message WHERE id = ?", self._message
        )
        state = {
            "status": "completed",
            "input": {"command": command, "description": "Git", "workdir": str(here.folder)},
            "output": output or "(no output)",
            "time": {"start": begun, "end": now},
        }
        tool = {"type": "tool", "tool": "bash", "callID": f"toolu_{number:024}", "state": state}
        part = (f"prt_{number:06}", self._message, self.session, now, now, json.dumps(tool))
        self._do("INSERT INTO part VALUES(?, ?, ?, ?, ?, ?)", *part)
        self._do("UPDATE message SET data = json_set(data, '$.time.completed', ?) WHERE id = ?", now, self._message)

    def forked(self, session: str, at: datetime) -> OpenCode:
        """As `opencode --session … --fork` begins: all messages and parts copied, under new ids, with their times."""
        assert self._folder is not None
        fork = OpenCode(self.home, session)
        fork._begin(at, self._folder)
        for statement in (_COPY_MESSAGES, _COPY_PARTS):
            self._do(statement, fork=session, session=self.session)
        return fork

    def _begin(self, at: datetime, folder: Path) -> None:
        if self._folder is not None:
            return
        self._folder = folder
        if not self._database.exists():
            build(self._database, "DELETE FROM part; DELETE FROM message; DELETE FROM session;")
        columns = "id, project_id, slug, directory, title, version, time_created, time_updated"
        about = (
            self.session,
            "p",
            "proud-orchid",
            str(folder),
            "Work",
            "1.18.33",
            _milliseconds(at),
            _milliseconds(at),
        )
        self._do(f"INSERT INTO session({columns}) VALUES(?, ?, ?, ?, ?, ?, ?, ?)", *about)

    @property
    def _database(self) -> Path:
        return self.home / ".local" / "share" / "opencode" / "opencode.db"

    def _do(self, statement: str, *values: Any, **named: Any) -> list[Any]:
        with closing(sqlite3.connect(self._database)) as database, database:
            return database.execute(statement, named or values).fetchall()


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
