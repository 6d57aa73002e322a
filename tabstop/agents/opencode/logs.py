"""OpenCode's database as a log file, and the exports of single sessions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from tabstop.agents.homes import Homes
from tabstop.agents.log_files import LogFile, LogReading, entries_of
from tabstop.agents.opencode.database import OpenCodeDatabase
from tabstop.agents.opencode.export import read_export
from tabstop.agents.opencode.messages import AGENT

_LOG = re.compile(r"opencode.*\.db|opencode-.+\.json")
_SQLITE = b"SQLite format 3\x00"


def discover(homes: Homes) -> Iterator[LogFile]:
    """The databases: one, and one more for each release channel that was tried; and exports that were put beside them."""
    for home in homes.opencode:
        found = entries_of(home)
        if found is None:
            yield LogFile(AGENT, home)  # whoever tries to read it tells why that cannot be
        for path in found or ():
            # os.path asks no more than it may: a folder can be one that may be listed and not entered.
            if _LOG.fullmatch(path.name) and not os.path.isdir(path):  # noqa: PTH112
                # All of a running client's newest work is in the `-wal` alone.
                yield LogFile(AGENT, path, (path.with_name(f"{path.name}-wal"),))


def read(file: LogFile) -> Iterable[LogReading]:
    """Every session of a database, or the one of an export. Raises `OSError`."""
    with file.path.open("rb") as stream:
        head = stream.read(len(_SQLITE))
        if head != _SQLITE:
            stream.seek(0)
            return (read_export(stream),)
    return OpenCodeDatabase(file.path).readings()
