"""Sight: whether the answers of an agent that works are found at all, judged by the tool calls that its hooks tell of."""

from __future__ import annotations

from datetime import datetime, timedelta

from tabstop.beside.governed_session import GovernedSession
from tabstop.governor.facts import Fact, ToolFinished, ToolStarted, Unreadable

CALLS_AT_FIRST, CALLS_BETWEEN = 10, 50
"""Tool calls without an answer after which nothing is to be hoped for: before the first answer, and between two. One answer may
ask for many tools at once.
"""

LONGEST = timedelta(minutes=1)
"""From the first tool call on, for the first answer: agents write it down a moment after they act on it."""


class Sight:
    """One client session. Tell it every fact, after what its log told: answers may also be told by others, such as the proxy."""

    def __init__(self, governed: GovernedSession) -> None:
        """Nothing is seen yet; what was counted before is no sign."""
        self._governed = governed
        self._answers = governed.state.totals.iterations
        self._seen = False
        self._calls = 0
        self._since: datetime | None = None

    def look(self, fact: Fact) -> None:
        """Tell the governor when tools run and no answer is found."""
        totals = self._governed.state.totals
        if totals.iterations != self._answers:
            self._answers, self._seen, self._calls, self._since = totals.iterations, True, 0, None
        if not isinstance(fact, ToolStarted | ToolFinished):
            return
        self._since = self._since or fact.at
        self._calls += isinstance(fact, ToolStarted) or fact.unseen
        late = fact.at - self._since >= LONGEST and not self._seen
        if (late or self._calls >= (CALLS_BETWEEN if self._seen else CALLS_AT_FIRST)) and not totals.blind:
            self._governed.tell(Unreadable(fact.at))
