"""Log files: what every agent's logs are read into, and the table of who reads whose.

Each agent has one module with two functions, named in `READERS`:

    discover(homes: Homes) -> Iterable[LogFile]            what is there; a folder that is missing has none
    read(file: LogFile) -> Iterable[LogReading]            one reading per session in the file; never raises for its content

`read` raises `OSError` when the file cannot be opened. It streams: memory grows with the calls in a file, not with its size.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from tabstop.agents.homes import Homes

if TYPE_CHECKING:  # `discover` needs none of them, and must not wait for them
    from tabstop.agents.claude_code.rows import SkippedRow
    from tabstop.agents.claude_code.transcript import Checkpoint
    from tabstop.evidence import CommitMade, PullRequestLink
    from tabstop.gauge import GaugeReading
    from tabstop.usage import Usage

READERS: Mapping[str, str] = {
    "claude-code": "tabstop.agents.claude_code.logs",
    "codex": "tabstop.agents.codex.logs",
    "gemini-cli": "tabstop.agents.gemini.logs",
    "opencode": "tabstop.agents.opencode.logs",
}
"""Agent, as `Usage.agent` names it: the module with its `discover` and `read`. Imported when asked for, so that a machine without
one agent's logs does not load its reader."""

_NOT_THERE = (FileNotFoundError, NotADirectoryError)
"""Of a folder: then it has no logs, and there is nothing to tell."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of an agent's logs.

    beside: files whose change means that this one changed (a database's `-wal`); they may not exist.
    """

    agent: str
    path: Path
    beside: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class LogReading:
    """What a file tells of one of the client's sessions.

    session: the client's id of it; a subagent's file names the session it works for, so that both count as one.
    usages: each response once, oldest first, with evidence; thread is the subagent, or the session.
    copied_from: other sessions that responses were copied from (fork): a usage whose thread is one of them belongs to that session,
    and is dropped beside the original by its keys.
    checkpoints: what the client itself had counted for the whole session, subagents included, in file order: where it knows
    of calls that no row tells (compaction). A client that copies a session goes on counting from its total.
    gauges: of each of the plan's windows the newest reading, where the log tells of them.
    skipped: the first fifty lines that could not be used, each with its number from 1. skip_reasons: all of them, counted.
    problem: why the file could not be read, or not to its end. Of one reading of a file at most. passing: another time it may be,
    though the file is the same (a lock).
    """

    session: str = ""
    usages: tuple[Usage, ...] = ()
    pull_requests: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()
    copied_from: frozenset[str] = frozenset()
    checkpoints: tuple[Checkpoint, ...] = ()
    skipped: tuple[SkippedRow, ...] = ()
    skip_reasons: Mapping[str, int] = field(default_factory=dict)
    gauges: tuple[GaugeReading, ...] = ()
    problem: str = ""
    passing: bool = False


def files_below(agent: str, folder: Path, is_log: Callable[[str], bool]) -> Iterator[LogFile]:
    """Every log in this folder and those in it, by its name. Links are not followed: one could lead out of the folder.

    A folder that may not be looked into stands for its logs: whoever tries to read it tells why that cannot be.
    """
    closed: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=closed.append):
        folders.sort()
        for name in sorted(names):
            if is_log(name):
                yield LogFile(agent, Path(where, name))
    yield from (LogFile(agent, Path(one.filename)) for one in closed if not isinstance(one, _NOT_THERE))


def entries_of(folder: Path) -> list[Path] | None:
    """What is in it, by name; None where it may not be looked into."""
    try:
        return sorted(folder.iterdir())
    except PermissionError:
        return None
    except OSError:
        return []


Discover = Callable[[Homes], Iterable[LogFile]]
Read = Callable[[LogFile], Iterable[LogReading]]


_HOMES: Mapping[str, Callable[[Homes], tuple[Path, ...]]] = {
    "claude-code": lambda homes: homes.claude_code,
    "codex": lambda homes: homes.codex,
    "gemini-cli": lambda homes: homes.gemini,
    "opencode": lambda homes: homes.opencode,
}


def discover(homes: Homes, agents: Iterable[str] = READERS) -> tuple[LogFile, ...]:
    """Every log file of these agents, each once, in a stable order."""
    found: dict[Path, LogFile] = {}
    for agent in agents:
        if not any(map(os.path.isdir, _HOMES[agent](homes))):
            continue
        finding: Discover = import_module(READERS[agent]).discover
        for file in finding(homes):
            found.setdefault(file.path, file)
    return tuple(found.values())


def read(file: LogFile) -> tuple[LogReading, ...]:
    """Read one file with its agent's reader. Raises `OSError` when it cannot be opened, or is no plain file."""
    plain(file.path)
    reading: Read = import_module(READERS[file.agent]).read
    return tuple(reading(file))


def in_text(path: Path) -> str:
    """A file's name, for what takes only text: names are bytes, and may be none."""
    return os.fsencode(path).decode(errors="backslashreplace")


def plain(path: str | Path) -> os.stat_result:
    """The state of a plain file. Raises `OSError` for any other: a link could lead out of the folder, a pipe waits for its writer."""
    about = os.lstat(path)
    if not stat.S_ISREG(about.st_mode):
        if os.path.isdir(path):  # noqa: PTH112 - also what links to a folder that may not be entered
            raise PermissionError(errno.EACCES, "may not be looked into", str(path))
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return about
