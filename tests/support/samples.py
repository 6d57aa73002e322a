"""Captured agent sessions (`tests/samples`), read whole, and laid out as they stood after any of their runs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
CLAUDE = SAMPLES / "claude"

CLAUDE_CASES: tuple[str, ...] = tuple(sorted(p.name for p in CLAUDE.iterdir() if p.is_dir()))

# Transcripts and streams carry ISO times with milliseconds; cost-state rows carry unix milliseconds.
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_UNIX_MS = re.compile(r'(?<="startTime":)\d{13}|(?<="startTime": )\d{13}')


@dataclass(frozen=True)
class ClaudeRun:
    """One start of the client within a case. `rows_after` gives, per transcript (path below `projects/`), its row count when the run ended."""

    number: int
    name: str
    prompt: str
    args: tuple[str, ...]
    began: datetime
    ended: datetime
    exit: int
    calls: int
    rows_after: dict[str, int]


@dataclass(frozen=True)
class InvoiceLine:
    """What one answer of the API truly used, in tokens by kind: the ground truth of a case."""

    run: int
    model: str
    message_id: str
    request_id: str
    session: str
    at: datetime
    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int


@dataclass(frozen=True)
class ClaudeCase:
    """One captured case: its runs, what they cost by the API's own invoice, and the files the client left."""

    name: str
    folder: Path
    cwd: str
    runs: tuple[ClaudeRun, ...]
    invoice: tuple[InvoiceLine, ...]

    @property
    def sessions(self) -> tuple[str, ...]:
        """The client's session ids that have a transcript, oldest first."""
        first: dict[str, int] = {}
        for run in self.runs:
            for path in run.rows_after:
                if path.count("/") == 1:
                    first.setdefault(Path(path).stem, run.number)
        return tuple(sorted(first, key=lambda session: first[session]))

    @property
    def execution_file(self) -> Path | None:
        """The last run's stream as one JSON array, as claude-code-action leaves it; None when the client was killed."""
        path = self.folder / "execution.json"
        return path if path.exists() else None

    def events(self, run: int | None = None) -> list[dict[str, Any]]:
        """The stream-json events of one run (default: the last)."""
        wanted = self._run(run)
        text = (self.folder / "runs" / f"{wanted.number}-{wanted.name}" / "stream.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def result(self, run: int | None = None) -> dict[str, Any] | None:
        """The last `result` event of a run, or None when it has none (killed)."""
        results = [event for event in self.events(run) if event["type"] == "result"]
        return results[-1] if results else None

    def write_execution_file(self, path: Path, run: int | None = None) -> Path:
        """Writes a run's events as claude-code-action's `execution_file`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.events(run), indent=2))
        return path

    def lay_out(
        self,
        claude_home: Path,
        *,
        after_run: int | None = None,
        workspace: Path | None = None,
        began: datetime | None = None,
    ) -> Path:
        """Writes the transcripts below `claude_home/projects` as they stood after a run, and answers the project's folder.

        `workspace` replaces the captured working directory, in rows and in the folder's name; `began` moves all times
        so that the first run begins then. Each file's modification time is the end of the last run that wrote to it.
        """
        run = self._run(after_run)
        shift = began - self.runs[0].began if began else timedelta()
        cwd = str(workspace) if workspace else self.cwd
        edit = _editor(self.cwd, cwd, shift)
        project = claude_home / "projects" / project_folder(cwd)
        source = self.folder / "projects"
        for path, rows in run.rows_after.items():
            inside = Path(path).relative_to(project_folder(self.cwd))
            target = project / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            text = (source / path).read_bytes().decode()
            last = run.number == self.runs[-1].number
            kept = text if last else "".join(text.splitlines(keepends=True)[:rows])
            target.write_text(edit(kept))
            ended = (self._last_writer(path, run.number).ended + shift).timestamp()
            os.utime(target, (ended, ended))
            meta = (source / path).with_suffix(".meta.json")
            if meta.exists():
                target.with_suffix(".meta.json").write_text(edit(meta.read_text()))
        return project

    def _run(self, number: int | None) -> ClaudeRun:
        return self.runs[-1] if number is None else self.runs[number - 1]

    def _last_writer(self, path: str, upto: int) -> ClaudeRun:
        rows = self.runs[upto - 1].rows_after[path]
        return next(run for run in self.runs if run.rows_after.get(path) == rows)


def project_folder(cwd: str) -> str:
    """The client's name for a working directory: everything but letters and digits becomes a dash."""
    return re.sub(r"[^A-Za-z0-9]", "-", cwd)


@cache
def claude_case(name: str) -> ClaudeCase:
    """One of `CLAUDE_CASES`; tests/samples/README.md says what each shows."""
    folder = CLAUDE / name
    about = json.loads((folder / "case.json").read_text())
    runs = tuple(
        ClaudeRun(
            number=run["run"],
            name=run["name"],
            prompt=run["prompt"],
            args=tuple(run["args"]),
            began=datetime.fromisoformat(run["began"]),
            ended=datetime.fromisoformat(run["ended"]),
            exit=run["exit"],
            calls=run["calls"],
            rows_after=run["rows_after"],
        )
        for run in about["runs"]
    )
    lines = (folder / "invoice.jsonl").read_text().splitlines()
    return ClaudeCase(
        name=name,
        folder=folder,
        cwd=about["cwd"],
        runs=runs,
        invoice=tuple(_invoice_line(json.loads(x)) for x in lines),
    )


def codex_rollout(*, resumed: bool = False) -> Path:
    """A Codex rollout file; `resumed` is the same thread after `codex exec resume`."""
    return SAMPLES / "codex" / ("rollout-resumed.jsonl" if resumed else "rollout.jsonl")


def gemini_stdout() -> Path:
    """What run-gemini-cli leaves as `gemini-artifacts/stdout.log`."""
    return SAMPLES / "gemini" / "stdout.log"


def gemini_chat() -> Path:
    """Gemini CLI's chat file (`~/.gemini/tmp/PROJECT/chats/session-*.jsonl`)."""
    return SAMPLES / "gemini" / "chat.jsonl"


def _invoice_line(row: dict[str, Any]) -> InvoiceLine:
    usage = row["usage"]
    return InvoiceLine(
        run=row["run"],
        model=row["model"],
        message_id=row["message_id"],
        request_id=row["request_id"],
        session=row["session"],
        at=datetime.fromtimestamp(row["t"], UTC),
        input=usage["input_tokens"],
        cache_read=usage["cache_read_input_tokens"],
        cache_write_5m=usage["cache_creation"]["ephemeral_5m_input_tokens"],
        cache_write_1h=usage["cache_creation"]["ephemeral_1h_input_tokens"],
        output=usage["output_tokens"],
    )


def _editor(old_cwd: str, new_cwd: str, shift: timedelta) -> Callable[[str], str]:
    def iso(match: re.Match[str]) -> str:
        moved = datetime.fromisoformat(match.group()) + shift
        return moved.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moved.microsecond // 1000:03d}Z"

    def unix_ms(match: re.Match[str]) -> str:
        return str(int(match.group()) + round(shift.total_seconds() * 1000))

    def edit(text: str) -> str:
        if shift:
            text = _UNIX_MS.sub(unix_ms, _ISO.sub(iso, text))
        return text.replace(old_cwd, new_cwd).replace(project_folder(old_cwd), project_folder(new_cwd))

    return edit
