"""What a session's folder tells of the vendor's windows reaches its governor, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tabstop.beside.gauge_file import keep_gauges
from tabstop.beside.gauge_watch import GaugeWatch
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.pricing import Pricer
from tabstop.beside.session_folder import SessionFolder
from tabstop.governor.facts import GaugesRead
from tabstop.governor.orders import Event
from tabstop.governor.settings import Settings
from tabstop.price_card import PriceCard
from tabstop.session import Limits
from tabstop.verdict import Signal
from tests.beside.test_gauge_file import READ, WEEK
from tests.governor.builders import at


def test_what_is_written_there_is_told_once(tmp_path: Path) -> None:
    """A file that is missing or cannot be read tells nothing, and what the governor knows already is not told again."""
    events: list[Event] = []
    governed = GovernedSession(
        Settings(limits=Limits(tokens=10**9)),
        Pricer(PriceCard(at(0))),
        lambda: at(20),
        on_event=lambda event, _order: events.append(event),
    )
    folder = SessionFolder(tmp_path)
    watch = GaugeWatch(folder, governed)
    watch.look()
    (tmp_path / "gauges.json").write_bytes(b"{")
    watch.look()
    assert governed.state.gauged.readings == ()
    governed.tell(GaugesRead(at(10), (WEEK,)))
    keep_gauges(folder, [READ, WEEK])
    watch.look()
    watch.look()
    assert set(governed.state.gauged.readings) == {READ, WEEK}
    keep_gauges(folder, [replace(READ, used=9_990, observed_at=at(15))])
    watch.look()
    assert [event.finding.signal for event in events if event.finding] == [Signal.GAUGE]
