"""Reading: which log files changed, and what of them goes into the queue, each call by the repository it was made in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tabstop.agents.claude_code.client_count import ClientCount
from tabstop.agents.log_files import LogFile, LogReading, read
from tabstop.beside.checkout import origin_of
from tabstop.beside.sync.queue import Part, Queue
from tabstop.evidence import Evidence
from tabstop.usage import Usage

Where = Callable[[Evidence], str]
"""The repository, `owner/name`, that evidence leads to; empty for none."""


@dataclass(frozen=True, slots=True)
class Read:
    """files: how many were read. missed: those that could not be opened, with the reason."""

    files: int = 0
    missed: tuple[tuple[Path, str], ...] = ()


def read_changed(files: tuple[LogFile, ...], queue: Queue, since: datetime, where: Where) -> Read:
    """Read the files that changed since the last time; what happened before `since` is left alone."""
    count, missed = 0, []
    for file in files:
        try:
            seen = identity(file)
            if seen == queue.seen(file.path):
                continue
            readings = read(file)
        except OSError as error:
            missed.append((file.path, error.strerror or type(error).__name__))
            continue
        _take(queue, file, seen, readings, since, where)
        count += 1
    return Read(count, tuple(missed))


def identity(file: LogFile) -> str:
    """What changes when the file, or one beside it, does. Raises `OSError`."""
    found = []
    for path in (file.path, *file.beside):
        try:
            about = path.stat()
        except FileNotFoundError:
            if path is file.path:
                raise
            continue
        found.append(f"{about.st_dev}:{about.st_ino}:{about.st_size}:{about.st_mtime_ns}")
    return " ".join(found)


def remembering(queue: Queue) -> Where:
    """Ask git for each folder once, and remember the answer: a worktree may be gone the next time."""

    def where(evidence: Evidence) -> str:
        if evidence.repository or not evidence.folder:
            return evidence.repository
        known = queue.repository_of(evidence.folder)
        if known is None:
            known = origin_of(evidence.folder) if Path(evidence.folder).is_dir() else ""
            if known:
                queue.know_folder(evidence.folder, known)
        return known

    asked: dict[str, str] = {}

    def once(evidence: Evidence) -> str:
        named = evidence.repository or evidence.folder
        if named not in asked:
            asked[named] = where(evidence)
        return asked[named]

    return once


def _take(
    queue: Queue, file: LogFile, seen: str, readings: tuple[LogReading, ...], since: datetime, where: Where
) -> None:
    calls, links, commits, totals = [], [], [], []
    for one in readings:
        placed = list(_placed(file.agent, one, where))
        calls += [(part, usage) for part, usage in placed if usage.occurred_at >= since]
        links += [(Part(file.agent, one.session, link.repository), link) for link in one.pull_requests]
        for made in one.commits:
            repository = made.repository or _repository_at(placed, made.at)
            if repository:
                commits.append((Part(file.agent, one.session, repository), replace(made, repository=repository)))
        last = one.checkpoints[-1] if one.checkpoints else None
        # A fork counts on from where its parent stood, so its total is not its own.
        if last is not None and last.after is not None and last.after >= since and not one.copied_from:
            begun = [usage for _, usage in placed if usage.occurred_at < since]
            if not begun:  # a session that began before would count what is left out
                totals.append((file.agent, one.session, last.after, dict[str, ClientCount](last.counts)))
    unread = sum(sum(one.skip_reasons.values()) for one in readings)
    queue.take(file.path, seen, unread, calls, links, commits, totals)


def _placed(agent: str, reading: LogReading, where: Where) -> Iterator[tuple[Part, Usage]]:
    for usage in reading.usages:
        session = usage.thread if usage.thread in reading.copied_from else reading.session
        repository = where(usage.evidence)
        evidence = replace(usage.evidence, repository=repository)
        yield Part(agent, session, repository), replace(usage, evidence=evidence)


def _repository_at(placed: list[tuple[Part, Usage]], at: datetime | None) -> str:
    """Where the session worked then: of its last call before."""
    before = [part.repository for part, usage in placed if at is None or usage.occurred_at <= at]
    return (before or [part.repository for part, _ in placed[:1]] or [""])[-1]
