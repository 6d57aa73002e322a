"""A person's word to a session: more of a limit, or let go on. Told to whoever watches it, or written into its journal."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_records import pricer_of
from tabstop.beside.hook_socket import NobodyError, ask
from tabstop.beside.journal import Entry, Journal, JournalBusyError, write_entry
from tabstop.beside.session_folder import SessionFolder
from tabstop.governor.facts import Raised, Released, ServerSaid
from tabstop.governor.orders import Event, Order
from tabstop.wire_json import WireError, from_json, to_json

_SECONDS = 5.0


def who(environ: Mapping[str, str]) -> str:
    """Whoever sits here, as the log names them; empty when not known."""
    name = next((environ[one] for one in ("USER", "LOGNAME") if environ.get(one)), "")
    with suppress(KeyError):
        name = name or pwd.getpwuid(os.getuid()).pw_name
    return name


class NotHeardError(Exception):
    """The session was not told; the text says why, and whether trying again helps."""


@dataclass(frozen=True, slots=True)
class Told:
    """order: what the session does now. watched: whether a process that watches it took the word."""

    order: Order
    watched: bool


def tell(folder: SessionFolder, fact: Raised | Released | ServerSaid, now: Callable[[], datetime]) -> Told:
    """Raises `NotHeardError`, `NoSessionError`, `OSError`."""
    entry = Entry(fact)
    try:
        answer = ask(folder.watcher, "fact", (folder.path.name,), write_entry(entry), _SECONDS)
        return Told(from_json(Order, json.loads(answer)), watched=True)
    except (ValueError, WireError) as error:
        raise NotHeardError(f"what watches this session gave an answer that cannot be read: {error}") from error
    except NobodyError:
        return Told(_write(folder, fact, now), watched=False)


def _write(folder: SessionFolder, fact: Raised | Released | ServerSaid, now: Callable[[], datetime]) -> Order:
    record = folder.record()

    def on_event(event: Event, _order: Order) -> None:
        with suppress(OSError), folder.events.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(to_json(event)) + "\n")

    try:
        with Journal(folder.journal) as journal:
            pricer = pricer_of(record, now())
            return GovernedSession(record.settings, pricer, now, journal=journal, on_event=on_event).tell(fact)
    except JournalBusyError as error:
        raise NotHeardError(
            "another process watches this session and does not answer. Try again in a few seconds; if that does not help, "
            "end the agent and try once more."
        ) from error
