"""Journal: every fact of one session, one JSON line each, so that its totals survive the end of the process that watched it.

Holds counts, model names, tool names and keyed digests; no content. Written by one process at a time, which holds the lock.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

from tabstop.governor.facts import Fact
from tabstop.wire_json import WireError, from_json, to_json

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in get_args(Fact)}


class JournalBusyError(Exception):
    """Another process watches this session."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact, with the keys of the usage it came from (empty for facts that came from none)."""

    fact: Fact
    keys: tuple[str, ...] = ()


class Journal:
    """The open journal of one session. Close it, or leave the `with` block, to let another process go on."""

    def __init__(self, path: Path) -> None:
        """Open and lock it, creating it readable by this user only. Raises `JournalBusyError`, `OSError`."""
        self._path = path
        self._unwritten = bytearray()
        # Unbuffered: what is written is with the kernel, and what is not is known.
        self._stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "a+b", 0)
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._stream.close()
            raise JournalBusyError(f"{path} is in use: another process watches this session") from error
        self._end_last_line()

    def entries(self) -> Iterator[Entry]:
        """Everything written so far, oldest first. Lines that cannot be read (a cut-off write, an older format) are left out."""
        with self._path.open("rb") as stream:
            for line in stream:
                if (entry := read_entry(line)) is not None:
                    yield entry

    def append(self, entry: Entry) -> None:
        """Write one fact. It is with the kernel when this returns: it survives the end of this process.

        Raises `OSError` where it cannot be written, as on a full disk: it is then written before the next one, in its order.
        """
        self._unwritten += write_entry(entry) + b"\n"
        self._write()

    def close(self) -> None:
        """Let go of it; closing twice is harmless. What the disk would not take until now is lost.

        Unlocked by name: a child that another thread is just starting still has the file open, and with it the lock (flock(2)).
        """
        if not self._stream.closed:
            with suppress(OSError):
                self._write()
            fcntl.flock(self._stream, fcntl.LOCK_UN)
            self._stream.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _end_last_line(self) -> None:
        """A process that was killed may have left half a line; what comes next must not be glued to it."""
        size = self._stream.seek(0, os.SEEK_END)
        if size:
            self._stream.seek(size - 1)
            if self._stream.read(1) != b"\n":
                self._unwritten += b"\n"

    def _write(self) -> None:
        while self._unwritten:
            del self._unwritten[: self._stream.write(self._unwritten)]


def write_entry(entry: Entry) -> bytes:
    """As one line of JSON, without its end."""
    row = {"fact": type(entry.fact).__name__, "is": to_json(entry.fact)}
    if entry.keys:
        row["keys"] = list(entry.keys)
    return json.dumps(row, separators=(",", ":")).encode()


def read_entry(line: bytes) -> Entry | None:
    """What `write_entry` wrote; None for anything else."""
    try:
        row = json.loads(line)
        fact = from_json(_KINDS[row["fact"]], row["is"])
        keys = row.get("keys", [])
        return Entry(fact, tuple(str(key) for key in keys))
    except (ValueError, KeyError, TypeError, RecursionError, WireError):
        return None
