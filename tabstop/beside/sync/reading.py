"""Reading: which log files changed, and what of them goes into the queue, each call by the repository it was made in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from tabstop.agents.claude_code.client_count import ClientCount
from tabstop.agents.log_files import LogFile, LogReading, read
from tabstop.beside.checked_out import CheckedOutThen
from tabstop.beside.checkout import repositories_of
from tabstop.beside.fork import Place, owner_of, place_of
from tabstop.beside.git_folder import tree_of
from tabstop.beside.local_git import recorded_worktrees, tree_of_gone
from tabstop.beside.sync.queue import Part, Price, Queue
from tabstop.evidence import CommitMade, Evidence, PullRequestLink
from tabstop.gauge import GaugeReading
from tabstop.usage import Usage

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Read:
    """files: how many were read. missed: those that could not be read, or not to their end, with the reason.

    gauges: readings of vendors' windows.
    """

    files: int = 0
    missed: tuple[tuple[Path, str], ...] = ()
    gauges: tuple[GaugeReading, ...] = ()


def read_changed(
    files: tuple[LogFile, ...], queue: Queue, since: datetime, owners: Mapping[str, str], price: Price
) -> Read:
    """Read the files that changed since the last time; what happened before `since` is left alone.

    owners: whose repositories are told of, in lower case: by each name that an organization has had, the one of now.
    """
    count, missed, gauges = 0, [], []
    taking = _Taking(queue, since, owners, price)
    for file in files:
        try:
            seen = identity(file)
            if seen == queue.seen(file.path):
                continue
            readings = read(file)
        except OSError as error:
            missed.append((file.path, error.strerror or type(error).__name__))
            continue
        problem = "".join(one.problem for one in readings)
        if problem:  # such as a lock, which may be gone the next time; until then every pass tells of it
            missed.append((file.path, problem))
            seen = ""
        taking.take(file, seen, readings)
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


class _Taking:
    """What files tell goes into the queue. Git is asked for each folder once."""

    def __init__(self, queue: Queue, since: datetime, owners: Mapping[str, str], price: Price) -> None:
        self._queue = queue
        self._since = since
        self._owners = owners
        self._price = price
        self._repositories: dict[str, tuple[str, ...]] = {}
        self._unasked = queue.known_folders()
        self._worktrees: dict[Path, Path] = {}
        self._then = CheckedOutThen()

    def take(self, file: LogFile, seen: str, readings: tuple[LogReading, ...]) -> None:
        """All of one file."""
        calls, links, commits, totals = [], [], [], []
        for one in readings:
            placed = list(self._placed(file.agent, one))
            calls += [(part, usage) for part, usage in placed if usage.occurred_at >= self._since]
            for link in one.pull_requests:
                told = self._told_at(link, placed)
                if told:
                    links.append((Part(file.agent, one.session, told), link))
            for made in one.commits:
                place = _place_of(made, placed)
                if place.told:
                    commits.append((Part(file.agent, one.session, place.told), replace(made, repository=place.own)))
            last = one.checkpoints[-1] if one.checkpoints else None
            # A fork counts on from where its parent stood, so its total is not its own.
            if last is not None and last.after is not None and last.after >= self._since and not one.copied_from:
                begun = [usage for _, usage in placed if usage.occurred_at < self._since]
                if not begun:  # a session that began before would count what is left out
                    totals.append((file.agent, one.session, last.after, dict[str, ClientCount](last.counts)))
        unread = sum(sum(one.skip_reasons.values()) for one in readings)
        self._queue.take(file.path, seen, unread, calls, links, commits, totals, self._price)

    def _placed(self, agent: str, reading: LogReading) -> Iterator[tuple[Part, Usage]]:
        self._learn_gone(reading)
        for usage in reading.usages:
            session = usage.thread if usage.thread in reading.copied_from else reading.session
            told = self._then.completed(usage)
            place = self._where(told)
            evidence = replace(told, repository=place.own)
            yield Part(agent, session, place.told), replace(usage, evidence=evidence)

    def _where(self, evidence: Evidence) -> Place:
        known = evidence.repository
        if owner_of(known) in self._owners or not evidence.folder:
            return Place(known, known)
        names = self._remotes(evidence.folder)
        if known and known.lower() not in {one.lower() for one in names}:
            return Place(known, known)  # the folder has become another clone since
        return place_of(names, self._owners, known)

    def _remotes(self, folder: str) -> tuple[str, ...]:
        """Remembered: a worktree may be gone the next time. Of one that is gone already, its repository's."""
        if folder not in self._repositories:
            there = Path(folder).is_dir()
            found = (repositories_of(folder) if there else ()) or self._queue.repositories_of(folder)
            if not there and not found:
                tree = tree_of_gone(folder, self._recorded_worktrees())
                found = repositories_of(str(tree)) if tree else ()
            if found:
                self._queue.know_folder(folder, found)
                self._unasked.append(folder)
            self._repositories[folder] = found
        return self._repositories[folder]

    def _recorded_worktrees(self) -> dict[Path, Path]:
        """Of all clones that are known by now; each is asked once."""
        trees = [tree for one in self._unasked if (tree := tree_of(Path(one))) is not None]
        self._unasked.clear()
        self._worktrees |= recorded_worktrees(trees)
        return self._worktrees

    def _learn_gone(self, reading: LogReading) -> None:
        """Of folders that are gone and that nothing else tells of: their session does, as `tabstop.report.placing` has it.

        It made calls on the same branch in a folder around it, or saw pull requests of one repository only.
        """
        branches: dict[str, set[str]] = {}
        for usage in reading.usages:
            branches.setdefault(usage.evidence.folder, set()).update({usage.evidence.branch} - {""})
        linked = tuple({link.repository for link in reading.pull_requests})
        for folder in sorted(branches):
            if folder and not Path(folder).is_dir() and not self._remotes(folder):
                above = map(str, Path(folder).parents)
                around = (one for one in above if branches[folder] & branches.get(one, set()))
                names = next(filter(None, map(self._remotes, around)), ())
                self._repositories[folder] = names or (linked if len(linked) == 1 else ())

    def _told_at(self, link: PullRequestLink, placed: list[tuple[Part, Usage]]) -> str:
        """The repository with whose calls a link is told; empty for none.

        It may have a name that the clone does not know, and only the server knows whether it is the same: so it is told with the
        calls that were made then for the same organization, and never to another's server.
        """
        made = [(usage.occurred_at, part.repository) for part, usage in placed]
        same = next((name for _, name in made if name.lower() == link.repository.lower()), "")
        whose = self._owners.get(owner_of(link.repository))
        return (
            same or _then([one for one in made if whose and self._owners.get(owner_of(one[1])) == whose], link.at) or ""
        )


def _place_of(made: CommitMade, placed: list[tuple[Part, Usage]]) -> Place:
    """Of a commit: as its session's calls in that repository; where it names none, where the session worked then."""
    places = [(usage.occurred_at, Place(usage.evidence.repository, part.repository)) for part, usage in placed]
    if made.repository:
        return next((one for _, one in places if one.own == made.repository), Place(made.repository, made.repository))
    return _then(places, made.at) or Place("", "")


def _then(made: Sequence[tuple[datetime, _T]], at: datetime | None) -> _T | None:
    """The last that was made by then, else the first."""
    before = [one for when, one in made if at is None or when <= at]
    found = before or [one for _, one in made[:1]]
    return found[-1] if found else None
