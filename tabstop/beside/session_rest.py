"""A session's rest: what its client has counted and no call in its logs tells (compaction, side calls), as aggregates.

See `tabstop.agents.claude_code.folder` for one job's sessions; here it is every session of a machine, from log tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from tabstop.agents.call_table import micros
from tabstop.agents.claude_code.client_count import Counts, client_totals, counted, since
from tabstop.agents.claude_code.responses import each_once
from tabstop.agents.claude_code.transcript import Checkpoint
from tabstop.agents.log_table import LogTable
from tabstop.beside.usage_grouping import session_of
from tabstop.evidence import NOWHERE, Evidence
from tabstop.true_up import true_up
from tabstop.usage import Usage
from tabstop.usage_groups import UsageGroup

Sessions = Mapping[str, Sequence[LogTable]]
"""The tables of one agent by session: its own and its subagents'."""


def rests(agent: str, sessions: Sessions, groups: Iterable[UsageGroup]) -> Iterator[tuple[str, Usage]]:
    """Each session whose client counted more than its calls, with one aggregate per model.

    groups: every call of these sessions, each once.
    """
    counting = {session: tables for session, tables in sessions.items() if any(one.checkpoints for one in tables)}
    called: dict[str, dict[str, Usage]] = {session: {} for session in counting}
    for group in groups:
        if group.agent == agent and group.session in called:
            _add(called[group.session], group)
    for session, tables in counting.items():
        own = max((one for one in tables if one.checkpoints), key=lambda one: _order(one.checkpoints[-1].after))
        last = own.checkpoints[-1]
        if _told_alike(last, called[session], tables):
            continue
        counts = since(last.counts, _begun_with(session, sessions))
        totals = client_totals(session, counted(each_once(_late(session, tables, last.after)), counts))
        at = last.after or max((one.latest for one in tables if one.latest), default=None)
        if at is not None:
            for usage in true_up(called[session].values(), totals, session=session, at=at, agent=agent):
                yield session, replace(usage, evidence=_last_place(own))


def _told_alike(last: Checkpoint, called: Mapping[str, Usage], tables: Sequence[LogTable]) -> bool:
    """Whether the client's last word of a session that is no fork says what its calls say: most do, and need no more thought."""
    if any(one.copied_from or (one.latest and last.after and one.latest > last.after) for one in tables):
        return False
    return all(
        model in called and (called[model].tokens, called[model].web_searches) == (one.tokens, one.web_searches)
        for model, one in last.counts.items()
    )


def _add(called: dict[str, Usage], group: UsageGroup) -> None:
    """Add a group to what was called of its model: for `true_up`, all calls of a model are as good as one."""
    held = called.get(group.model)
    tokens = group.tokens if held is None else held.tokens + group.tokens
    searches = group.web_searches + (held.web_searches if held else 0)
    called[group.model] = Usage((), group.model, tokens, group.at, web_searches=searches)


def _late(session: str, tables: Sequence[LogTable], after: datetime | None) -> Iterator[Usage]:
    """Answers after the client's last total (its next run was killed): without them they would hide what no row tells."""
    begun = micros(after) if after else 0
    for table in tables:
        if table.latest is None or after is None or table.latest > after:
            yield from _some(table, lambda at, of: at > begun and of == session)


def _begun_with(session: str, sessions: Sessions) -> Counts:
    """A fork goes on counting from its parent's total; where the parent is gone, from the rows it copied."""
    copied = {name for table in sessions[session] for name in table.copied_from}
    if not copied:
        return {}
    forked = min((at for table in sessions[session] for at, of in _calls(table) if of == session), default=None)
    parents = [table for name in copied for table in sessions.get(name, ())]
    totals = [one for parent in parents for one in parent.checkpoints if _not_after(one, forked)]
    if totals:
        return max(totals, key=lambda one: sum(count.tokens.total for count in one.counts.values())).counts
    if parents:
        return {}  # a parent that was killed before its first total: the fork began from zero
    return counted(usage for table in sessions[session] for usage in _some(table, lambda _, of: of in copied))


def _calls(table: LogTable) -> Iterator[tuple[int, str]]:
    """When each call was made, and of which session it is."""
    of = [session_of(table, thread) for _, thread in table.calls.who]
    return ((at, of[who]) for at, who, *_ in table.calls.rows())


def _some(table: LogTable, wanted: Callable[[int, str], bool]) -> Iterator[Usage]:
    rows = {number for number, (at, of) in enumerate(_calls(table)) if wanted(at, of)}
    return (usage for _, usage in table.calls.usages("", rows)) if rows else iter(())


def _not_after(one: Checkpoint, forked: int | None) -> bool:
    return one.after is None or forked is None or micros(one.after) <= forked


def _last_place(table: LogTable) -> Evidence:
    _, where = max(((at, where) for at, _, where, *_ in table.calls.rows()), default=(0, -1))
    return Evidence(*table.calls.where[where]) if where >= 0 else NOWHERE


def _order(after: datetime | None) -> float:
    return after.timestamp() if after else float("-inf")
