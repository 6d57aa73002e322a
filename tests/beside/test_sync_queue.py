"""The queue of `tabstop sync`: losing it is harmless, and what it was told of a call only ever grows."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tabstop.beside.sync.queue import Part, Queue, Unsent
from tabstop.evidence import Evidence
from tabstop.usage import Tokens, Usage
from tests.beside.full_disk import full_disk
from tests.governor.builders import at

PART = Part("claude-code", "s1", "acme/widget")
CALL = Usage(("k",), "m", Tokens(output=10), at(1), "claude-code", evidence=Evidence("acme/widget", "fix"))


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """A new one."""
    found = Queue(tmp_path / "sync" / "q.db")
    yield found
    found.close()


def take(queue: Queue, usage: Usage = CALL, part: Part = PART, cost: int | None = 5) -> None:
    """A file that tells of one call."""
    queue.take(Path("a.jsonl"), "seen", 0, [(part, usage)], (), (), (), lambda _: cost)


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0 and then nothing", "another version"])
def test_a_file_that_is_not_this_versions(tmp_path: Path, content: bytes | str) -> None:
    """Begins anew, and can be used."""
    path = tmp_path / "q.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with sqlite3.connect(path) as db:
            db.execute("pragma user_version = 99")
        db.close()
    queue = Queue(path)
    take(queue)
    assert queue.waiting() == [PART]
    queue.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_tables_of_somebody_else(tmp_path: Path) -> None:
    """A database without a version is not taken for an empty one."""
    with sqlite3.connect(tmp_path / "q.db") as db:
        db.execute("create table files (a)")
    db.close()
    queue = Queue(tmp_path / "q.db")
    take(queue)
    queue.close()


def test_it_is_kept(tmp_path: Path) -> None:
    """What was sent is not sent again by the next pass."""
    queue = Queue(tmp_path / "q.db")
    take(queue)
    queue.sent(["k"])
    queue.close()
    again = Queue(tmp_path / "q.db")
    take(again)
    assert again.waiting() == []
    assert again.seen(Path("a.jsonl")) == "seen"
    again.close()


def test_a_full_disk(tmp_path: Path) -> None:
    """Is an error for whoever runs it, not a queue that forgets."""
    with full_disk(), pytest.raises((OSError, sqlite3.Error)):
        Queue(tmp_path / "q.db")


def test_a_copy_that_does_not_know_the_branch(queue: Queue) -> None:
    """A fork's file may be read first; the call's own file brings the branch, and the copy does not take it away again."""
    copied = replace(CALL, evidence=Evidence("acme/widget"))
    take(queue, copied)
    for usage in (CALL, copied):
        take(queue, usage)
        ((_, call),) = queue.calls(PART)
        assert call.branch == "fix"


def test_a_call_that_is_told_again(queue: Queue) -> None:
    """More fully: it is sent anew; less fully, by a copy that was cut off: nothing changes; elsewhere: while it waits, it moves."""
    take(queue)
    elsewhere = replace(PART, repository="acme/gadget")
    take(queue, part=elsewhere)
    assert queue.waiting() == [elsewhere]
    queue.sent(["k"])
    take(queue)
    take(queue, replace(CALL, tokens=Tokens(output=9)))
    assert queue.waiting() == []
    take(queue, replace(CALL, tokens=Tokens(output=11)))
    assert [call.tokens.output for _, call in queue.calls(PART)] == [11]


def test_what_waits(queue: Queue) -> None:
    """By part, with its price where one is known."""
    take(queue)
    take(queue, replace(CALL, keys=("l",)), cost=None)
    assert queue.unsent() == [Unsent(PART, 2, 5, 1)]
    queue.sent(["k", "l"])
    assert queue.unsent() == []


def test_a_log_whose_name_is_no_text(queue: Queue) -> None:
    """Is known again like any other."""
    path = Path(os.fsdecode(b"/-\xff/\xfe.jsonl"))
    queue.take(path, "seen", 0, [(PART, CALL)], (), (), (), lambda _: 5)
    assert queue.seen(path) == "seen"
    assert queue.waiting() == [PART]
