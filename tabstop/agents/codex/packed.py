"""Rollouts that Codex has packed away (`.jsonl.zst`), unpacked line by line with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from tabstop.agents.claude_code.rows import Skips, lines_of

_MOST_FOR_A_BYTE = 500
_SMALL = 64 * 1024 * 1024
"""Bytes a packed file may become whatever its size. Real rollouts shrink to a tenth; what grows more was made to fill machines."""

ZSTD = ("compression.zstd", "backports.zstd")
"""Modules that unpack it: the standard library's from Python 3.14, and what brings it to earlier ones."""

NO_ZSTD = "packed with zstd, which needs Python 3.14 or the package backports.zstd"


def lines(path: Path, skips: Skips) -> Iterator[bytes | None]:
    """The lines of a rollout, packed or not, as `rows.lines_of` gives them. What cannot be unpacked is skipped.

    Raises `OSError` when the file cannot be opened.
    """
    if path.suffix != ".zst":
        with path.open("rb") as stream:
            yield from lines_of(stream)
        return
    zstd = _zstd()
    if zstd is None:
        skips.add(1, NO_ZSTD)
        return
    number, most = 0, max(_SMALL, path.stat().st_size * _MOST_FOR_A_BYTE)
    with path.open("rb") as packed, zstd.ZstdFile(packed, "rb") as opened:
        try:
            for line in lines_of(_UpTo(opened, most)):
                yield line
                number += 1
        except _TooMuchError:
            skips.add(number + 1, "becomes larger than a log when unpacked")
        except (zstd.ZstdError, EOFError):
            skips.add(number + 1, "cannot be unpacked from here on")


class _TooMuchError(Exception):
    """More was unpacked than a log can hold."""


class _UpTo:
    """A stream that ends with `_TooMuchError`: one line alone may be larger than any log."""

    def __init__(self, opened: BinaryIO, most: int) -> None:
        self._opened = opened
        self._most = most

    def readline(self, size: int) -> bytes:
        if self._opened.tell() > self._most:
            raise _TooMuchError
        return self._opened.readline(size)


def _zstd() -> ModuleType | None:
    """None where neither is there: the action runs on whatever Python the machine has, without packages."""
    for name in ZSTD:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
