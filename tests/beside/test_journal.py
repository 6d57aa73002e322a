"""The journal: a session's facts outlive the process that watched it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from tabstop.beside.journal import Entry, Journal, JournalBusyError
from tabstop.governor.facts import Fact, Raised, ServerSaid, SubagentSpawned, Tick
from tabstop.session import Limits
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tests.beside.full_disk import full_disk
from tests.governor.builders import answer, at, finished, started

ENTRIES = [
    Entry(answer(1), ("anthropic:req:r1", "anthropic:msg:m1")),
    Entry(started(2)),
    Entry(finished(3, failed=True)),
    Entry(Raised(at(4), Limits(cost=5), "octocat", "nearly done")),
    Entry(ServerSaid(at(5), Verdict((Finding(Signal.PAUSE, Outcome.STOP, "session"),)), ("halt",), Limits(tokens=7))),
    Entry(SubagentSpawned(at(6), "a1", "research")),
    Entry(Tick(at(7), "a1")),
]


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    """Every fact, in order, with its keys, by the next process."""
    with Journal(tmp_path / "journal.jsonl") as journal:
        for entry in ENTRIES:
            journal.append(entry)
    with Journal(tmp_path / "journal.jsonl") as journal:
        assert list(journal.entries()) == ENTRIES


def test_every_kind_of_fact_has_a_name() -> None:
    """No two facts are written alike."""
    assert len({kind.__name__ for kind in get_args(Fact)}) == len(get_args(Fact))


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """A second watcher is told so; it may go on once the first lets go."""
    with Journal(tmp_path / "journal.jsonl"), pytest.raises(JournalBusyError, match="another process watches"):
        Journal(tmp_path / "journal.jsonl")
    Journal(tmp_path / "journal.jsonl").close()


def test_a_cut_off_line_costs_only_itself(tmp_path: Path) -> None:
    """A killed writer leaves half a line: what was before stays, what comes after is not glued to it."""
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(ENTRIES[0])
        journal.append(ENTRIES[1])
    path.write_bytes(path.read_bytes()[:-9])
    with Journal(path) as journal:
        journal.append(ENTRIES[2])
        assert list(journal.entries()) == [ENTRIES[0], ENTRIES[2]]


@pytest.mark.parametrize(
    "line", ["", "null", "[]", '{"fact":"Dance","is":{}}', '{"fact":"Tick","is":{"at":"noon"}}', "{" * 100_000, "\x00"]
)
def test_lines_of_others_are_left_out(tmp_path: Path, line: str) -> None:
    """Whatever stands in the file, the session can be taken up."""
    path = tmp_path / "journal.jsonl"
    path.write_text(line + "\n")
    with Journal(path) as journal:
        assert list(journal.entries()) == []
        journal.append(ENTRIES[0])
        assert list(journal.entries()) == [ENTRIES[0]]


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    """The file is its user's own."""
    Journal(tmp_path / "journal.jsonl").close()
    assert (tmp_path / "journal.jsonl").stat().st_mode & 0o777 == 0o600


def test_what_a_full_disk_does_not_take_is_written_later(tmp_path: Path) -> None:
    """In its order and once, though half a line was taken; what it takes at the end only counts too."""
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(ENTRIES[0])
        with full_disk(path.stat().st_size + 9):
            for entry in ENTRIES[1:3]:
                with pytest.raises(OSError, match="File too large"):
                    journal.append(entry)
        journal.append(ENTRIES[3])
        assert list(journal.entries()) == ENTRIES[:4]
        with full_disk(), pytest.raises(OSError, match="File too large"):
            journal.append(ENTRIES[4])
    with Journal(path) as journal:
        assert list(journal.entries()) == ENTRIES[:5]


def test_a_full_disk_keeps_no_journal_open(tmp_path: Path) -> None:
    """What was not written by then is lost, and only that: the next process goes on."""
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append(ENTRIES[0])
    with full_disk(path.stat().st_size + 9):
        with pytest.raises(OSError, match="File too large"):
            journal.append(ENTRIES[1])
        journal.close()
        with Journal(path) as journal:
            assert list(journal.entries()) == ENTRIES[:1]
