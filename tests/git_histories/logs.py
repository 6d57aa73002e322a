"""What the agents' clients write of a session, in the real clients' shapes: Claude Code's transcripts and Codex's rollouts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

_COMMITTED = re.compile(
    r"^\[(?P<branch>[^\s\]]+|detached HEAD)(?: \(root-commit\))? (?P<sha>[0-9a-f]{7,64})\] ", re.MULTILINE
)
_PULL = re.compile(r"https://github\.com/(?P<name>[\w.-]+/[\w.-]+)/pull/(?P<number>\d+)")


@dataclass(frozen=True)
class Standing:
    """Where a client stands, as it asks git: the branch (`HEAD` where none is checked out), the commit, the remote."""

    folder: Path
    branch: str
    commit: str
    remote: str


class Log(Protocol):
    """One session's log."""

    session: str

    def key(self, call: str) -> str:
        """By which the product knows a call."""

    def folder(self, here: Path) -> Path:
        """Where the log says that a call is made whose commands run here."""

    def answered(self, key: str, at: datetime, here: Standing) -> None:
        """A call of the model."""

    def ran(self, command: str, output: str, at: datetime, here: Standing) -> None:
        """A shell command, and what it printed."""


@dataclass
class ClaudeCode:
    """`~/.claude/projects/<folder>/<session>.jsonl`; a subagent's calls lie beside it."""

    home: Path
    session: str
    subagent: str = ""
    file: Path = field(init=False)

    def __post_init__(self) -> None:
        project = self.home / ".claude" / "projects" / "-home"
        inside = f"{self.session}/subagents/agent-{self.subagent}" if self.subagent else self.session
        self.file = project / f"{inside}.jsonl"
        self.file.parent.mkdir(parents=True, exist_ok=True)

    def key(self, call: str) -> str:
        """See `Log`."""
        return f"anthropic:msg:msg_{call}"

    def folder(self, here: Path) -> Path:
        """See `Log`. It follows a `cd`."""
        return here

    def answered(self, key: str, at: datetime, here: Standing) -> None:
        """See `Log`."""
        used = {"input_tokens": 0, "output_tokens": 1}
        message = {"id": f"msg_{key}", "role": "assistant", "model": "claude-sonnet-4-5", "usage": used}
        self._row(at, here, type="assistant", requestId=f"req_{key}", message=message)

    def ran(self, command: str, output: str, at: datetime, here: Standing) -> None:
        """What the client saw git do stands beside the result; a pull request it saw has a row of its own too."""
        result: dict[str, Any] = {"stdout": output, "stderr": "", "interrupted": False}
        committed, pull = _COMMITTED.search(output), _PULL.search(output)
        if committed:
            seen = {
                "sha": committed["sha"],
                "kind": "committed",
                "branch": committed["branch"].replace("detached ", ""),
            }
            result["gitOperation"] = {"commit": seen}
        if pull:
            action = "created" if "create" in command else "commented"
            about = {"number": int(pull["number"]), "url": pull[0], "action": action}
            result["gitOperation"] = {"pr": about}
            link = {"prNumber": int(pull["number"]), "prUrl": pull[0], "prRepository": pull["name"]}
            self._write({"type": "pr-link", "sessionId": self.session, "timestamp": iso(at), **link})
        answer = {"type": "tool_result", "tool_use_id": "toolu_1", "content": output}
        self._row(at, here, type="user", message={"role": "user", "content": [answer]}, toolUseResult=result)

    def _row(self, at: datetime, here: Standing, **more: Any) -> None:
        about: dict[str, Any] = {
            "sessionId": self.session,
            "version": "2.1.330",
            "cwd": str(here.folder),
            "gitBranch": here.branch,
        }
        if self.subagent:
            about |= {"agentId": self.subagent, "isSidechain": True}
        self._write({"timestamp": iso(at), **about, **more})

    def _write(self, row: dict[str, Any]) -> None:
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")


@dataclass
class Codex:
    """`~/.codex/sessions/Y/M/D/rollout-…-<session>.jsonl`. Git is asked once, at the beginning; later only commands tell.

    The session stays in the folder it was begun in. A command for another one says so in its `workdir`, and so do those for the same.
    """

    home: Path
    session: str
    _file: Path | None = None
    _folder: Path | None = None
    _calls: int = 0

    def key(self, call: str) -> str:
        """See `Log`."""
        return f"openai:resp:resp_{call}"

    def folder(self, here: Path) -> Path:
        """See `Log`."""
        return self._folder or here

    def answered(self, key: str, at: datetime, here: Standing) -> None:
        """See `Log`."""
        self._begin(at, here)
        self._row(at, "turn_context", {"turn_id": "t", "cwd": str(self._folder), "model": "gpt-5.5"})
        used = {"input_tokens": 0, "cached_input_tokens": 0, "output_tokens": 1}
        name = {"thread_id": self.session, "session_id": self.session, "response_id": f"resp_{key}"}
        self._row(at, "token_usage_record", {**name, "usage": used})

    def ran(self, command: str, output: str, at: datetime, here: Standing) -> None:
        """See `Log`."""
        self._begin(at, here)
        self._calls += 1
        call = {"call_id": f"call_{self._calls}"}
        arguments = json.dumps({"cmd": command, "workdir": str(here.folder)})
        asked = {"type": "function_call", "name": "exec_command", "arguments": arguments, **call}
        printed = f"Wall time: 0.0 seconds\nProcess exited with code 0\nOutput:\n{output}"
        self._row(at, "response_item", asked)
        self._row(at, "response_item", {"type": "function_call_output", "output": printed, **call})

    def _begin(self, at: datetime, here: Standing) -> None:
        if self._file is not None:
            return
        self._folder = here.folder
        folder = self.home / ".codex" / "sessions" / f"{at:%Y/%m/%d}"
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"rollout-{at:%Y-%m-%dT%H-%M-%S}-{self.session}.jsonl"
        git = {"repository_url": here.remote, "branch": here.branch, "commit_hash": here.commit}
        about = {"id": self.session, "session_id": self.session, "timestamp": iso(at), "cwd": str(here.folder)}
        self._row(at, "session_meta", {**about, "cli_version": "0.169.0", "source": "exec", "git": git})

    def _row(self, at: datetime, kind: str, payload: dict[str, Any]) -> None:
        assert self._file is not None
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"timestamp": iso(at), "type": kind, "payload": payload}) + "\n")


def iso(at: datetime) -> str:
    """As the clients write a time."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
