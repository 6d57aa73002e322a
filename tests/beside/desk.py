"""A desk of a machine of its own: a repository with a policy, a transcript that grows on demand, a clock that stands still until told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_desk import HookDesk
from tabstop.beside.hook_records import name_of
from tabstop.beside.session_folder import Record, SessionFolder
from tabstop.governor.orders import Event
from tabstop.session import SessionOutcome
from tabstop.usage import Usage
from tabstop.verdict import Verdict
from tests.governor.builders import BEGUN
from tests.support.hook_payloads import SESSION

Open = Callable[..., "Desk"]


CLAUDE = name_of("claude-code", SESSION)


class Told:
    """A session's report to its server."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.begun = self.closed = False
        self.outcome: SessionOutcome | None = None

    def begin(self, *, wait: bool = True) -> Verdict:
        assert not wait
        self.begun = True
        return Verdict()

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def close(self, outcome: SessionOutcome | None) -> bool:
        self.outcome, self.closed = outcome, True
        return True


class Desk:
    """A desk with a repository, a transcript that grows on demand, and a clock that stands still until told."""

    def __init__(self, folder: Path, policy: str) -> None:
        self.home = folder
        self.root = folder / "state" / "sessions"
        self.repository = folder / "widget"
        (self.repository / ".git").mkdir(parents=True)
        (self.repository / "src").mkdir()
        if policy:
            (self.repository / ".github").mkdir()
            (self.repository / ".github" / "tabstop.yml").write_text(policy, encoding="utf-8")
        self.transcript = folder / f"{SESSION}.jsonl"
        self.now = BEGUN
        self.said: list[str] = []
        self.events: list[Event] = []
        self.usages: list[Usage] = []
        self.told: list[Told] = []
        self.with_server = False
        self.answers = 0
        self.desk = self.open()

    def open(self) -> HookDesk:
        socket = self.root.parent / "governor.sock"
        return HookDesk(self.root, {}, self.clock, self.said.append, socket, self.reports_of)

    def reports_of(self, _record: Record, session: GovernedSession, _folder: SessionFolder) -> Told | None:
        """Who reports, where `with_server` says that there is a server; what would be told is kept either way."""
        told = Told(self.events)
        session.listen(lambda event, _order: told.on_event(event), self.usages.append)
        self.told.append(told)
        return told if self.with_server else None

    def clock(self) -> datetime:
        return self.now

    def hook(
        self, body: dict[str, Any] | bytes, agent: str = "claude-code", session: str = "-", event: str = ""
    ) -> Any:
        """The reply as JSON, None for nothing said."""
        data = body if isinstance(body, bytes) else json.dumps(self.at_home(body)).encode()
        event = event or (body["hook_event_name"] if isinstance(body, dict) else "Stop")
        answer = self.desk.hook((agent, event, session), data)
        head, _, text = b"".join([answer] if isinstance(answer, bytes) else answer).partition(b"\n")
        self.wait = float(head.split()[1])
        return json.loads(text) if text else None

    def at_home(self, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "cwd": str(self.repository / "src"), "transcript_path": str(self.transcript)}

    def answer(self, tokens: int = 1_000, *, calls: tuple[str, ...] = (), model: str = "claude-opus-5-5") -> None:
        """The model answers; at $4 per million input tokens."""
        self.now += timedelta(seconds=1)
        self.answers += 1
        blocks = [{"type": "tool_use", "id": one, "name": "Bash", "input": {}} for one in calls]
        message = {"id": f"msg_{self.answers}", "model": model, "usage": {"input_tokens": tokens}, "content": blocks}
        row = {"type": "assistant", "sessionId": SESSION, "requestId": f"req_{self.answers}", "message": message}
        with self.transcript.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({**row, "timestamp": self.now.isoformat()}) + "\n")

    def kept(self, *bodies: dict[str, Any]) -> Path:
        """A folder with what hooks kept while nobody was there, a minute apart."""
        folder = self.home / "waiting"
        folder.mkdir()
        for number, body in enumerate(bodies):
            data = json.dumps(self.at_home(body)).encode()
            at = int((BEGUN - timedelta(minutes=10 - number)).timestamp() * 1e9)
            head = f"hook claude-code {body['hook_event_name']} - {len(data)}\n".encode()
            (folder / f"{at:020d}-1").write_bytes(head + data)
        return folder

    @property
    def folder(self) -> SessionFolder:
        return SessionFolder(self.root / CLAUDE)

    def standing(self, agent: str = "claude-code") -> set[str]:
        folder = self.root.parent / "hooks" / "standing" / f"{agent}-{SESSION}"
        return {path.name for path in folder.iterdir()} if folder.exists() else set()
