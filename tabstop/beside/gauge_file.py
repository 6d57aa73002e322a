"""The gauges a session has heard of, kept as `gauges.json` in its folder: whoever hears of one adds it, whoever reports reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from tabstop.beside.session_folder import SessionFolder, sessions_root, write_privately
from tabstop.gauge import GaugeReading, newest
from tabstop.wire_json import WireError, from_json, to_json


def read_gauges(folder: SessionFolder) -> tuple[GaugeReading, ...]:
    """By vendor and account, the shorter window first; what cannot be read is left out."""
    try:
        rows = json.loads(gauges_path(folder).read_bytes())
    except (OSError, ValueError, RecursionError):
        return ()
    found = []
    for row in rows if isinstance(rows, list) else ():
        with suppress(WireError):
            found.append(from_json(GaugeReading, row))
    return tuple(sorted(found, key=lambda one: (one.vendor, one.account, one.minutes, one.window)))


def keep_gauges(folder: SessionFolder, heard: Iterable[GaugeReading]) -> None:
    """Keep the newest reading of each gauge, beside those others heard of. Raises `OSError`."""
    kept = newest((*read_gauges(folder), *heard))
    write_privately(gauges_path(folder), json.dumps([to_json(one) for one in kept.values()]).encode())


def machine_gauges(environ: Mapping[str, str]) -> SessionFolder:
    """Where this user's agents keep what they hear, in a governed session or not: a start without a server goes by it, and
    `tabstop sync` tells the server of it.
    """
    return SessionFolder(sessions_root(environ).parent)


def gauges_path(folder: SessionFolder) -> Path:
    """Where they are kept."""
    return folder.path / "gauges.json"
