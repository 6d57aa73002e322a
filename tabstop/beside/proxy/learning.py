"""Learning: what requests and answers tell of the session besides its usage: who asks, from where, and how full the vendor's windows are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from tabstop.beside.gauge_file import keep_gauges
from tabstop.beside.proxy.callers import Caller
from tabstop.beside.proxy.gauges import gauges_of
from tabstop.beside.session_folder import NoSessionError, SessionFolder
from tabstop.gauge import Gauge, GaugeReading


class Learning:
    """Keeps it in the session's folder: the record's empty fields, and `gauges.json`. Without a folder in memory only."""

    def __init__(self, folder: SessionFolder | None, now: Callable[[], datetime]) -> None:
        """Nothing is known yet."""
        self._folder = folder
        self._now = now
        self._known: set[Caller] = set()
        self.gauges: dict[Gauge, GaugeReading] = {}
        self.workspace = ""
        """The first folder that a client said it works in."""

    def saw(self, caller: Caller) -> None:
        """Fill in what the record does not say. What it says already stands: the gate was told, headers are only claims."""
        who = replace(caller, thread="")
        if who in self._known or len(self._known) > 1_000:
            return
        self._known.add(who)
        self.workspace = self.workspace or who.cwd
        if self._folder is None:
            return
        with suppress(NoSessionError, OSError):
            record = self._folder.record()
            start = record.start
            start = replace(
                start,
                agent=start.agent or who.agent,
                repository=start.repository or who.repository,
                head_sha=start.head_sha or who.commit,
            )
            learned = replace(
                record, start=start, agent_session=record.agent_session or who.session, cwd=record.cwd or who.cwd
            )
            if learned != record:
                self._folder.write_record(learned)

    def heard_of(self, agent: str) -> bool:
        """Whether an agent has asked, by its name in usage."""
        return any(one.agent == agent for one in self._known)

    def answered(self, provider: str, answer: Mapping[str, str], asked: Mapping[str, str]) -> None:
        """Keep the gauges that the headers of an answer, and of what asked for it, tell; where they have changed."""
        now = self._now()
        changed = False
        for reading in gauges_of(provider, answer, asked, now):
            before = self.gauges.get(reading.gauge)
            changed = changed or before is None or replace(before, observed_at=now) != reading
            self.gauges[reading.gauge] = reading
        if changed and self._folder is not None:
            with suppress(OSError):
                keep_gauges(self._folder, self.gauges.values())
