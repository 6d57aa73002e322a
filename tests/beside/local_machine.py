"""A machine with Claude Code's logs and a cache, for tests of `tabstop cost`'s engine."""

import os
from collections import Counter
from pathlib import Path

from tabstop.agents.homes import Homes
from tabstop.beside.file_memory import FileMemory
from tabstop.beside.local_usage import local_usage
from tabstop.beside.local_usage_facts import LocalUsage
from tabstop.beside.usage_cache import UsageCache
from tabstop.usage import Tokens

OLD = 1_700_000_000
"""A time of change long past, so that a file counts as settled."""


class Machine:
    """A machine with Claude Code's logs, and a cache."""

    def __init__(self, home: Path) -> None:
        self.projects = home / "claude" / "projects" / "-home-dev-widget"
        self.homes = Homes(claude_code=(home / "claude",))
        self.cache = home / "cache" / "tabstop" / "usage"

    def write(self, name: str, body: bytes, at: int = OLD) -> Path:
        """Replace a file's content in place; its time of change is `at`."""
        path = self.projects / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            stream.write(body)
        os.utime(path, (at, at))
        return path

    def read(self, processes: int = 1) -> LocalUsage:
        """As the command does; it must be what a machine without a cache would tell."""
        usage = local_usage(self.homes, cache=self.cache, processes=processes)
        fresh = local_usage(self.homes, cache=None, processes=1)
        assert told(usage) == told(fresh)
        return usage

    def known(self, name: str) -> FileMemory:
        """What the cache has of a file."""
        files = UsageCache(self.cache).files(list[FileMemory])
        return next(one for one in files or () if Path(one.state.path).stem == name)


def told(usage: LocalUsage) -> tuple[object, ...]:
    """What must be equal however it was read."""
    counted: Counter[tuple[object, ...]] = Counter()
    for one in usage.groups:
        names = (one.agent, one.session, one.model, one.branch, one.folder, one.began, one.aggregate)
        for field in one.__struct_fields__[9:]:
            counted[*names, field] += getattr(one, field)
    return (
        dict(counted),
        usage.sessions,
        usage.unpriced,
        usage.unread,
        usage.files,
        {s.path: s.reasons for s in usage.skipped},
    )


def tokens_of(usage: LocalUsage, *, aggregate: bool | None = None) -> dict[str, Tokens]:
    found: dict[str, Tokens] = {}
    for one in usage.groups:
        if aggregate is None or one.aggregate is aggregate:
            found[one.model] = found.get(one.model, Tokens()) + one.tokens
    return found
