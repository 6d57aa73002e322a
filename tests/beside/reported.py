"""What tests of a report share: findings that go up and come back, and a wait for what its thread does."""

from __future__ import annotations

from tabstop.governor.facts import Tick
from tabstop.governor.orders import Act
from tabstop.money import dollars
from tabstop.verdict import Finding, Outcome, Signal
from tests.beside.fake_server import Told
from tests.governor.builders import at

LIMIT = Finding(Signal.LIMIT, Outcome.STOP, "cost", unit="usd", cap=dollars("1"), spent=dollars("1"))
RED_TAB = Finding(Signal.BUDGET, Outcome.STOP, "tab", "The tab is spent.", cause="spent")


def stopped(one: Told) -> Act:
    """What the session is ordered now."""
    return one.session.tell(Tick(at(60))).act
