"""Rollouts that Codex has packed away (`.jsonl.zst`), unpacked line by line with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

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
            for number, line in enumerate(lines_of(opened), start=1):
                if opened.tell() > most:
                    skips.add(number, "becomes larger than a log when unpacked")
                    return
                yield line
        except (zstd.ZstdError, EOFError):
            skips.add(number + 1, "cannot be unpacked from here on")


def _zstd() -> ModuleType | None:
    """None where neither is there: the action runs on whatever Python the machine has, without packages."""
    for name in ZSTD:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
