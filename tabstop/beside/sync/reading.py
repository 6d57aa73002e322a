"""Reading: which log files changed, and what of them goes into the queue, each call by the repository it was made in."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tabstop.agents.claude_code.client_count import ClientCount
from tabstop.agents.log_files import LogFile, LogReading, read
from tabstop.beside.checked_out import CheckedOutThen
from tabstop.beside.checkout import repositories_of
from tabstop.beside.sync.queue import Part, Price, Queue
from tabstop.evidence import CommitMade, Evidence
from tabstop.gauge import GaugeReading
from tabstop.usage import Usage

CLAUDE_CODE = "claude-code"
"""It notes the branch with every call; the others once, or never."""


@dataclass(frozen=True, slots=True)
class Place:
    """own: the clone's repository, `owner/name`. told: the one whose owner is told of work there: that of which it is a fork.

    Both empty where none is known.
    """

    own: str
    told: str


Where = Callable[[Evidence], Place]


@dataclass(frozen=True, slots=True)
class Read:
    """files: how many were read. missed: those that could not be opened, with the reason. gauges: readings of vendors' windows."""

    files: int = 0
    missed: tuple[tuple[Path, str], ...] = ()
    gauges: tuple[GaugeReading, ...] = ()


def read_changed(files: tuple[LogFile, ...], queue: Queue, since: datetime, where: Where, price: Price) -> Read:
    """Read the files that changed since the last time; what happened before `since` is left alone."""
    count, missed, gauges = 0, [], []
    for file in files:
        try:
            seen = identity(file)
            if seen == queue.seen(file.path):
                continue
            readings = read(file)
        except OSError as error:
            missed.append((file.path, error.strerror or type(error).__name__))
            continue
        _take(queue, file, seen, readings, since, where, price)
        gauges += [gauge for one in readings for gauge in one.gauges]
        count += 1
    return Read(count, tuple(missed), tuple(gauges))


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


def remembering(queue: Queue, owners: Container[str]) -> Where:
    """Ask git for each folder once, and remember its answer: a worktree may be gone the next time.

    owners: who is told of work in their repositories, in lower case.
    """
    asked: dict[str, tuple[str, ...]] = {}

    def repositories(folder: str) -> tuple[str, ...]:
        if folder not in asked:
            found = repositories_of(folder) if Path(folder).is_dir() else ()
            if found:
                queue.know_folder(folder, found)
            asked[folder] = found or queue.repositories_of(folder)
        return asked[folder]

    def where(evidence: Evidence) -> Place:
        known = evidence.repository
        if owner_of(known) in owners or not evidence.folder:
            return Place(known, known)
        names = repositories(evidence.folder)
        if known and known.lower() not in {one.lower() for one in names}:
            return Place(known, known)  # the folder has become another clone since
        own = known or next(iter(names), "")
        if owner_of(own) in owners:
            return Place(own, own)
        return Place(own, next((one for one in names if owner_of(one) in owners), own))

    return where


def owner_of(repository: str) -> str:
    """Whose repository it is, in lower case."""
    return repository.partition("/")[0].lower()


def _take(
    queue: Queue,
    file: LogFile,
    seen: str,
    readings: tuple[LogReading, ...],
    since: datetime,
    where: Where,
    price: Price,
) -> None:
    calls, links, commits, totals = [], [], [], []
    for one in readings:
        placed = list(_placed(file.agent, one, where))
        calls += [(part, usage) for part, usage in placed if usage.occurred_at >= since]
        links += [(Part(file.agent, one.session, link.repository), link) for link in one.pull_requests]
        for made in one.commits:
            place = _place_of(made, placed)
            if place.told:
                commits.append((Part(file.agent, one.session, place.told), replace(made, repository=place.own)))
        last = one.checkpoints[-1] if one.checkpoints else None
        # A fork counts on from where its parent stood, so its total is not its own.
        if last is not None and last.after is not None and last.after >= since and not one.copied_from:
            begun = [usage for _, usage in placed if usage.occurred_at < since]
            if not begun:  # a session that began before would count what is left out
                totals.append((file.agent, one.session, last.after, dict[str, ClientCount](last.counts)))
    unread = sum(sum(one.skip_reasons.values()) for one in readings)
    queue.take(file.path, seen, unread, calls, links, commits, totals, price)


def _placed(agent: str, reading: LogReading, where: Where) -> Iterator[tuple[Part, Usage]]:
    then = CheckedOutThen()
    for usage in reading.usages:
        session = usage.thread if usage.thread in reading.copied_from else reading.session
        told = usage.evidence if agent == CLAUDE_CODE else then.completed(usage.evidence, usage.occurred_at)
        place = where(told)
        evidence = replace(told, repository=place.own)
        yield Part(agent, session, place.told), replace(usage, evidence=evidence)


def _place_of(made: CommitMade, placed: list[tuple[Part, Usage]]) -> Place:
    """Of a commit: as its session's calls in that repository; where it names none, where the session worked then."""
    places = [(usage.occurred_at, Place(usage.evidence.repository, part.repository)) for part, usage in placed]
    if made.repository:
        return next((one for _, one in places if one.own == made.repository), Place(made.repository, made.repository))
    before = [one for at, one in places if made.at is None or at <= made.at]
    return (before or [one for _, one in places[:1]] or [Place("", "")])[-1]
