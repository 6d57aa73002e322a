"""State: everything the governor remembers of one session. Plain values that `tabstop.wire_json` writes and reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tabstop.governor.breaker import SessionBreaker
from tabstop.governor.degradation import Degraded
from tabstop.governor.exhaustion import Exhausted
from tabstop.governor.limits import Totals
from tabstop.governor.orders import Act
from tabstop.governor.runaway import Watched
from tabstop.governor.server_word import Heard
from tabstop.governor.silence import Alive
from tabstop.governor.subtask_books import Subagents
from tabstop.governor.throttle import Pace
from tabstop.governor.windows import Gauged
from tabstop.session import SessionOutcome
from tabstop.verdict import Finding


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why the session stands still, and since when. Of several causes the first; the next one when that is lifted."""

    act: Act
    ends_as: SessionOutcome
    at: datetime
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class State:
    """One part per concern; each part is its module's own. said: what people were last told of defaults that stepped in."""

    totals: Totals = field(default_factory=Totals)
    exhausted: Exhausted = field(default_factory=Exhausted)
    degraded: Degraded = field(default_factory=Degraded)
    watched: Watched = field(default_factory=Watched)
    breaker: SessionBreaker = field(default_factory=SessionBreaker)
    pace: Pace = field(default_factory=Pace)
    subagents: Subagents = field(default_factory=Subagents)
    heard: Heard = field(default_factory=Heard)
    alive: Alive = field(default_factory=Alive)
    stopped: Stopped | None = None
    said: str = ""
    gauged: Gauged = field(default_factory=Gauged)
