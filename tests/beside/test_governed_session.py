"""A governed session: each answer counts once, totals outlive the process, events reach whoever listens."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tabstop.beside.governed_session import CALLS_KEPT, GovernedSession, OnEvent, OnUsage
from tabstop.beside.journal import Journal
from tabstop.beside.pricing import Pricer
from tabstop.governor.facts import Heartbeat, Raised, Resumed, ToolStarted
from tabstop.governor.orders import Act, Event, EventKind, Order
from tabstop.governor.settings import Settings
from tabstop.price_card import ModelPrice, PriceCard, Rates, Tier
from tabstop.session import Limits
from tabstop.usage import Tokens, Usage
from tests.beside.full_disk import full_disk
from tests.governor.builders import BEGUN, at

FLAT = ModelPrice("m", "m", exact=True, tiers=(Tier(0, Rates(Decimal(1_000), output=Decimal(1_000))),))
PRICER = Pricer(PriceCard(BEGUN, {"m": FLAT}))


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return at(self.seconds)


def used(number: int, tokens: int = 1_000, model: str = "m") -> Usage:
    keys = (f"anthropic:msg:m{number}", f"anthropic:req:r{number}")
    return Usage(keys, model, Tokens(input=tokens), BEGUN)


def session(
    limits: Limits | None = None,
    journal: Journal | None = None,
    on_event: OnEvent = lambda _event, _order: None,
    on_usage: OnUsage = lambda _usage: None,
) -> GovernedSession:
    settings = Settings(limits=limits or Limits(tokens=10_000))
    return GovernedSession(settings, PRICER, Clock(), journal=journal, on_event=on_event, on_usage=on_usage)


def test_an_answer_counts_once_however_often_it_is_told() -> None:
    """Under any of its keys; one that grew adds what it grew by, one that shrank nothing."""
    seen: list[Usage] = []
    one = session(on_usage=seen.append)
    one.answered(used(1, 600))
    one.answered(used(1, 600))
    one.answered(replace(used(1, 900), keys=("anthropic:req:r1",)))
    one.answered(used(1, 100))
    totals = one.state.totals
    assert (totals.tokens, totals.cost, totals.iterations) == (900, 900_000, 1)
    assert [usage.tokens.input for usage in seen] == [600, 900]
    assert one.knows(("anthropic:msg:m1",))
    assert not one.knows(("anthropic:msg:m2",))


def test_an_answer_without_a_price_is_counted_by_tokens() -> None:
    """With an empty card nothing can be assumed; the cost stays unknown, not zero."""
    one = GovernedSession(Settings(limits=Limits(cost=5)), Pricer(PriceCard(BEGUN)), Clock())
    one.answered(used(1, 600, "x"))
    one.answered(used(1, 700, "x"))
    assert (one.state.totals.unpriced, one.state.totals.cost, one.state.totals.tokens) == (1, 0, 700)


def test_an_assumed_price_is_marked() -> None:
    """A model that is not on the card costs what the dearest does."""
    one = session()
    one.answered(used(1, 600, "x"))
    assert (one.state.totals.assumed, one.state.totals.cost) == (1, 600_000)


def test_totals_outlive_the_process(tmp_path: Path) -> None:
    """The next process goes on where this one ended: same totals, same answers known, same stop."""
    limits = Limits(tokens=2_000)
    with Journal(tmp_path / "j") as journal:
        first = session(limits, journal)
        first.answered(used(1))
        first.answered(used(1, 1_100))
        assert first.answered(used(2)).act is Act.SUSPEND
    with Journal(tmp_path / "j") as journal:
        again = session(limits, journal)
        assert again.state == first.state
        assert again.answered(used(2)).act is Act.SUSPEND
        assert again.answered(used(1, 1_100)).act is Act.SUSPEND
        assert again.state.totals.tokens == 2_100
        raised = again.tell(Raised(at(0), Limits(tokens=2_000), "octocat"))
        assert not raised.act.ends_turn


def test_time_alone_is_not_written_down(tmp_path: Path) -> None:
    """Unless something came of it."""
    path = tmp_path / "j"
    with Journal(path) as journal:
        one = session(Limits(wall_clock_seconds=60), journal)
        one.answered(used(1))
        one.order()
        one.tell(Heartbeat(at(1)))
        written = path.read_bytes().count(b"\n")
        assert written == 1
        assert isinstance(one.now, Clock)
        one.now.seconds = 60
        assert one.order("sub").act is Act.HALT
        assert path.read_bytes().count(b"\n") == 2


def test_a_second_beginning_loses_no_time(tmp_path: Path) -> None:
    """An agent's own hook tells that it runs while its wrapper has ticked for a while: who replays counts the same seconds."""
    limits = Limits(wall_clock_seconds=12)
    with Journal(tmp_path / "j") as journal:
        one = session(limits, journal)
        assert isinstance(one.now, Clock)
        one.tell(Resumed(at(0)))
        one.now.seconds = 5
        one.order()
        one.tell(Resumed(at(5.1)))
        one.tell(Resumed(at(5.2)))
        one.now.seconds = 12.5
        assert one.order().act is Act.HALT
    with Journal(tmp_path / "j") as journal:
        assert session(limits, journal).state == one.state


def test_events_are_heard_once() -> None:
    """With the order they came with."""
    heard: list[tuple[EventKind, Act]] = []

    def listen(event: Event, order: Order) -> None:
        heard.append((event.kind, order.act))

    one = session(Limits(tokens=1_000), on_event=listen)
    one.answered(used(1))
    one.order()
    assert [pair for pair in heard if pair[0] is EventKind.SUSPEND] == [(EventKind.SUSPEND, Act.SUSPEND)]


def test_many_threads_count_right() -> None:
    """Facts from many threads at once are taken one after the other."""
    one = session(Limits(tokens=10**9))
    threads = [
        threading.Thread(target=lambda n=n: [one.answered(used(n * 100 + k)) for k in range(50)]) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (one.state.totals.iterations, one.state.totals.tokens) == (400, 400_000)


def test_only_so_many_calls_are_remembered() -> None:
    """A long session does not grow without end; the newest are known."""
    one = session(Limits(tool_calls=10**6))
    for number in range(CALLS_KEPT + 1):
        one.tell(ToolStarted(at(0), "Read", f"{number}", "", f"call{number}"))
    assert not one.heard_of("call0")
    assert one.heard_of("call1")
    assert one.heard_of(f"call{CALLS_KEPT}")


def test_a_full_disk_changes_no_order(tmp_path: Path) -> None:
    """It stops at its limit, and it is said once; when there is room again nothing is missing."""
    told: list[Event] = []
    with Journal(tmp_path / "journal.jsonl") as journal:
        one = session(journal=journal, on_event=lambda event, _order: told.append(event))
        with full_disk():
            orders = [one.answered(used(number, 4_000)) for number in range(3)]
        assert [order.act.ends_turn for order in orders] == [False, False, True]
        said = [event.finding for event in told if event.finding and event.finding.scope == "journal"]
        (sentence,) = [finding.sentence for finding in said]
        assert sentence.startswith(
            "What this session uses cannot be written down (File too large). Its limits hold while"
        )
        one.answered(used(9, 1))
        with full_disk():
            one.answered(used(10, 1))
        assert len([event for event in told if event.finding and event.finding.scope == "journal"]) == 2
    with Journal(tmp_path / "journal.jsonl") as journal:
        assert session(journal=journal).state.totals.tokens == 12_002
