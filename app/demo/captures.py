"""Captured sessions of a real client, laid out on a runner as if the agent had just worked there."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

SESSIONS = Path(__file__).parent / "sessions"

# Transcripts carry ISO times with milliseconds; the client's cost-state rows carry unix milliseconds.
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_UNIX_MS = re.compile(r'(?<="startTime":)\d{13}|(?<="startTime": )\d{13}')


@dataclass(frozen=True, slots=True)
class Capture:
    """One captured session. cwd: where the client worked; began, ended: when."""

    folder: Path
    client: str
    cwd: str
    began: datetime
    ended: datetime

    @classmethod
    def named(cls, name: str) -> Capture:
        """One of `app/demo/sessions`."""
        about = json.loads((SESSIONS / name / "case.json").read_text(encoding="utf-8"))
        began, ended = datetime.fromisoformat(about["began"]), datetime.fromisoformat(about["ended"])
        return cls(SESSIONS / name, about["client"], about["cwd"], began, ended)

    @property
    def lasted(self) -> timedelta:
        """How long the client worked."""
        return self.ended - self.began

    def lay_out(self, claude_home: Path, workspace: Path, began: datetime) -> None:
        """Write the transcripts below `claude_home/projects` as the client would have, had it begun then in `workspace`."""
        shift = began - self.began
        source = self.folder / "projects" / folder_of(self.cwd)
        for path in sorted(source.rglob("*.json*")):
            target = claude_home / "projects" / folder_of(str(workspace)) / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self._moved(path.read_text(encoding="utf-8"), str(workspace), shift), encoding="utf-8")
            written = (self.ended + shift).timestamp()
            os.utime(target, (written, written))

    def write_execution_file(self, path: Path, workspace: Path, began: datetime) -> Path:
        """The client's own account, as claude-code-action leaves it behind."""
        text = (self.folder / "execution.json").read_text(encoding="utf-8")
        path.write_text(self._moved(text, str(workspace), began - self.began), encoding="utf-8")
        return path

    def _moved(self, text: str, cwd: str, shift: timedelta) -> str:
        def iso(found: re.Match[str]) -> str:
            moved = datetime.fromisoformat(found[0]) + shift
            return moved.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moved.microsecond // 1000:03d}Z"

        def unix_ms(found: re.Match[str]) -> str:
            return str(int(found[0]) + round(shift.total_seconds() * 1000))

        moved = _UNIX_MS.sub(unix_ms, _ISO.sub(iso, text))
        return moved.replace(self.cwd, cwd).replace(folder_of(self.cwd), folder_of(cwd))


def folder_of(cwd: str) -> str:
    """The client's name for a working directory: everything but letters and digits becomes a dash."""
    return re.sub(r"[^A-Za-z0-9]", "-", cwd)
