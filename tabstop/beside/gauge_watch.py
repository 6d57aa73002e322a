"""Gauge watch: tells a session's governor what `gauges.json` in its folder says, whoever wrote it, once it has changed."""

from __future__ import annotations

from tabstop.beside.gauge_file import gauges_path, read_gauges
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.session_folder import SessionFolder
from tabstop.governor.facts import GaugesRead


class GaugeWatch:
    """One session's. Cheap while nothing changes: one look at the file's stamp."""

    def __init__(self, folder: SessionFolder, governed: GovernedSession) -> None:
        """Nothing is read yet."""
        self._folder = folder
        self._governed = governed
        self._stamp: tuple[int, int, int] | None = None

    def look(self) -> None:
        """Tell the readings that the governor does not know."""
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
