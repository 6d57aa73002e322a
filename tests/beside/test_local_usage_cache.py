"""The cache of `tabstop cost` is never wrong, whatever happens to the files."""

import os
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tabstop.agents.homes import Homes
from tabstop.agents.opencode import database
from tabstop.beside.file_memory import FileMemory
from tabstop.beside.local_prices import LocalPrices
from tabstop.beside.local_usage import cache_path, local_usage
from tabstop.beside.local_usage_facts import LocalUsage
from tabstop.beside.usage_cache import Told, UsageCache
from tests.agents.claude_code.test_bulk import an_answer, lines
from tests.agents.opencode.database import build
from tests.beside.local_machine import OLD, Machine, tokens_of, told


def test_a_cache_of_another_shape(tmp_path: Path) -> None:
    """Whole, and yet not what is expected: nothing is taken from it."""
    cache = UsageCache(tmp_path / "usage")
    cache.write(Told([], LocalPrices(), LocalUsage()), "something else")
    assert cache.told() is not None
    assert cache.files(list[FileMemory]) is None


def test_nothing_changed_nothing_is_read(machine: Machine) -> None:
    """The second time comes from the cache, which only its owner can read."""
    machine.write("a", lines(an_answer("req_1")))
    machine.write("b", lines(an_answer("req_2"), "half")[:-2])
    first = machine.read()
    second = local_usage(machine.homes, cache=machine.cache)
    assert (first.read, second.read) == (2, 0)
    assert told(first) == told(second)
    assert machine.cache.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in machine.cache.parent.iterdir()] == ["usage"]


def test_what_was_added_is_read_alone(machine: Machine) -> None:
    """A session that goes on: its last answer may go on too, and counts once."""
    body = lines(*(an_answer(f"req_{n}", timestamp=f"2026-11-21T12:{n:02}:00.000Z") for n in range(40)))
    ends = [place + 1 for place, byte in enumerate(body) if byte == 10]
    for step, end in enumerate(ends[::3]):
        again = lines(an_answer("req_0", usage={"input_tokens": 10, "output_tokens": 50 + step}))
        machine.write("a", body[:end], OLD + 2 * step)
        machine.read()
        machine.write("a", body[:end] + again, OLD + 2 * step + 1)
        assert machine.read().read == 1
    assert sum(one.calls for one in machine.read().groups) == len(ends[::3]) * 3 - 2


def _shrunk(path: Path) -> None:
    body = path.read_bytes()
    path.write_bytes(body[: len(body) // 2])


def _rewritten_as_long(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"output_tokens": 5', b'"output_tokens": 7'))


def _rewritten_longer(path: Path) -> None:
    path.write_bytes(lines(an_answer("req_9", gitBranch="other")) + path.read_bytes())


def _replaced(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(path.read_bytes() + lines(an_answer("req_8")))
    new.rename(path)


def _changed_in_the_middle_and_grown(path: Path) -> None:
    """In place, far from both ends."""
    body = bytearray(path.read_bytes())
    middle = body.find(b'"output_tokens": 5', len(body) // 2)
    body[middle + 17 : middle + 18] = b"7"
    path.write_bytes(body + lines(an_answer("req_8")))


def _another_that_begins_and_ends_so(path: Path) -> None:
    """Another inode, other content between the same first and last lines, and more behind them."""
    _changed_in_the_middle_and_grown(path)
    _replaced(path)


def _cut_and_grown(path: Path) -> None:
    body = path.read_bytes()
    path.write_bytes(body[: body.find(b"\n") + 1] + lines(*(an_answer(f"req_x{n}") for n in range(60))))


def _removed(path: Path) -> None:
    path.unlink()


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "change",
    [
        _shrunk, _rewritten_as_long, _rewritten_longer, _replaced, _changed_in_the_middle_and_grown,
        _another_that_begins_and_ends_so, _cut_and_grown, _removed, _a_folder,
    ],
)  # fmt: skip
@pytest.mark.parametrize("same_time", [True, False])
def test_whatever_happens_to_a_file(change: object, same_time: bool, machine: Machine) -> None:
    """Shorter, other content of the same length and time, another file under the name: told as it is now."""
    body = lines(*(an_answer(f"req_{n}") for n in range(60)))
    machine.write("a", body[: len(body) // 2])
    machine.write("b", lines(an_answer("req_b")))
    machine.read()
    path = machine.write("a", body)
    machine.read()
    assert callable(change)
    change(path)
    if path.exists():
        os.utime(path, (OLD, OLD) if same_time else (OLD + 5, OLD + 5))
    machine.read()
    machine.read()


def test_another_file_under_the_name_is_read_whole(machine: Machine) -> None:
    """Even one that goes on as the first did: that they are the same is for nobody to guess."""
    path = machine.write("a", lines(*(an_answer(f"req_{n}") for n in range(20))))
    machine.read()
    pieces = []
    for number in range(20, 23):
        with path.open("ab") as stream:
            stream.write(lines(an_answer(f"req_{number}")))
        machine.read()
        pieces.append(len(machine.known("a").tables))
    assert pieces == [1, 2, 3]
    _replaced(path)
    machine.read()
    assert len(machine.known("a").tables) == 1


def test_a_call_in_several_files_counts_once(machine: Machine) -> None:
    """The report that says most of it, also when a file with another one appears later, or goes away."""
    small, large = ({"input_tokens": 10, "output_tokens": count} for count in (5, 500))
    machine.write("a", lines(an_answer("req_1", usage=small), an_answer("req_2")))
    assert tokens_of(machine.read())["claude-opus-5-5"].output == 10
    other = machine.write("b", lines(an_answer("req_1", usage=large, sessionId="22222222-2222-4222-8222-222222222222")))
    usage = machine.read()
    assert (tokens_of(usage)["claude-opus-5-5"].output, sum(one.calls for one in usage.groups), usage.read) == (
        505,
        2,
        1,
    )
    other.unlink()
    assert tokens_of(machine.read())["claude-opus-5-5"].output == 10


def test_a_file_written_this_moment_is_looked_at_again(machine: Machine) -> None:
    """Within a tick of the file system's clock it could change without a trace."""
    path = machine.write("a", lines(an_answer("req_1")))
    os.utime(path)
    assert machine.read().read == 1
    assert machine.read().read == 1


def _with_a_database(machine: Machine) -> tuple[Homes, Path]:
    """Beside Claude Code's logs, one of OpenCode that is cut."""
    machine.write("a", lines(an_answer("req_1")))
    path = build(machine.projects.parents[1] / "opencode" / "opencode.db")
    path.write_bytes(path.read_bytes()[:5_000])
    os.utime(path, (OLD, OLD))
    homes = Homes(claude_code=machine.homes.claude_code, opencode=(path.parent,))
    return homes, path


def test_a_problem_that_lasts_is_told_from_the_cache(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the file changes: that nothing is read again is worth most where there are many logs."""
    homes, path = _with_a_database(machine)
    moment = time.time_ns() + 10**10  # the time of the last change of an inode cannot be set
    monkeypatch.setattr(time, "time_ns", lambda: moment)
    first = local_usage(homes, cache=machine.cache)
    assert (first.unread, first.read) == (((str(path), "a damaged database"),), 1)
    written = machine.cache.stat().st_mtime_ns
    assert told(local_usage(homes, cache=machine.cache)) == told(first)
    assert machine.cache.stat().st_mtime_ns == written
    machine.write("b", lines(an_answer("req_2")))
    assert local_usage(homes, cache=machine.cache).unread == first.unread
    build(path.with_name("whole")).replace(path)
    mended = local_usage(homes, cache=machine.cache)
    assert (mended.unread, mended.read) == ((), 1)


def test_a_problem_that_passes_is_looked_at_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the file is the same: a lock leaves no trace in it."""
    homes, path = _with_a_database(machine)
    build(path.with_name("whole")).replace(path)
    moment = time.time_ns() + 10**10
    monkeypatch.setattr(time, "time_ns", lambda: moment)
    monkeypatch.setattr(database, "_PATIENCE", 0.01)
    wal = path.with_name("opencode.db-wal")
    with closing(sqlite3.connect(path)) as client:
        client.execute("BEGIN EXCLUSIVE")
        wal.write_bytes(b"by which a client that runs is known")
        locked = local_usage(homes, cache=machine.cache)
    assert locked.unread == ((str(path), "its client keeps it locked"),)
    assert (local_usage(homes, cache=machine.cache).unread, locked.read) == ((), 1)


def test_a_cache_of_any_content(machine: Machine) -> None:
    """Cut anywhere, any byte changed, of another version, a folder: read again, and written anew where it can be."""
    machine.write("a", lines(an_answer("req_1"), an_answer("req_2")))
    expected = told(machine.read())
    whole = machine.cache.read_bytes()
    chance = random.Random(4)
    broken: list[bytes] = [b"", whole[:10], whole[:-1], whole.replace(b"cache 5", b"cache 4"), whole + b"x"]
    broken += [whole[: chance.randrange(len(whole))] for _ in range(20)]
    for _ in range(60):
        place = chance.randrange(len(whole))
        broken.append(whole[:place] + bytes([whole[place] ^ (1 << chance.randrange(8))]) + whole[place + 1 :])
    for body in broken:
        machine.cache.write_bytes(body)
        assert told(machine.read()) == expected
        path = machine.write("a", lines(an_answer("req_1"), an_answer("req_2")))
        path.touch()
        machine.cache.write_bytes(body)  # and where the files' part is needed
        assert told(machine.read()) == expected
        machine.write("a", lines(an_answer("req_1"), an_answer("req_2")))
    machine.cache.unlink()
    machine.cache.mkdir()
    assert told(machine.read()) == expected


def test_another_price_book_prices_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs are from the book that is installed now; the logs need not be read for that."""
    machine.write("a", lines(an_answer("req_1")))
    first = machine.read()
    monkeypatch.setattr("tabstop.beside.local_usage.book_identity", lambda: ("another", 1, 1))
    second = machine.read()
    assert (second.read, told(second)) == (0, told(first))


def test_a_disk_that_cannot_be_written_to(machine: Machine) -> None:
    """The next time takes longer, nothing else."""
    machine.write("a", lines(an_answer("req_1")))
    machine.cache.parent.parent.write_bytes(b"a file where the folder would be")
    assert machine.read().read == 1


def test_where_the_cache_is() -> None:
    """By the XDG rules."""
    assert cache_path({"XDG_CACHE_HOME": "/c", "HOME": "/h"}) == Path("/c/tabstop/usage")
    assert cache_path({"XDG_CACHE_HOME": "c", "HOME": "/h"}) == Path("/h/.cache/tabstop/usage")
    assert cache_path({}) is None
