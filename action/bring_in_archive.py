"""Opens an artifact's zip without trusting it: plain report files of bounded size come out, or nothing and a reason."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from pathlib import Path

from tabstop.beside.spool import LONGEST_FILE

LONGEST_ZIP = 16 * 1024 * 1024
"""Bytes; a report of 10,000 calls is some 5 MB, and a tenth of that zipped."""

MOST_FILES = 100

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,150}\.json")
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError)
"""What reading a damaged or hostile zip raises; RuntimeError is an encrypted member, ValueError an undecodable name."""


class ArchiveError(Exception):
    """The artifact is not a zip of reports; the text says why."""


def unpack(archive: bytes, folder: Path) -> int:
    """Write the reports into the folder, which is made here, and answer how many. Raises `ArchiveError`, `OSError`.

    Either every member is a report's plain file, or nothing is written.
    """
    reports = _reports(archive)
    folder.mkdir(mode=0o700)
    for name, content in reports.items():
        (folder / name).write_bytes(content)
    return len(reports)


def _reports(archive: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            members = opened.infolist()
            _check(members)
            return _contents(opened, members)
    except _BROKEN as error:
        raise ArchiveError("it is not a whole zip file") from error


def _check(members: list[zipfile.ZipInfo]) -> None:
    """By the table of contents alone, before anything is unpacked."""
    names = [member.filename for member in members]
    if not names:
        raise ArchiveError("it is empty")
    if len(names) > MOST_FILES:
        raise ArchiveError(f"it has {len(names):,} files, at most {MOST_FILES} are opened")
    for name in names:
        if not _NAME.fullmatch(name):
            raise ArchiveError(f"it holds {name[:60]!r}, which is no report's name")
    if len({name.lower() for name in names}) < len(names):
        raise ArchiveError("it holds two files of one name")
    if any(member.compress_type not in _METHODS or member.flag_bits & 1 for member in members):
        raise ArchiveError("it is encrypted, or packed in a way no runner packs")


def _contents(opened: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> dict[str, bytes]:
    """What a member says of its size is not believed: reading stops at the limit."""
    left = LONGEST_FILE
    contents = {}
    for member in members:
        with opened.open(member) as stream:
            content = stream.read(left + 1)
        left -= len(content)
        if left < 0:
            raise ArchiveError(f"unpacked it is longer than {LONGEST_FILE:,} bytes")
        contents[member.filename] = content
    return contents
