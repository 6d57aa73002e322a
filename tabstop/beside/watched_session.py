"""A watched session: what the desk where hooks are answered keeps of each session, from its journal to who reports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tabstop.agents.dialect import Spoken
from tabstop.beside.gauge_watch import GaugeWatch
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_gate import HookGate
from tabstop.beside.hooked_session import HookedSession
from tabstop.beside.journal import Journal
from tabstop.beside.session_folder import Record, SessionFolder
from tabstop.governor.facts import Resumed
from tabstop.governor.orders import Event, Order
from tabstop.session import SessionOutcome
from tabstop.verdict import Verdict


class Reports(Protocol):
    """Who tells a session's server what happens in it, such as `tabstop.beside.reporting.Reporter`."""

    def begin(self, *, wait: bool = True) -> Verdict:
        """Start; a hook must not wait for a network."""
        ...

    def on_event(self, event: Event) -> None:
        """What the hooks themselves have to tell; the session's own events are heard anyway."""
        ...

    def close(self, outcome: SessionOutcome | None) -> bool:
        """Tell the rest. None leaves the session open at the server."""
        ...


ReportsOf = Callable[[Record, GovernedSession, SessionFolder], Reports | None]
"""Who reports this session; None where it has no server."""


@dataclass(slots=True)
class Watched:
    """A governed session with the client sessions it is heard through; by (agent, client session).

    said: what is to be said of its policy at its start.
    """

    folder: SessionFolder
    record: Record
    governed: GovernedSession
    journal: Journal | None = None
    reports: Reports | None = None
    heard: dict[tuple[str, str], HookedSession] = field(default_factory=dict)
    said: str = ""
    gate: HookGate = field(default_factory=HookGate)
    gauges: GaugeWatch = field(init=False)

    def __post_init__(self) -> None:
        """What the folder tells of the vendor's windows is watched from the start."""
        self.gauges = GaugeWatch(self.folder, self.governed)

    def hear(self, hooked: HookedSession, event: str, payload: Mapping[str, Any], at: datetime) -> tuple[Spoken, Order]:
        """What one of its client sessions says. Where this process governs it anyway, only that process says when its clock stops."""
        governed = self.governed
        with governed.lock:
            if self.journal is not None:
                return hooked.hear(event, payload, at)
            governed.order()  # an agent that begins would start the clock anew; the time until now counts
            ran = governed.state.totals.running_since is not None
            heard = hooked.hear(event, payload, at)
            if ran and governed.state.totals.paused:
                governed.tell(Resumed(governed.now()))  # the agent ended, what started it goes on
            return heard
