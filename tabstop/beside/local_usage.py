"""Local usage: everything the agents' logs on this machine tell, each response once, priced; from a cache where nothing changed."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tabstop.agents import log_files
from tabstop.agents.homes import Homes
from tabstop.agents.log_files import READERS, LogFile
from tabstop.beside.local_prices import LocalPrices, PricesHere, book_identity
from tabstop.beside.local_usage_facts import LocalUsage
from tabstop.beside.own_prices import OwnPrices
from tabstop.beside.usage_cache import FileState, UsageCache

_DAY = 86_400 * 1_000_000_000
"""Nanoseconds."""

Progress = Callable[[int, int], object]
"""Told how many bytes were read, and of how many."""


def cache_path(environ: Mapping[str, str]) -> Path | None:
    """Where to remember: `$XDG_CACHE_HOME/tabstop/usage`, or below `~/.cache`; None without a home."""
    named = environ.get("XDG_CACHE_HOME", "")
    home = environ.get("HOME", "")
    folder = Path(named) if named.startswith("/") else Path(home, ".cache") if home.startswith("/") else None
    return folder and folder / "tabstop" / "usage"


def local_usage(
    homes: Homes,
    *,
    cache: Path | None,
    agents: Iterable[str] = READERS,
    exports: Iterable[Path] = (),
    processes: int | None = None,
    progress: Progress = lambda _done, _all: None,
    meanwhile: Callable[[], object] = lambda: None,
) -> LocalUsage:
    """Read what changed since the last time.

    cache: the file to remember in; None to remember nothing. exports: files that `opencode export` wrote; where some are named,
    they are read and the agents' logs are not; take no cache then. processes: how many may read; as many as there are cores.
    progress: told while much is read: bytes read, and of how many. Show nothing before it is called for the first time: a thread
    that draws on the screen keeps this process from starting others. meanwhile: done while other processes begin to read; not at
    all where nothing is read.
    """
    now = time.time_ns()
    named = [LogFile("opencode", path) for path in exports]
    looked = look(named or log_files.discover(homes, agents))
    remembered = UsageCache(cache) if cache else None
    told = remembered.told() if remembered else None
    book = book_identity()
    prices = told.prices if told and told.prices.book == book else LocalPrices(book)
    prices.today = now // _DAY
    own = OwnPrices()
    same = told is not None and told.prices is prices and told.states == looked.states
    if told and same and told.own == own.seen(told.usage.folders):
        return msgspec.structs.replace(told.usage, unread=(*told.usage.unread, *looked.unread), read=0)
    from tabstop.beside.local_reading import read_again  # noqa: PLC0415 - most of the time nothing has changed

    with made_to_last():
        usage = read_again(
            looked.files,
            looked.states,
            remembered,
            PricesHere(prices, own),
            now,
            processes or _cores(),
            progress,
            meanwhile,
        )
    return msgspec.structs.replace(usage, unread=(*usage.unread, *looked.unread))


@contextmanager
def made_to_last() -> Iterator[None]:
    """For work that makes tens of thousands of things, none in a circle: looking for circles meanwhile takes a tenth of its time.

    What it made stays until the process ends, which would look through it once more.
    """
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if looks:
            gc.enable()


class Looked(msgspec.Struct):
    """Files that are there, with their states; and what could not be looked at."""

    files: list[LogFile] = []
    states: list[FileState] = []
    unread: list[tuple[str, str]] = []


def look(files: Iterable[LogFile]) -> Looked:
    """The state of each file; one that is gone is left out."""
    looked = Looked()
    for file in files:
        path = str(file.path)
        try:
            numbers = _numbers(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            looked.unread.append((path, error.strerror or type(error).__name__))
            continue
        for beside in file.beside:
            with suppress(OSError):
                numbers += _numbers(beside)
        looked.files.append(file)
        looked.states.append(FileState(path, file.agent, numbers))
    return looked


def _numbers(path: str | Path) -> tuple[int, ...]:
    """See `FileState`. Raises `OSError`."""
    about = log_files.plain(path)
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
