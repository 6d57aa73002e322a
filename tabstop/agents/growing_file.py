"""A file that somebody else is writing, line by line: gives each complete line once, however often it is asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from tabstop.agents.claude_code.rows import LONGEST_ROW


class GrowingFile:
    """Remembers where it was. Memory does not grow with the file."""

    def __init__(self, path: Path, longest: int = LONGEST_ROW) -> None:
        """longest: bytes of a line; a longer one is given as None."""
        self.path = path
        self.number = 0
        self._longest = longest
        self._offset = 0
        self._inode = 0
        self._inside_long_line = False

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        """The lines that were completed since, each with its number. A half-written one waits until it is whole.

        A file that was replaced or cut is read from its beginning. What cannot be opened, or is no plain file, has no lines.
        """
        try:
            # O_NONBLOCK: the path comes from a payload, and opening a pipe would wait for its writer.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError):
            return
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            os.close(descriptor)
            return
        with os.fdopen(descriptor, "rb") as stream:
            if about.st_ino != self._inode or about.st_size < self._offset:
                self._inode, self._offset, self._inside_long_line = about.st_ino, 0, False
            stream.seek(self._offset)
            while line := stream.readline(self._longest + 1):
                whole = line.endswith(b"\n")
                if not whole and len(line) <= self._longest:
                    return
                self._offset += len(line)
                skipped = self._inside_long_line or len(line) > self._longest + whole
                self._inside_long_line = not whole
                if whole:
                    self.number += 1
                    yield self.number, None if skipped else line


def sizes_of(paths: Iterable[Path]) -> dict[Path, int]:
    """Bytes of each, by name; what cannot be looked at is left out. What grew between two looks is being written."""
    found = {}
    for path in sorted(paths):
        try:
            found[path] = path.stat().st_size
        except OSError:
            continue
    return found
