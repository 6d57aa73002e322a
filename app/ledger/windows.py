"""Windows: where a session's usage goes when it outlives a window, and where usage nobody admitted goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.ledger.books import SessionRow
from app.ledger.reached import Reached
from tabstop.policy.model import Policy
from tabstop.usage import Usage
from tabstop.window import chargeable_at


@dataclass(frozen=True, slots=True)
class Current:
    """Where a session's usage goes: `place_id` now, and until when its earlier places took it, oldest first."""

    place_id: int
    earlier: tuple[tuple[datetime, int], ...] = ()

    def place_for(self, occurred_at: datetime) -> int:
        """The place of a usage: the windows the session was admitted in until they end, the next ones after.

        It goes by when the usage happened, so that the order in which reports arrive does not matter.
        """
        for until, place_id in self.earlier:
            if occurred_at < until:
                return place_id
        return self.place_id

    def by_place(self, usages: Sequence[Usage]) -> dict[int, Sequence[Usage]]:
        """Usages by the place they go to."""
        if not self.earlier:
            return {self.place_id: usages} if usages else {}
        found: dict[int, list[Usage]] = {}
        for usage in usages:
            found.setdefault(self.place_for(usage.occurred_at), []).append(usage)
        return {**found}


def current_place(reached: Reached, session: SessionRow, policy: Policy, login: str) -> Current:
    """The session's place in the windows of now; `reached` has the one it is in.

    A session that has ended takes no new windows: its late usage belongs to those it was admitted in, or came to.
    """
    reached.reach(session.earlier_places)
    ended = [(reached.first_end(place_id), place_id) for place_id in session.earlier_places]
    earlier = tuple((end, place_id) for end, place_id in ended if end is not None)
    ends = reached.first_end(session.place_id)
    if ends is None or reached.now < ends or session.ended_at is not None:
        return Current(session.place_id, earlier)
    turned = reached.in_windows_of(session.place_id, reached.now, policy, login)
    return Current(turned, (*earlier, (ends, session.place_id)))


def places_for(reached: Reached, session: SessionRow, policy: Policy, login: str, times: Sequence[datetime]) -> Current:
    """Where its usage goes: of an unadmitted session to the windows in which it happened, at most 35 days back.

    times: when the usages to be placed happened.
    """
    if not session.unadmitted:
        return current_place(reached, session, policy, login)
    at = chargeable_at(min(times, default=reached.now), reached.now)
    earlier: list[tuple[datetime, int]] = []
    while True:
        place_id = reached.in_windows_of(session.place_id, at, policy, login)
        end = reached.first_end(place_id)
        if end is None or end > reached.now:
            return Current(place_id, tuple(earlier))
        earlier.append((end, place_id))
        at = end
