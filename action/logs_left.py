"""The logs that Codex, Gemini CLI and OpenCode left in this job: their calls, their clients' totals, what they saw git do.

Which calls count is decided as for Claude Code: those made after the gate, in a session that worked in this workspace.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from action.inputs import Inputs
from action.session_file import Session
from tabstop.agents.claude_code.responses import each_once
from tabstop.agents.claude_code.rows import lines_of
from tabstop.agents.codex.exec_stream import read_exec_stream
from tabstop.agents.gemini.results import read_result
from tabstop.agents.homes import Homes
from tabstop.agents.log_files import LogFile, LogReading, discover, read
from tabstop.evidence import CommitMade, PullRequestLink
from tabstop.usage import Tokens, Usage
from tabstop.wire import ClientTotal

GEMINI_OUTPUT = Path("gemini-artifacts/stdout.log")
"""As run-gemini-cli leaves it in the workspace."""

NOTHING_FOUND = "logs of this agent: none that was written in this job"

_HOMES: Mapping[str, Callable[[Path], Homes]] = {
    "codex": lambda folder: Homes(codex=(folder,)),
    "gemini-cli": lambda folder: Homes(gemini=(folder,)),
    "opencode": lambda folder: Homes(opencode=(folder,)),
}
_CLOCK_STEP = timedelta(seconds=2)  # the coarsest file time there is


@dataclass(frozen=True, slots=True)
class LogsLeft:
    """What was found. branch: the last that a call was made on. skipped: what was left out, each reason counted."""

    usages: tuple[Usage, ...] = ()
    totals: tuple[ClientTotal, ...] = ()
    pull_requests: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()
    branch: str = ""
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def found(self) -> bool:
        """Whether anything tells what was used."""
        return bool(self.usages or self.totals)


def read_logs(session: Session, inputs: Inputs, environ: Mapping[str, str]) -> LogsLeft:
    """Read what belongs to this session. Never raises for what lies there."""
    workspace = Path(os.path.realpath(environ.get("GITHUB_WORKSPACE", ".")))
    reading = _Reading(session.begun_at, workspace)
    agent = session.start.agent
    try:
        for file in discover(_homes(agent, inputs, environ), [agent]):
            reading.file(file)
        if agent == "opencode" and inputs.execution_file:
            reading.file(LogFile(agent, Path(inputs.execution_file)))  # what `opencode export` printed
    except ImportError as error:  # a Python that was built without SQLite
        reading.skipped[f"logs of this agent: {error}"] += 1
    found = reading.left()
    return replace(found, totals=_totals(agent, session.begun_at, inputs, workspace, found))


def _homes(agent: str, inputs: Inputs, environ: Mapping[str, str]) -> Homes:
    if inputs.agent_home:
        return _HOMES[agent](Path(inputs.agent_home).expanduser())
    return Homes.from_environ(environ)


class _Reading:
    def __init__(self, begun_at: datetime, workspace: Path) -> None:
        self.skipped: Counter[str] = Counter()
        self._gate = begun_at
        self._workspace = workspace
        self._readings: dict[str, list[LogReading]] = {}

    def file(self, file: LogFile) -> None:
        """Read it, when it was written to since the gate: a machine may hold thousands."""
        if not any(_written(path, self._gate - _CLOCK_STEP) for path in (file.path, *file.beside)):
            self.skipped["file: not written to since the gate"] += 1
            return
        try:
            for reading in read(file):
                if reading.problem:
                    self.skipped[f"file: {reading.problem}"] += 1
                self._readings.setdefault(reading.session, []).append(reading)
        except OSError as error:
            self.skipped[f"file: cannot be read ({type(error).__name__})"] += 1

    def left(self) -> LogsLeft:
        """All sessions together, each call once."""
        usages: list[Usage] = []
        links: list[PullRequestLink] = []
        commits: list[CommitMade] = []
        for readings in self._readings.values():
            new = [usage for one in readings for usage in one.usages if usage.occurred_at >= self._gate]
            if new and not self._here(readings):
                self.skipped["session: in another folder"] += 1
                continue
            if new or not any(one.usages for one in readings):
                for one in readings:
                    self.skipped.update(one.skip_reasons)
            usages += new
            links += [link for one in readings for link in one.pull_requests if self._since(link.at)]
            commits += [made for one in readings for made in one.commits if self._since(made.at)]
        once = each_once(usages)
        branches = [usage.evidence.branch for usage in once if usage.evidence.branch]
        return LogsLeft(
            once,
            pull_requests=tuple(dict.fromkeys(links)),
            commits=tuple(dict.fromkeys(commits)),
            branch=branches[-1] if branches else "",
            skipped=dict(self.skipped),
        )

    def _here(self, readings: Iterable[LogReading]) -> bool:
        folders = (usage.evidence.folder for one in readings for usage in one.usages if usage.evidence.folder)
        return any(Path(os.path.realpath(folder)).is_relative_to(self._workspace) for folder in folders)

    def _since(self, at: datetime | None) -> bool:
        return at is None or at >= self._gate


def _written(path: Path, since: datetime) -> bool:
    try:
        return path.stat().st_mtime >= since.timestamp()
    except OSError:
        return False


def _totals(
    agent: str, begun_at: datetime, inputs: Inputs, workspace: Path, found: LogsLeft
) -> tuple[ClientTotal, ...]:
    """What the client itself said at its end, where the workflow kept it."""
    said = Path(inputs.execution_file) if inputs.execution_file else workspace / GEMINI_OUTPUT
    if not (said.is_file() and _written(said, begun_at - _CLOCK_STEP)):  # opening a pipe would wait for its writer
        return ()
    if agent == "gemini-cli":
        result = read_result(said)
        return result.totals if result is not None else ()
    if agent == "codex" and inputs.execution_file and inputs.model and not found.usages:
        try:
            with said.open("rb") as stream:
                run = read_exec_stream(lines_of(stream))
        except OSError:
            return ()
        used = sum(run.used(), Tokens())
        return (ClientTotal(run.thread, inputs.model, used),) if run.thread and used.total else ()
    return ()
