"""Sessions as `tabstop sessions` and `tabstop session` print them, and what an overdrive or a release came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from tabstop.agents.command_line import PROGRAMS, command_line_of
from tabstop.beside.control import Told
from tabstop.beside.session_view import Raise, SessionView
from tabstop.beside.wrapper.words import bounds
from tabstop.gauge import FULL, percent_of
from tabstop.gauge_rate import Outlook
from tabstop.governor.limits import UNITS, shown
from tabstop.governor.orders import Event, EventKind
from tabstop.quantity import percent, plural
from tabstop.session import Limits
from tabstop.wire import OverdriveAnswer, gauge_now
from tabstop.wire_json import to_json

_AGENTS = {"gemini-cli": "gemini"}
"""The agent's install name, where the server has another one for it."""

_READABLE = frozenset({"claude-code", "codex", "gemini-cli", "library"})
"""As sessions name them: of these, no model call means that none was made."""

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
    """For programs. Money is nano-dollars, null what is not known, what is used of a gauge ten-thousandths."""
    totals = one.state.totals
    return {
        "session": one.record.id,
        "agent": one.record.start.agent,
        "agent_session": one.record.agent_session,
        "cwd": one.record.cwd,
        "began_at": one.record.began_at.isoformat(),
        "state": one.standing,
        "watched": one.watched,
        "used": {name: _used(one, name) for name in UNITS},
        "limits": {name: getattr(one.limits, name) for name in UNITS},
        "unpriced": totals.unpriced,
        "stopped": to_json(one.state.stopped) if one.state.stopped else None,
        "runs": [to_json(run) for run in one.runs],
        "raises": [to_json(more) for more in one.raises],
        "gauges": [to_json(gauge_now(gauge)) for gauge in one.gauges],
    }


def after_raise(one: SessionView, told: Told) -> list[str]:
    """What the session may use now, and how it goes on."""
    most = ", ".join(bounds(one.limits))
    return [f"Session {one.record.id} may now use {most}; what it used so far counts.", *_then(one, told)]


def after_raise_elsewhere(session: str, answer: OverdriveAnswer) -> list[str]:
    """The same of a session on another machine, as its server answered. The limits are known."""
    most = ", ".join(bounds(answer.limits or Limits()))
    until = f" until {answer.expires_at:%Y-%m-%d %H:%M} UTC" if answer.expires_at else ""
    return [
        f"Session {session} may now use {most}{until}; what it used so far counts.",
        "One that runs hears of it with its next report; one that was suspended may be resumed where it ran.",
    ]


def after_release(one: SessionView, told: Told) -> list[str]:
    """Whether it goes on."""
    return [f"Session {one.record.id} is released.", *_then(one, told)]


def resume_command(one: SessionView) -> str:
    """What people type to have the agent go on under this session."""
    agent = one.record.start.agent
    program = PROGRAMS.get(_AGENTS.get(agent, agent), "")
    # One that was stopped before its agent began has no conversation to go on with.
    ran = one.state.totals.wall_clock_seconds or one.state.totals.running_since or one.state.totals.iterations
    line = command_line_of(program) if program and ran else None
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
    limits = one.limits
    cells = [
        _of(name, _used(one, name), getattr(limits, name)) + ("?" if _in_doubt(one, name) else "")
        for name in ("cost", "tokens", "iterations", "tool_calls", "wall_clock_seconds")
    ]
    return (one.record.id, f"{one.record.began_at:%Y-%m-%d %H:%M}", one.standing, *cells, one.record.cwd)


def _used(one: SessionView, name: str) -> int | None:
    """None where nobody can know: of an agent that cannot be read, or has left nothing to read."""
    totals = one.state.totals
    unseen = totals.unseen or (not totals.iterations and one.record.start.agent not in _READABLE)
    seen = {"cost": not unseen, "tokens": not unseen, "iterations": not unseen or totals.iterations > 0}
    seen["tool_calls"] = seen["iterations"] or totals.tool_calls > 0
    amount: int = getattr(totals, name)
    return amount if seen.get(name, True) else None


def _in_doubt(one: SessionView, name: str) -> bool:
    """Whether there is more of it than was counted."""
    totals = one.state.totals
    more = (name == "cost" and totals.unpriced > 0) or (name in {"cost", "tokens"} and totals.in_part)
    return more and _used(one, name) is not None


def _of(name: str, amount: int | None, limit: int | None) -> str:
    used = "?" if amount is None else _bare(name, amount)
    return used if limit is None else f"{used}/{_bare(name, limit)}"


def _bare(name: str, amount: int) -> str:
    return shown(name, amount).removesuffix(" tokens")


def _meters(one: SessionView) -> list[str]:
    found = []
    for name in (field.name for field in fields(Limits)):
        amount, limit = _used(one, name), getattr(one.limits, name)
        if amount is None:
            bound = "" if limit is None else f", limit {_bare(name, limit)}"
            found.append(f"{_LABELS[name]:<11} not known{bound}")
            continue
        bound = ", no limit" if limit is None else f" of {_bare(name, limit)}, {percent(amount, limit)} %"
        least = "at least " if _in_doubt(one, name) else ""
        found.append(f"{_LABELS[name]:<11} {least}{_bare(name, amount)}{bound}")
    return found


def _gauge(seen: Outlook) -> str:
    read = seen.reading
    said = [f"{percent_of(read.used)} used at {read.observed_at:%Y-%m-%d %H:%M} UTC"]
    if seen.an_hour is not None:
        said.append(f"{percent_of(seen.an_hour)} an hour{' on average' if seen.average else ''}")
    if seen.full_at is not None and read.used < FULL:
        said.append(f"full {seen.full_at:%Y-%m-%d %H:%M} UTC")
    if read.resets_at is not None:
        said.append(f"begins anew {read.resets_at:%Y-%m-%d %H:%M} UTC")
    return f"{read.vendor}, {read.window}: {', '.join(said)}{f' ({read.status})' if read.status else ''}"


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
