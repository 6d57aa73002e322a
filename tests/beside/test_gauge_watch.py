"""What a session's folder tells of the vendor's windows reaches its governor, once; what that knows, whoever begins next here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tabstop.beside.gauge_file import gauges_path, keep_gauges, machine_gauges, read_gauges
from tabstop.beside.gauge_watch import GaugeWatch
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.pricing import Pricer
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.governor.facts import GaugesRead
from tabstop.governor.orders import Event
from tabstop.governor.settings import Settings
from tabstop.price_card import PriceCard
from tabstop.session import Limits
from tabstop.verdict import Signal
from tabstop.wire import StartRequest
from tests.beside.test_gauge_file import READ, WEEK
from tests.governor.builders import at


def made(state: Path, events: list[Event]) -> tuple[SessionFolder, GovernedSession, GaugeWatch]:
    """A session of the machine that keeps its state there."""
    folder = create(state / "sessions", Record("s1", at(0), StartRequest("codex")))
    governed = GovernedSession(
        Settings(limits=Limits(tokens=10**9)),
        Pricer(PriceCard(at(0))),
        lambda: at(20),
        on_event=lambda event, _order: events.append(event),
    )
    return folder, governed, GaugeWatch(folder, governed)


def test_what_is_written_there_is_told_once(tmp_path: Path) -> None:
    """A file that is missing or cannot be read tells nothing, and what the governor knows already is not told again."""
    events: list[Event] = []
    folder, governed, watch = made(tmp_path, events)
    watch.look()
    gauges_path(folder).write_bytes(b"{")
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


def test_the_next_session_here_knows_what_this_one_heard(tmp_path: Path) -> None:
    """From its agent's log or from its folder. A newer reading that the machine has stays; a disk that is full stops nothing."""
    machine = machine_gauges({"TABSTOP_STATE": str(tmp_path)})
    folder, governed, watch = made(tmp_path, [])
    newer = replace(WEEK, used=5_000, observed_at=at(30))
    keep_gauges(machine, [newer])
    governed.tell(GaugesRead(at(10), (WEEK,)))
    keep_gauges(folder, [READ])
    watch.look()
    assert read_gauges(machine) == (READ, newer)
    gauges_path(machine).unlink()
    gauges_path(machine).mkdir()
    governed.tell(GaugesRead(at(12), (replace(READ, observed_at=at(12)),)))
    watch.look()
    assert read_gauges(machine) == ()
