"""A scripted Claude Code: fires captured hook payloads through the commands in its settings, writes its transcript, obeys a stop."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.hook_payloads import SESSION, captured

HOOK_SECONDS = 30


@dataclass
class HookedAgent:
    """environ: of the agent's process; HOME is where its settings and transcripts lie. session: its own id."""

    environ: Mapping[str, str]
    workspace: Path
    session: str = SESSION
    answers: int = 0
    said: list[dict[str, Any]] = field(default_factory=list)
    """Replies of its hooks, in order."""

    @property
    def home(self) -> Path:
        """Claude Code's own folder."""
        return Path(self.environ["HOME"]) / ".claude"

    @property
    def transcript(self) -> Path:
        """Of this session."""
        folder = "".join(one if one.isalnum() else "-" for one in str(self.workspace))
        return self.home / "projects" / folder / f"{self.session}.jsonl"

    def run(self, *, tokens: int = 10_000) -> bool:
        """One captured run, each tool after a model answer of so many input tokens. Whether a hook stopped it."""
        for event, payload in captured("claude"):
            if event == "PreToolUse":
                self.answer(tokens, str(payload.get("tool_use_id", "")))
            if event != "SessionEnd" and self.fire(event, payload).get("continue") is False:
                self.fire("SessionEnd", {"reason": "other"})
                return True
        self.fire("SessionEnd", {"reason": "other"})
        return False

    def fire(self, event: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run what the settings have for this event, as the client does: a shell, the payload on its standard input."""
        mine = {"session_id": self.session, "cwd": str(self.workspace), "transcript_path": str(self.transcript)}
        body = json.dumps({**payload, **mine, "hook_event_name": event}).encode()
        reply: dict[str, Any] = {}
        for command in self._commands(event):
            done = subprocess.run(
                ["/bin/sh", "-c", command],
                input=body,
                capture_output=True,
                env=dict(self.environ),
                cwd=self.workspace,
                check=True,
                timeout=HOOK_SECONDS,
            )
            if done.stdout:
                reply |= json.loads(done.stdout)
        self.said += [reply] if reply else []
        return reply

    def answer(self, tokens: int, call: str = "") -> None:
        """The model answers and asks for a tool; the client writes it down."""
        self.answers += 1
        number = f"{self.session[:8]}_{self.answers}"
        blocks = [{"type": "tool_use", "id": call, "name": "Bash", "input": {"command": "ls"}}] if call else []
        row = {
            "type": "assistant",
            "uuid": f"uuid-{number}",
            "sessionId": self.session,
            "requestId": f"req_{number}",
            "cwd": str(self.workspace),
            "gitBranch": "claude/fix",
            "version": "2.1.330",
            "timestamp": datetime.now(UTC).isoformat(),
            "message": {
                "id": f"msg_{number}",
                "role": "assistant",
                "model": "claude-opus-5-5",
                "usage": {"input_tokens": tokens, "output_tokens": 10},
                "content": blocks,
            },
        }
        self.transcript.parent.mkdir(parents=True, exist_ok=True)
        with self.transcript.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

    def write_execution_file(self, path: Path, *, stopped: bool) -> Path:
        """What claude-code-action leaves: a run that a hook stopped calls itself a success."""
        result = {
            "type": "result",
            "subtype": "success",
            "is_error": False,
            "result": "" if stopped else "done",
            "num_turns": self.answers,
            "session_id": self.session,
            "terminal_reason": "hook_stopped" if stopped else "completed",
        }
        path.write_text(json.dumps([result]), encoding="utf-8")
        return path

    def _commands(self, event: str) -> list[str]:
        try:
            settings = json.loads((self.home / "settings.json").read_bytes())
        except FileNotFoundError:
            return []
        groups = settings.get("hooks", {}).get(event, [])
        return [entry["command"] for group in groups for entry in group["hooks"]]
