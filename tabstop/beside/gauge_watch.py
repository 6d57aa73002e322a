"""Gauge watch: what `gauges.json` in a session's folder says reaches its governor; what that knows, the next session on this machine."""

from __future__ import annotations

import threading
from contextlib import suppress

from tabstop.beside.gauge_file import gauges_path, keep_gauges, read_gauges
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.session_folder import SessionFolder
from tabstop.gauge import GaugeReading
from tabstop.governor.facts import GaugesRead

_KEEPING = threading.Lock()
"""The sessions of one process keep what they heard in one file."""


class GaugeWatch:
    """One session's. Cheap while nothing changes: one look at the file's stamp."""

    def __init__(self, folder: SessionFolder, governed: GovernedSession) -> None:
        """Nothing is read yet. folder: where `create` made it, so that the machine's own gauges lie two folders above."""
        self._folder = folder
        self._machine = SessionFolder(folder.path.parent.parent)
        self._governed = governed
        self._stamp: tuple[int, int, int] | None = None
        self._passed_on: tuple[GaugeReading, ...] = ()

    def look(self) -> None:
        """Tell the readings that the governor does not know, and keep for the machine those it heard of."""
        self._tell()
        known = self._governed.state.gauged.readings
        if known != self._passed_on:
            self._passed_on = known
            with _KEEPING, suppress(OSError):
                keep_gauges(self._machine, known)

    def _tell(self) -> None:
        try:
            found = gauges_path(self._folder).stat()
        except OSError:
            return
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        known = self._governed.state.gauged.readings
        new = tuple(one for one in read_gauges(self._folder) if one not in known)
        if new:
            self._governed.tell(GaugesRead(self._governed.now(), new))
