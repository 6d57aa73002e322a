"""A file that grows: each whole line once, whatever happens to the file meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

from tabstop.agents.growing_file import GrowingFile


def test_each_line_once(tmp_path: Path) -> None:
    """A half-written line waits until it is whole; nothing is told twice."""
    path = tmp_path / "log"
    growing = GrowingFile(path)
    assert list(growing.lines()) == []
    path.write_bytes(b"one\ntw")
    assert list(growing.lines()) == [(1, b"one\n")]
    assert list(growing.lines()) == []
    with path.open("ab") as stream:
        stream.write(b"o\nthree\n")
    assert list(growing.lines()) == [(2, b"two\n"), (3, b"three\n")]


def test_a_replaced_or_cut_file_is_read_anew(tmp_path: Path) -> None:
    """What is in it now is told, from its beginning."""
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n")
    growing = GrowingFile(path)
    assert len(list(growing.lines())) == 2
    path.write_bytes(b"new\n")
    assert [line for _, line in growing.lines()] == [b"new\n"]
    other = tmp_path / "other"
    other.write_bytes(b"elsewhere\nand more\n")
    other.replace(path)
    assert [line for _, line in growing.lines()] == [b"elsewhere\n", b"and more\n"]


def test_a_long_line_is_passed_over(tmp_path: Path) -> None:
    """Also when it arrives in parts; the next one is read again. A line of just the longest length is read."""
    path = tmp_path / "log"
    path.write_bytes(b"x" * 25)
    growing = GrowingFile(path, longest=10)
    assert list(growing.lines()) == []
    with path.open("ab") as stream:
        stream.write(b"yyy\n" + b"z" * 10 + b"\nend\n" + b"w" * 11 + b"\n")
    assert [line for _, line in growing.lines()] == [None, b"z" * 10 + b"\n", b"end\n", None]


def test_what_is_no_plain_file_has_no_lines(tmp_path: Path) -> None:
    """A pipe would make the governor wait for ever; a folder and an impossible path are nothing to read."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("\x00"), tmp_path / "nowhere"):
        assert list(GrowingFile(path).lines()) == []
