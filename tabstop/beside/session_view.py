"""A session as people look at it: its totals and state from the journal, how its runs ended, what was worth logging."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tabstop.beside.gauge_file import read_gauges
from tabstop.beside.journal import read_entry
from tabstop.beside.session_folder import Record, SessionFolder
from tabstop.gauge_account import with_accounts
from tabstop.gauge_rate import Outlook, outlook
from tabstop.governor.limits import limits_in_force
from tabstop.governor.machine import govern
from tabstop.governor.orders import Event, EventKind
from tabstop.governor.state import State
from tabstop.session import Limits
from tabstop.wire_json import WireError, from_json


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of the wrapper. ours: Tabstop ended it."""

    began_at: str
    seconds: int
    outcome: str
    code: int
    ours: bool


@dataclass(frozen=True, slots=True)
class Raise:
    """The limits in force before and after an overdrive, a person's yes, or the server's word."""

    at: datetime
    before: Limits
    after: Limits


@dataclass(frozen=True, slots=True)
class SessionView:
    """limits: in force now, overdrives included. watched: whether a process watches it at this moment.

    gauges: how full the vendors' own windows were when somebody last read them, and what that let one expect.
    """

    folder: SessionFolder
    record: Record
    state: State
    limits: Limits
    watched: bool
    runs: tuple[Ran, ...] = ()
    raises: tuple[Raise, ...] = ()
    gauges: tuple[Outlook, ...] = ()

    @property
    def standing(self) -> str:
        """In a word or two: `running`, `suspended`, `stopped: cost`, how its last run ended, or `open`."""
        if self.state.stopped is not None:
            return self.state.stopped.ends_as.value
        if self.state.exhausted.question is not None:
            return "asks for more"
        if self.watched and self.state.totals.running_since is not None:
            return "running"
        return self.runs[-1].outcome if self.runs else "open"


def view(folder: SessionFolder) -> SessionView:
    """Replay it. A journal that is being written is read as far as it goes. Raises `NoSessionError`."""
    record = folder.record()
    state = State()
    raises: list[Raise] = []
    for line in _lines(folder.journal):
        entry = read_entry(line)
        if entry is None:
            continue
        decision, before = govern(state, entry.fact, record.settings), state
        state = decision.state
        at = next((event.at for event in decision.events if event.kind is EventKind.RAISE), None)
        if at is not None:
            raises.append(Raise(at, _limits(before, record), _limits(state, record)))
    runs = _runs(folder.path / "runs.jsonl")
    gauges = tuple(outlook(one, one.observed_at, state.gauged.earlier) for one in with_accounts(read_gauges(folder)))
    limits, watched = _limits(state, record), _locked(folder.journal)
    return SessionView(folder, record, state, limits, watched, runs, tuple(raises), gauges)


def events(folder: SessionFolder) -> tuple[Event, ...]:
    """What was worth logging, oldest first; lines that cannot be read are left out."""
    return tuple(one for row in _rows(folder.events) if (one := _event(row)) is not None)


def _limits(state: State, record: Record) -> Limits:
    return limits_in_force(state.totals, record.settings)[0]


def _event(row: dict[str, Any]) -> Event | None:
    try:
        return from_json(Event, row)
    except WireError:
        return None


def _runs(path: Path) -> tuple[Ran, ...]:
    found = []
    for row in _rows(path):
        try:
            found.append(from_json(Ran, row))
        except WireError:
            continue
    return tuple(found)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in _lines(path):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            yield row


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError:
        return []


def _locked(path: Path) -> bool:
    """Whether a process holds it."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
