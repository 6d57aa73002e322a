"""Usage cache: what the logs of this machine told the last time, in one file, so that only what changed is read again.

It holds counts, names of models, sessions, branches and folders, and the calls' ids: nothing of what was said. A file
that is missing, of another version, cut or changed is as good as none: everything is read again.
"""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from tabstop.beside.local_prices import LocalPrices
from tabstop.beside.local_usage_facts import LocalUsage
from tabstop.beside.own_prices import PolicySeen

_MAGIC = b"tabstop usage cache 5\n"
"""The number changes with the meaning of anything in it."""

_HEAD = 24

T = TypeVar("T")


class FileState(msgspec.Struct, frozen=True, array_like=True):
    """What tells one state of a file from another: all of them equal, its content is the same.

    numbers: device, inode, size, time of the last change of content and of inode (ns), of the file and of those beside it.
    """

    path: str
    agent: str
    numbers: tuple[int, ...]


class Told(msgspec.Struct, array_like=True):
    """What the logs told when their files were in these states; states in the order of their discovery.

    own: the policies that may have named prices.
    """

    states: list[FileState]
    prices: LocalPrices
    usage: LocalUsage
    own: tuple[PolicySeen, ...] = ()


class UsageCache:
    """One file: the last answer first, so that it can be given without reading the rest."""

    def __init__(self, path: Path) -> None:
        """path: the file; it and its folder need not exist."""
        self._path = path

    def told(self) -> Told | None:
        """The last answer."""
        return _read(self._path, 0, Told)

    def files(self, kind: type[T]) -> T | None:
        """What is remembered of each file."""
        return _read(self._path, 1, kind)

    def write(self, told: Told, files: object) -> None:
        """Replace what is remembered. A disk that is full or cannot be written to costs the next run its time, nothing else.

        So does a log whose name is no text.
        """
        encoder = msgspec.msgpack.Encoder()
        try:
            parts = [encoder.encode(told), encoder.encode(files)]
        except UnicodeEncodeError:
            return
        heads = [len(part).to_bytes(8, "little") + zlib.crc32(part).to_bytes(4, "little") for part in parts]
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(new, "xb", opener=_private) as stream:
                stream.writelines((_MAGIC, *heads, *parts))
            new.replace(self._path)
        except OSError:
            with suppress(OSError):
                new.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _read(path: Path, number: int, kind: type[T]) -> T | None:
    """The part of this number, or None where it is not what was written."""
    try:
        with path.open("rb") as stream:
            head = stream.read(len(_MAGIC) + _HEAD)
            if len(head) != len(_MAGIC) + _HEAD or not head.startswith(_MAGIC):
                return None
            sizes = [head[len(_MAGIC) + 12 * part :][:12] for part in range(2)]
            length = int.from_bytes(sizes[number][:8], "little")
            stream.seek(len(head) + (int.from_bytes(sizes[0][:8], "little") if number else 0))
            if length > os.fstat(stream.fileno()).st_size:
                return None
            body = stream.read(length)
    except OSError:
        return None
    if len(body) != length or zlib.crc32(body) != int.from_bytes(sizes[number][8:], "little"):
        return None
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
