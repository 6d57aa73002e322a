"""Reading logs: one file, from where the last reading ended where that can be known; and many of them, on every core."""

from __future__ import annotations

import gc
import mmap
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import FileIO
from typing import BinaryIO, Self
from zlib import crc32

import msgspec

from tabstop.agents import log_files
from tabstop.agents.claude_code.bulk import read_bulk
from tabstop.agents.claude_code.transcript import AGENT as CLAUDE_CODE
from tabstop.agents.log_files import LogFile
from tabstop.agents.log_table import LogTable, log_table

_PIECE = 64 * 1024
"""Bytes that are compared at once."""

_MOST_PIECES = 8
"""A file that was read in so many pieces is read anew: each piece costs a little whenever it is looked at."""

_BATCH = 2_000_000
"""Bytes of logs that a process takes at a time."""

_WORTH_A_PROCESS = 4_000_000
"""Bytes of logs below which starting another process takes longer than it saves."""

_OPENING = 20_000
"""Bytes that could be read in the time it takes to open a file."""

_MOST_BATCHES = 8_000
"""Their numbers must find room in a pipe."""

_LOOK_AGAIN = 0.002
"""Seconds."""

_NUMBER = 4
"""Bytes of a batch's number."""


class Reading(msgspec.Struct, array_like=True):
    """What one file told. problem, passing: see `LogReading`. See `FileMemory` for the sum."""

    tables: list[LogTable] = []
    sum: int = 0
    problem: str = ""
    passing: bool = False


_RESULTS = msgspec.msgpack.Decoder(list[tuple[int, Reading]])
_RESULTS_ENCODER = msgspec.msgpack.Encoder()

Progress = Callable[[int, int], object]
"""Told how many bytes were read, and of how many."""


class Wanted(msgspec.Struct, array_like=True):
    """A file to read, of this size. changes: it was read before and is another now, so it may be again.

    known, sum: what is known of its beginning; see `FileMemory`.
    """

    file: LogFile
    size: int
    changes: bool = False
    known: list[LogTable] = []
    sum: int = 0


def read_log(wanted: Wanted) -> Reading:
    """Read one file, or what was added to it. Never raises for what it holds."""
    try:
        if wanted.file.agent != CLAUDE_CODE:
            readings = log_files.read(wanted.file)
            problem = "".join(one.problem for one in readings)
            return Reading([log_table(one) for one in readings], 0, problem, any(one.passing for one in readings))
        if not wanted.changes:  # most files never do, and the sum of all would cost a first run a twentieth
            with FileIO(wanted.file.path) as stream:
                return Reading([read_bulk(stream)])
        with _Summed(wanted.file.path) as stream:
            tables = wanted.known if _goes_on(stream, wanted) else []
            tables = [*tables, read_bulk(stream, tables[-1] if tables else None)]
            return Reading(tables, stream.sum)
    except OSError as error:
        return Reading(problem=error.strerror or type(error).__name__, passing=True)


class _Summed(FileIO):
    """A file read from its beginning, and the checksum of what was read: 30 ms for 100 MB, whose rows take more than half a second."""

    sum = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Also adds them to the sum."""
        data = super().read(size)
        self.sum = crc32(data, self.sum)
        return data


def _goes_on(stream: _Summed, wanted: Wanted) -> bool:
    """Whether what is known of a file is still its beginning, to the last byte; then the stream is behind it."""
    known = wanted.known
    if not known or len(known) >= _MOST_PIECES or not (wanted.sum and known[-1].size):
        return False
    left = known[-1].size
    while left and (data := stream.read(min(left, _PIECE))):
        left -= len(data)
    if not left and stream.sum == wanted.sum:
        return True
    stream.seek(0)
    stream.sum = 0
    return False


def read_logs(
    wanted: Sequence[Wanted], processes: int, progress: Progress, meanwhile: Callable[[], object] = lambda: None
) -> list[Reading]:
    """Read all of them, in the order given.

    processes: how many may work. progress: told now and then. meanwhile: done here once the others have begun.
    A process that dies is not missed: what it did not finish is read here.
    """
    total = sum(one.size for one in wanted)
    helpers = min(processes - 1, total // _WORTH_A_PROCESS) if _can_fork() else 0
    batches = _batches(wanted, total)
    with _Team(wanted, batches, helpers) as team:
        meanwhile()
        found = dict(team.work(0, lambda: progress(team.done(), total)))
        found.update(team.gathered(lambda: progress(team.done(), total)))
    progress(total, total)
    return [found.get(place) or read_log(one) for place, one in enumerate(wanted)]


def _batches(wanted: Sequence[Wanted], total: int) -> list[list[int]]:
    """Places in `wanted`, some megabytes of files at a time, the largest first, so that nobody is left with one at the end."""
    size = max(_BATCH, (total + _OPENING * len(wanted)) // _MOST_BATCHES)
    batches: list[list[int]] = []
    room = 0
    for place in sorted(range(len(wanted)), key=lambda place: -wanted[place].size):
        if room <= 0:
            batches.append([])
            room = size
        batches[-1].append(place)
        room -= wanted[place].size + _OPENING
    return batches


def _can_fork() -> bool:
    """Where another thread runs, a copy of this process could wait for a lock for ever."""
    threading = sys.modules.get("threading")
    return hasattr(os, "fork") and (threading is None or threading.active_count() == 1)


class _Team:
    """This process and copies of it. The numbers of the batches lie in a pipe, from which each takes the next."""

    def __init__(self, wanted: Sequence[Wanted], batches: Sequence[Sequence[int]], helpers: int) -> None:
        self._wanted, self._batches = wanted, batches
        self._tasks, filling = os.pipe()
        os.write(filling, b"".join(number.to_bytes(_NUMBER, "little") for number in range(len(batches))))
        os.close(filling)
        self._counters = mmap.mmap(-1, 8 * (helpers + 1))
        self._children: dict[int, BinaryIO] = {}
        for number in range(helpers):
            self._start(number + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._tasks)
        for child, output in self._children.items():  # only after an error: nobody waits for them any more
            with suppress(OSError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            output.close()
        self._counters.close()

    def done(self) -> int:
        """Bytes that were read so far, by all."""
        return sum(int.from_bytes(self._counters[at : at + 8], "little") for at in range(0, len(self._counters), 8))

    def work(self, who: int, after_each: Callable[[], object]) -> Iterator[tuple[int, Reading]]:
        """Read batches until there are none, counting in place `who`."""
        read = 0
        while number := os.read(self._tasks, _NUMBER):
            for place in self._batches[int.from_bytes(number, "little")]:
                yield place, read_log(self._wanted[place])
                read += self._wanted[place].size
            self._counters[8 * who : 8 * who + 8] = read.to_bytes(8, "little")
            after_each()

    def gathered(self, waiting: Callable[[], object]) -> Iterator[tuple[int, Reading]]:
        """What the others read, when they are done."""
        while self._children:
            child, output = next(iter(self._children.items()))
            while not os.waitpid(child, os.WNOHANG)[0]:
                waiting()
                time.sleep(_LOOK_AGAIN)
            del self._children[child]
            with output:
                output.seek(0)
                with suppress(msgspec.MsgspecError, EOFError):
                    yield from _RESULTS.decode(output.read())

    def _start(self, who: int) -> None:
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it was read
        try:
            child = os.fork()
        except OSError:  # as many processes as are allowed: this one reads alone
            output.close()
            return
        if child:
            self._children[child] = output
            return
        ended = 1
        try:
            gc.disable()  # nothing here goes in circles, and the process is gone in a second
            output.write(_RESULTS_ENCODER.encode(list(self.work(who, lambda: None))))
            output.flush()
            ended = 0
        finally:
            os._exit(ended)
