"""File memory: what `tabstop cost` remembers of one log file."""

from __future__ import annotations

import msgspec

from tabstop.agents.log_table import LogTable
from tabstop.beside.usage_cache import FileState


class FileMemory(msgspec.Struct, array_like=True):
    """What a file told when it was in this state.

    tables: one per session in it, or, of a file that grows, one per reading. sum: CRC-32 of all that was read, to know that a longer
    file goes on where this one ended; 0 where it was not taken, as of a file that was read once. problem: why it
    could not be read, or not to its end.
    """

    state: FileState
    sum: int
    tables: list[LogTable]
    problem: str = ""
