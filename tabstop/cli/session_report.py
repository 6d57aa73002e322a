"""Sessions as `tabstop sessions` and `tabstop session` print them, and what an overdrive or a release came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from tabstop.agents.command_line import PROGRAMS, command_line_of
from tabstop.beside.control import Told
from tabstop.beside.proxy.gauges import Gauge
from tabstop.beside.session_view import Raise, SessionView
from tabstop.beside.wrapper.words import bounds
from tabstop.governor.limits import UNITS, shown
from tabstop.governor.orders import Event, EventKind
from tabstop.quantity import percent, plural, span
from tabstop.session import Limits
from tabstop.wire_json import to_json

_AGENTS = {"gemini-cli": "gemini"}
"""The agent's install name, where the server has another one for it."""


_LABELS = {
    "tokens": "tokens",
    "tool_calls": "tool calls",
    "iterations": "model calls",
    "wall_clock_seconds": "wall clock",
    "cost": "cost",
}


def listing(views: Sequence[SessionView]) -> list[str]:
    """One row a session, newest first."""
    if not views:
        return ["No session on this machine yet. `tabstop run -- claude -p …` begins one."]
    rows: list[tuple[str, ...]] = [
        ("SESSION", "BEGAN (UTC)", "STATE", "COST", "TOKENS", "CALLS", "TOOLS", "TIME", "WHERE")
    ]
    rows += [_row(one) for one in views]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def details(one: SessionView, events: Sequence[Event]) -> list[str]:
    """Everything about one session."""
    record, state = one.record, one.state
    lines = [
        f"session   {record.id}",
        f"agent     {record.start.agent}"
        + (f", its own session {record.agent_session}" if record.agent_session else ""),
        f"where     {record.cwd or 'unknown'}",
        f"began     {record.began_at:%Y-%m-%d %H:%M:%S} UTC",
        f"state     {one.standing}" + (", watched now" if one.watched else ""),
    ]
    if record.server_session:
        lines.append(f"server    {record.server}, session {record.server_session}")
    lines += ["", *_meters(one), ""]
    lines += [f"gauge     {_gauge(gauge)}" for gauge in one.gauges] + [""]
    if state.totals.unpriced:
        lines.append(f"{plural(state.totals.unpriced, 'answer')} without a known price; what that cost is not in it.")
    if state.stopped is not None and state.stopped.finding is not None:
        lines += [one for one in (state.stopped.finding.sentence, state.stopped.finding.remedy) if one]
        lines.append(_to_resume(one))
        lines.append("")
    lines += [
        f"run       {run.began_at[:19].replace('T', ' ')}  {run.outcome}, exit code {run.code}" for run in one.runs
    ]
    lines += [f"event     {_event(event, one.raises)}" for event in events]
    return [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]


def as_json(one: SessionView) -> dict[str, Any]:
    """For programs. Money is nano-dollars, what is used of a gauge thousandths."""
    totals = one.state.totals
    return {
        "session": one.record.id,
        "agent": one.record.start.agent,
        "agent_session": one.record.agent_session,
        "cwd": one.record.cwd,
        "began_at": one.record.began_at.isoformat(),
        "state": one.standing,
        "watched": one.watched,
        "used": {name: getattr(totals, name) for name in UNITS},
        "limits": {name: getattr(one.limits, name) for name in UNITS},
        "unpriced": totals.unpriced,
        "stopped": to_json(one.state.stopped) if one.state.stopped else None,
        "runs": [to_json(run) for run in one.runs],
        "raises": [to_json(more) for more in one.raises],
        "gauges": [to_json(gauge) for gauge in one.gauges],
    }


def after_raise(one: SessionView, told: Told) -> list[str]:
    """What the session may use now, and how it goes on."""
    most = ", ".join(bounds(one.limits))
    return [f"Session {one.record.id} may now use {most}; what it used so far counts.", *_then(one, told)]


def after_release(one: SessionView, told: Told) -> list[str]:
    """Whether it goes on."""
    return [f"Session {one.record.id} is released.", *_then(one, told)]


def resume_command(one: SessionView) -> str:
    """What people type to have the agent go on under this session."""
    agent = one.record.start.agent
    program = PROGRAMS.get(_AGENTS.get(agent, agent), "")
    line = command_line_of(program) if program else None
    return f"tabstop run --session {one.record.id} -- {line.resume(one.record.agent_session) if line else 'COMMAND'}"


def _then(one: SessionView, told: Told) -> list[str]:
    if told.order.act.ends_turn:
        return [f"It still stands: {told.order.sentence}"]
    if told.watched:
        return ["It goes on now."]
    return [_to_resume(one)]


def _to_resume(one: SessionView) -> str:
    if one.record.start.agent == "library":
        return f'To resume: start the program again; `Governor(session="{one.record.id}")` takes the session up.'
    return f"To resume: {resume_command(one)}"


def _row(one: SessionView) -> tuple[str, ...]:
    totals, limits = one.state.totals, one.limits
    cells = [
        _of("cost", totals.cost, limits.cost) + ("?" if totals.unpriced else ""),
        *(_of(name, getattr(totals, name), getattr(limits, name)) for name in ("tokens", "iterations", "tool_calls")),
        _of("wall_clock_seconds", totals.wall_clock_seconds, limits.wall_clock_seconds),
    ]
    return (one.record.id, f"{one.record.began_at:%Y-%m-%d %H:%M}", one.standing, *cells, one.record.cwd)


def _of(name: str, amount: int, limit: int | None) -> str:
    used = _bare(name, amount)
    return used if limit is None else f"{used}/{_bare(name, limit)}"


def _bare(name: str, amount: int) -> str:
    return shown(name, amount).removesuffix(" tokens")


def _meters(one: SessionView) -> list[str]:
    found = []
    for name in (field.name for field in fields(Limits)):
        amount, limit = getattr(one.state.totals, name), getattr(one.limits, name)
        bound = ", no limit" if limit is None else f" of {_bare(name, limit)}, {percent(amount, limit)} %"
        found.append(f"{_LABELS[name]:<11} {_bare(name, amount)}{bound}")
    return found


def _gauge(gauge: Gauge) -> str:
    days, rest = divmod(gauge.minutes, 24 * 60)
    window = plural(days, "day") if days and not rest else span(gauge.minutes * 60)
    resets = f", begins anew {gauge.resets_at:%Y-%m-%d %H:%M}" if gauge.resets_at else ""
    status = f" ({gauge.status})" if gauge.status else ""
    return f"{gauge.provider}, {window}: {gauge.used / 10:.1f} % used at {gauge.at:%Y-%m-%d %H:%M}{resets} UTC{status}"


def _event(event: Event, raises: Sequence[Raise]) -> str:
    said = event.finding.sentence if event.finding else ""
    if event.kind is EventKind.RAISE:
        said = next((_raised(more) for more in raises if more.at == event.at), said)
    by = f" by {event.by}" if event.by else ""
    return f"{event.at:%Y-%m-%d %H:%M:%S}  {event.kind}{by}{': ' if said else ''}{said}"


def _raised(more: Raise) -> str:
    """`cost from $1.00 to $1.50, tokens from 1M to 2M`."""
    changed = []
    for name in UNITS:
        before, after = getattr(more.before, name), getattr(more.after, name)
        if before != after:
            ends = ["no limit" if one is None else _bare(name, one) for one in (before, after)]
            changed.append(f"{_LABELS[name]} from {ends[0]} to {ends[1]}")
    return ", ".join(changed)
