"""Local reading: what changed in the agents' logs is read, put together with what is known, and remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from tabstop.agents.log_files import LogFile
from tabstop.beside.file_memory import FileMemory
from tabstop.beside.local_plausible import LeftOut, Plausible, plausible
from tabstop.beside.local_prices import PricesHere
from tabstop.beside.local_usage_facts import LocalUsage, SessionFacts, SkippedLines
from tabstop.beside.log_reading import Progress, Reading, Wanted, read_logs
from tabstop.beside.usage_cache import FileState, Told, UsageCache
from tabstop.beside.usage_merging import merged
from tabstop.usage_groups import UsageGroup

_SETTLED = 2_000_000_000
"""Nanoseconds after which a file's time tells whether it was written to again: the coarsest clock of a file system."""

_FIRST = 50
"""Skipped lines that are told one by one, per file."""

_WHICH, _SIZE, _TIMES = slice(2), 2, slice(3, None, 5)
"""Places in the numbers of a state: device and inode, the size, and the times of the last change of content."""


def read_again(
    files: Sequence[LogFile],
    states: Sequence[FileState],
    cache: UsageCache | None,
    prices: PricesHere,
    now: int,
    processes: int,
    progress: Progress,
    meanwhile: Callable[[], object],
) -> LocalUsage:
    """Read what is not in the cache as it is now, and write the cache anew.

    states: of the files, each at its place. prices: those of now; other prices in the cache are replaced. now: ns.
    meanwhile: see `read_logs`.
    """
    known = {file.state.path: file for file in (cache.files(list[FileMemory]) if cache else None) or ()}
    changed = [place for place, state in enumerate(states) if not _same(known.get(state.path), state)]
    wanted = [_wanted(files[place], states[place], known.get(states[place].path)) for place in changed]
    readings = read_logs(wanted, processes, progress, meanwhile) if wanted else []
    memories = [known.get(state.path) for state in states]
    for place, reading in zip(changed, readings, strict=True):
        memories[place] = _memory(states[place], reading, now)
    now_known = [memory for memory in memories if memory is not None]
    problems = [(memory.state.path, memory.problem) for memory in now_known if memory.problem]
    found = plausible(now_known, prices)
    usage = _told(merged(found.files, prices), found, problems)
    usage = msgspec.structs.replace(usage, own_prices=prices.own.told())
    if cache:
        own = prices.own.seen(usage.folders)
        cache.write(Told([memory.state for memory in now_known], prices.listed, usage, own), now_known)
    return msgspec.structs.replace(usage, read=sum(not one.problem for one in readings))


def _same(known: FileMemory | None, state: FileState) -> bool:
    return known is not None and known.state == state


def _wanted(file: LogFile, state: FileState, known: FileMemory | None) -> Wanted:
    """What is known of a file counts only where it grew: as long as before, and yet changed, it was written anew."""
    size = state.numbers[_SIZE]
    if known is None:
        return Wanted(file, size)
    same = (known.state.agent, known.state.numbers[_WHICH]) == (state.agent, state.numbers[_WHICH])
    if same and known.tables and known.tables[-1].size < size:
        return Wanted(file, size, changes=True, known=known.tables, sum=known.sum)
    return Wanted(file, size, changes=True)


def _memory(state: FileState, reading: Reading, now: int) -> FileMemory:
    """A file that was written to a moment ago may be again, at the same time by its file system's clock: it is looked at again.

    So is one with a passing problem; a lasting one is the content's, and is remembered with it.
    """
    settled = not reading.passing and max(state.numbers[_TIMES]) < now - _SETTLED
    if not settled:
        state = FileState(state.path, state.agent, state.numbers[_WHICH])
    return FileMemory(state, reading.sum, reading.tables, reading.problem)


def _told(groups: Sequence[UsageGroup], found: Plausible, unread: Sequence[tuple[str, str]]) -> LocalUsage:
    unpriced: Counter[str] = Counter()
    for group in groups:
        if group.unpriced:
            unpriced[group.model] += group.unpriced
    return LocalUsage(
        groups=tuple(groups),
        sessions=tuple(_facts(found.files)),
        skipped=tuple(_skipped(found.files, found.left_out)),
        unread=tuple(unread),
        unpriced=dict(unpriced),
        files=len(found.files),
    )


def _facts(files: Iterable[FileMemory]) -> Iterator[SessionFacts]:
    found: dict[tuple[str, str], SessionFacts] = {}
    for file in files:
        for table in file.tables:
            if table.pull_requests or table.commits:
                key = (file.state.agent, table.session)
                held = found.get(key) or SessionFacts(*key)
                links = tuple(dict.fromkeys((*held.pull_requests, *table.pull_requests)))
                commits = tuple(dict.fromkeys((*held.commits, *table.commits)))
                found[key] = SessionFacts(*key, links, commits)
    yield from found.values()


def _skipped(files: Iterable[FileMemory], left_out: Mapping[str, Sequence[LeftOut]]) -> Iterator[SkippedLines]:
    """Calls that were left out come first: they would weigh most."""
    for file in files:
        out = left_out.get(file.state.path, ())
        reasons = Counter(one.why for one in out)
        for table in file.tables:
            reasons.update(table.skip_reasons)
        if reasons:
            first = [(0, f"{one.why}: {one.which}") for one in out]
            first += [(row.line, row.reason) for table in file.tables for row in table.skipped]
            yield SkippedLines(file.state.path, tuple(first[:_FIRST]), dict(reasons))
