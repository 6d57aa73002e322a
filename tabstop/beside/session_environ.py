"""The environment a session was started in, as its hooks tell it: the governor that hears them was started in another one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tabstop.beside.admission import ends_elsewhere
from tabstop.beside.server_access import VARIABLES, server_named
from tabstop.beside.session_folder import Record, SessionFolder
from tabstop.beside.spool import spool_root

_FIELD = "tabstop_environ"
"""Of a hook's payload, put in by `tabstop.beside.hook`: `NAME=value` with the value in hexadecimal, separated by spaces."""


def told_environ(payload: Mapping[str, Any]) -> dict[str, str] | None:
    """Those of VARIABLES that are set in the session; None where its hook does not tell. Raises `ValueError` for what is no such text."""
    words = payload.get(_FIELD)
    if not isinstance(words, str):
        return None
    pairs = (word.partition("=") for word in words.split())
    return {name: os.fsdecode(bytes.fromhex(value)) for name, _, value in pairs if name in VARIABLES}


def environ_of(payload: Mapping[str, Any], ours: Mapping[str, str]) -> dict[str, str]:
    """Ours, but for what the session's own says of its server and its login. Where state lies is ours alone to say."""
    told = told_environ(payload)
    if told is None:
        return dict(ours)
    rest = {name: value for name, value in ours.items() if name not in VARIABLES}
    # By HOME both find logins and state. TABSTOP_STATE, where it is set, goes on to count before this.
    state = spool_root({name: value for name, value in ours.items() if name != "TABSTOP_STATE"}).parents[1]
    return {**rest, **told, "XDG_STATE_HOME": str(state)}


def leaves_its_server(record: Record, environ: Mapping[str, str]) -> bool:
    """Whether the session goes on in an environment that names another server than the one it began at, or `off`."""
    named = server_named(environ)
    return bool(named and record.server) and named != record.server and not ends_elsewhere(record)


def leave_server(folder: SessionFolder, record: Record) -> Record:
    """The same without its server, kept so; what that one has not heard yet it hears no more. Raises `OSError`."""
    left = without_server(record)
    folder.write_record(left)
    folder.unreported.unlink(missing_ok=True)
    return left


def without_server(record: Record) -> Record:
    """The same session, of which no server knows. What it may use stays as it is, until somebody says otherwise."""
    return replace(record, server="", server_session="", token="", key="", admitted=None, fork="")
