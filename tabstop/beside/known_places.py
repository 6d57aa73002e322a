"""Known places: what earlier looks told of folders and pull requests, kept so that a folder that is gone still has its name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from tabstop.report.facts import PullRequest

MOST_FOLDERS = 20_000
"""Folders that are remembered; the ones last seen stay."""

FRESH = 300
"""Seconds for which GitHub is not asked again about a repository."""


class KnownPlaces(msgspec.Struct):
    """folders: the repository's name by folder. pull_requests: by repository; asked: when, seconds since 1970 UTC.

    names: those that repositories go by now, by a name they had before, in lower case.
    """

    folders: dict[str, str] = {}
    pull_requests: dict[str, list[PullRequest]] = {}
    asked: dict[str, int] = {}
    names: dict[str, str] = {}

    def learn(self, folders: dict[str, str]) -> bool:
        """Take these in; whether anything was new."""
        new = any(self.folders.get(folder) != name for folder, name in folders.items())
        self.folders.update(folders)
        for folder in list(self.folders)[: max(0, len(self.folders) - MOST_FOLDERS)]:
            del self.folders[folder]
        return new

    def hear(self, repository: str, name: str, pull_requests: list[PullRequest], at: int) -> None:
        """Take in what GitHub tells of a repository. name: the one it goes by now."""
        told, current = repository.lower(), name.lower()
        for one in {told, current}:
            self.asked[one] = at
            self.pull_requests.pop(one, None)
            self.names.pop(one, None)
        self.pull_requests[current] = pull_requests
        if told != current:
            self.names[told] = name

    def is_fresh(self, repository: str, now: float) -> bool:
        """Whether GitHub told of it a moment ago."""
        return 0 <= now - self.asked.get(repository, -FRESH) < FRESH


def read_known_places(path: Path | None) -> KnownPlaces:
    """What was kept; nothing where that cannot be read."""
    if path is not None:
        with suppress(OSError, msgspec.MsgspecError, RecursionError):
            return msgspec.json.decode(path.read_bytes(), type=KnownPlaces)
    return KnownPlaces()


def keep_known_places(path: Path | None, places: KnownPlaces) -> None:
    """Keep it, as far as the disk lets us: it is not needed."""
    from tabstop.beside.session_folder import write_privately  # noqa: PLC0415 - needed rarely, and not quick to load

    if path is not None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_privately(path, msgspec.json.encode(places))
