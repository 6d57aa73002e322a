"""Reading one log file: from where the last reading ended, or from the beginning where that cannot be known."""

import os
from pathlib import Path

import pytest

from tabstop.agents.log_files import LogFile
from tabstop.beside import log_reading
from tabstop.beside.log_reading import Wanted, read_log
from tests.agents.claude_code.test_bulk import an_answer, lines


def wanted(path: Path, known: log_reading.Reading | None = None) -> Wanted:
    """As the file is now. known: what an earlier reading gave."""
    file, size = LogFile("claude-code", path), path.stat().st_size
    return Wanted(file, size, changes=True, known=known.tables, sum=known.sum) if known else Wanted(file, size)


def read_twice(path: Path) -> log_reading.Reading:
    """What is known of a file that is not read for the first time."""
    return read_log(wanted(path, read_log(wanted(path))))


def many(start: int, end: int) -> bytes:
    return lines(*(an_answer(f"req_{number}") for number in range(start, end)))


def test_only_what_was_added(tmp_path: Path) -> None:
    """A table for each reading, from the second on; after some of them the file is read anew."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(many(0, 50))
    reading = read_twice(path)
    for step in range(1, 20):
        with path.open("ab") as stream:
            stream.write(many(50 * step, 50 * step + 50))
        reading = read_log(wanted(path, reading))
        assert sum(len(table.calls) for table in reading.tables) == 50 * step + 50
        assert len(reading.tables) == 1 + step % 8
        assert reading.tables[-1].lines == 50 * step + 50


@pytest.mark.parametrize("place", [100, 12_000, -100])
def test_another_beginning_middle_or_end(place: int, tmp_path: Path) -> None:
    """A longer file whose known part is not what it was is read whole."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(many(0, 50))
    before = read_twice(path)
    body = bytearray(path.read_bytes())
    body[place] ^= 1
    path.write_bytes(bytes(body) + many(50, 60))
    assert len(read_log(wanted(path, before)).tables) == 1


def test_a_file_that_shrinks_while_it_is_looked_at(tmp_path: Path) -> None:
    """It was longer when it was found: it is read whole."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(many(0, 50))
    longer = wanted(path, read_twice(path))
    path.write_bytes(many(0, 20))
    (table,) = read_log(longer).tables
    assert len(table.calls) == 20


def test_a_row_that_is_being_written(tmp_path: Path) -> None:
    """Nothing is gone on with before it has its end."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(many(0, 5) + many(5, 6)[:50])
    before = read_twice(path)
    assert before.tables[-1].size == 0
    path.write_bytes(many(0, 6))
    (table,) = read_log(wanted(path, before)).tables
    assert (len(table.calls), table.skip_reasons) == (6, {})


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """It has a problem, in the system's words."""
    gone = Wanted(LogFile("claude-code", tmp_path / "gone.jsonl"), 1)
    assert read_log(gone) == log_reading.Reading(problem="No such file or directory", passing=True)


def test_what_is_done_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is done once, when the other processes have begun and before this one reads."""
    done: list[str] = []
    start, read = os.fork, log_reading.read_log

    def started() -> int:
        done.append("another")
        return start()

    def was_read(one: Wanted) -> log_reading.Reading:
        done.append("a file")
        return read(one)

    monkeypatch.setattr(log_reading, "_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(os, "fork", started)
    monkeypatch.setattr(log_reading, "read_log", was_read)
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(many(0, 5))
    files = [wanted(tmp_path / name) for name in ("a.jsonl", "b.jsonl")]
    log_reading.read_logs(files, 2, lambda _done, _all: None, lambda: done.append("meanwhile"))
    assert done[:2] == ["another", "meanwhile"]
    assert set(done[2:]) <= {"a file"}


def test_no_more_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none can be started, this one reads alone."""

    def refused() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    path = tmp_path / "a.jsonl"
    path.write_bytes(many(0, 5))
    monkeypatch.setattr(log_reading, "_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(os, "fork", refused)
    (reading,) = log_reading.read_logs([wanted(path)], 2, lambda _done, _all: None)
    assert len(reading.tables[0].calls) == 5
