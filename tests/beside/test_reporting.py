"""Reporting: what a session tells its server while it runs; nothing waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tabstop.beside import spool
from tabstop.beside.gauge_file import keep_gauges
from tabstop.beside.journal import Entry
from tabstop.beside.report_queue import event_of, trip_of
from tabstop.beside.reporting import reporter_for
from tabstop.breaker_memory import BreakerMetric
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.governor.facts import Raised
from tabstop.governor.orders import Event, EventKind
from tabstop.money import dollars
from tabstop.session import Limits, SessionOutcome
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire import BreakerTrip, SessionEvent, UsageAnswer, UsageBatch
from tests.beside.fake_server import FakeServer, Told
from tests.beside.reported import LIMIT
from tests.governor.builders import at, finished
from tests.support.waiting import until


def test_usage_goes_up_once_and_the_answer_comes_back(begun: Callable[..., Told]) -> None:
    """A report tells what is new; a call that grew is told again, whole; without news it says: alive."""
    one = begun(FakeServer())
    one.answered("anthropic:req:1")
    one.answered("anthropic:req:2")
    assert one.reporter.report()
    assert one.server.keys == ["anthropic:req:1", "anthropic:req:2"]
    one.answered("anthropic:req:2", output=2_000)
    assert one.reporter.report()
    assert one.server.batches[-1].calls[0].tokens == Tokens(output=2_000)
    assert one.reporter.report()
    assert one.server.batches[-1] == UsageBatch()
    assert one.session.state.heard.at is not None


def test_usage_without_a_key_gets_one_of_its_own(begun: Callable[..., Told]) -> None:
    """A library's usage may have no id; each is told once."""
    one = begun(FakeServer())
    one.answered("")
    one.answered("")
    assert one.reporter.report()
    assert len({key for key in one.server.keys if key.startswith("tabstop-beside:s1:")}) == 2


def test_geminis_calls_are_told_with_its_session(begun: Callable[..., Told]) -> None:
    """Its requests name none, so what the proxy saw is of the one that is watched; a hook's call has its own."""
    one = begun(FakeServer(), agent_session="watched")
    one.session.answered(Usage(("google:resp:1",), "m", Tokens(7, 0, 0, 0, 3), at(1), "gemini-cli"))
    one.session.answered(Usage(("google:hook:s/1",), "m", Tokens(7, 0, 0, 0, 4), at(1), "gemini-cli", "s"))
    one.session.answered(Usage(("anthropic:req:1",), "m", Tokens(7, 0, 0, 0, 5), at(1), "claude-code"))
    assert one.reporter.report()
    assert [call.thread for call in one.server.batches[-1].calls] == ["watched", "s", ""]


def test_batches_are_small(begun: Callable[..., Told]) -> None:
    """At most 200 calls in one; all of them arrive."""
    one = begun(FakeServer(), limits=Limits(iterations=10_000))
    for number in range(450):
        one.answered(f"k:{number}", output=1)
    assert one.reporter.report()
    assert [len(batch.calls) for batch in one.server.batches] == [200, 200, 50]


def test_what_happens_is_told_in_numbers(begun: Callable[..., Told]) -> None:
    """A stop is an event, a trip a trip; no sentence and no content leaves."""
    one = begun(FakeServer())
    for second in range(3):
        one.session.tell(finished(second, "mcp__srv__do it", f"a{second}", failed=True, unseen=True))
    one.answered("k:1", output=100_000)
    assert one.reporter.report()
    batch = one.server.batches[-1]
    assert [(trip.metric, trip.subject, trip.value) for trip in batch.trips] == [
        (BreakerMetric.TOOL_FAILURES, "mcp__srv__do_it", 100)
    ]
    assert {event.kind for event in batch.events} >= {EventKind.STOP}
    assert one.reporter.report()
    assert one.server.batches[-1] == UsageBatch()


EVENTS = [
    (
        Event(at(0), EventKind.TRIP, Finding(Signal.RUNAWAY, Outcome.STOP, "token_spike", "…", spent=900, cap=500)),
        BreakerTrip(BreakerMetric.RUNAWAY, 900, 500, at(0), "token_spike"),
    ),
    (
        Event(
            at(0), EventKind.TRIP, Finding(Signal.BREAKER, Outcome.STOP, "cost rate", unit="usd", spent=2**60, cap=5)
        ),
        BreakerTrip(BreakerMetric.COST_RATE, 10**15, 5, at(0)),
    ),
    (Event(at(0), EventKind.RELEASE, by="alice"), SessionEvent(EventKind.RELEASE, at(0))),
    (
        Event(at(0), EventKind.SUSPEND, replace(LIMIT, sentence="Task paused")),
        SessionEvent(EventKind.SUSPEND, at(0), Signal.LIMIT, "cost", "", "usd", dollars("1"), dollars("1")),
    ),
    (
        Event(at(0), EventKind.DEGRADE, Finding(Signal.DEGRADATION, Outcome.WARN, "cheaper model", unit="%", spent=-1)),
        SessionEvent(EventKind.DEGRADE, at(0), Signal.DEGRADATION, "cheaper_model"),
    ),
]


@pytest.mark.parametrize(("event", "expected"), EVENTS)
def test_an_event_in_the_wires_words(event: Event, expected: BreakerTrip | SessionEvent) -> None:
    """Names become plain, numbers stay within what the server takes, people are not named."""
    assert (trip_of(event) or event_of(event)) == expected


def test_while_the_server_is_away_everything_is_kept(begun: Callable[..., Told]) -> None:
    """It is told when the server is back; people are told once that it is away."""
    one = begun(FakeServer(away=True))
    one.answered("k:1")
    assert not one.reporter.report()
    one.answered("k:2")
    assert not one.reporter.report()
    one.server.away = False
    assert one.reporter.report()
    assert one.server.keys == ["k:1", "k:2"]
    assert len(one.log) == 1


def test_a_batch_at_fault_does_not_hold_up_the_rest(begun: Callable[..., Told]) -> None:
    """The one call that the server does not take is found and left out; the end says how many there were."""
    server = FakeServer(refuse=lambda batch: "calls[0].keys" if any("bad" in c.keys[0] for c in batch.calls) else "")
    one = begun(server, limits=Limits(iterations=10_000))
    for number in range(9):
        one.answered("bad" if number == 4 else f"k:{number}")
    assert one.reporter.close(SessionOutcome.FINISHED)
    assert sorted(one.server.keys) == [f"k:{number}" for number in range(9) if number != 4]
    assert list(one.server.ends[-1].skipped.values()) == [1]


def test_a_refused_event_is_let_go(begun: Callable[..., Told]) -> None:
    """An older server may not know a kind of event: the usage beside it arrives."""
    one = begun(FakeServer(refuse=lambda batch: "events[0].kind" if batch.events else ""))
    one.answered("k:1", output=100_000)
    assert one.reporter.report()
    assert one.server.keys == ["k:1"]


def test_a_session_that_the_server_thought_silent_comes_back(begun: Callable[..., Told]) -> None:
    """It slept longer than its lease: the answer to its report says so, and it asks to go on."""
    one = begun(FakeServer(answer=UsageAnswer(Verdict(), silent=True)))
    assert one.reporter.report()
    assert one.server.asked == ["usage", "resume"]


def test_nobody_reports_without_a_server(begun: Callable[..., Told]) -> None:
    """It all works offline."""
    one = begun(FakeServer())
    assert reporter_for(replace(one.folder.record(), server=""), one.session, one.folder, {}) is None


def test_the_thread_reports_at_its_interval_and_at_once_when_it_matters(begun: Callable[..., Told]) -> None:
    """A heartbeat without news; a suspension does not wait for the next."""
    one = begun(FakeServer())
    one.reporter.begin()
    one.answered("k:1", output=100_000)
    until(lambda: bool(one.server.batches))
    assert {event.kind for event in one.server.batches[0].events} >= {EventKind.SUSPEND}
    one.reporter.close(None)


def test_an_idle_session_says_that_it_is_alive(begun: Callable[..., Told]) -> None:
    """Every interval; the answers keep it in touch."""
    one = begun(FakeServer(), interval=0)
    one.reporter.begin()
    until(lambda: len(one.server.batches) >= 3)
    assert one.reporter.close(None)
    assert set(one.server.batches) == {UsageBatch()}


READ = GaugeReading("anthropic", "org-1", "5h", 4_270, at(10), GaugeSource.HEADER, at(600), 300)
"""A gauge that somebody heard of."""


def gauges_told(one: Told) -> list[GaugeReading]:
    """All that arrived, in order."""
    return [reading for batch in one.server.batches for reading in batch.gauges]


def test_gauges_go_up_when_they_are_new(begun: Callable[..., Told]) -> None:
    """Whoever heard of them. Of one window only the newest; the same is not told again while it is watched."""
    one = begun(FakeServer())
    week = replace(READ, window="weekly")
    keep_gauges(one.folder, [READ, week])
    assert one.reporter.report()
    assert one.reporter.report()
    assert gauges_told(one) == [READ, week]
    keep_gauges(one.folder, [replace(READ, used=4_300, observed_at=at(20))])
    newest = replace(READ, used=4_400, observed_at=at(30))
    keep_gauges(one.folder, [newest])
    assert one.reporter.report()
    assert gauges_told(one) == [READ, week, newest]
    assert one.server.batches[-1] == UsageBatch(gauges=(newest,))


def test_gauges_wait_for_a_server_that_is_away(begun: Callable[..., Told]) -> None:
    """Only the newest of each waits, in the spool too; a session taken up again has it back."""
    one = begun(FakeServer(away=True))
    keep_gauges(one.folder, [READ])
    assert not one.reporter.report()
    newer = replace(READ, used=4_300, observed_at=at(20))
    keep_gauges(one.folder, [newer])
    assert not one.reporter.close(SessionOutcome.SUSPENDED)
    (waiting,) = spool.pending(one.spool)
    assert waiting.undelivered is not None
    assert waiting.undelivered.batches == (UsageBatch(gauges=(newer,)),)
    one.journal.close()
    again = begun(FakeServer())
    again.reporter.begin()
    assert again.reporter.close(None)
    assert gauges_told(again) == [newer]


def test_gauges_that_the_server_does_not_take_hold_up_no_usage(begun: Callable[..., Told]) -> None:
    """They go first; the calls arrive whole."""
    one = begun(FakeServer(refuse=lambda batch: "gauges[0].used" if batch.gauges else ""))
    keep_gauges(one.folder, [READ])
    one.answered("k:1")
    assert one.reporter.report()
    assert (one.server.keys, gauges_told(one)) == (["k:1"], [])


def test_an_answer_that_cannot_be_written_down_ends_no_thread(begun: Callable[..., Told]) -> None:
    """The journal's disk is full: the server is told once, and the next report goes out."""
    one = begun(FakeServer(), interval=0)
    one.journal.append = _full  # type: ignore[method-assign]
    one.reporter.begin()
    until(lambda: len(one.server.batches) >= 3)
    assert [event.scope for batch in one.server.batches for event in batch.events] == ["journal"]


def test_a_raise_here_is_told_as_an_event(begun: Callable[..., Told]) -> None:
    """What a person does at the session is in the server's log, without a name."""
    one = begun(FakeServer())
    one.session.tell(Raised(at(1), Limits(cost=1), by="alice"))
    assert one.reporter.report()
    assert [event.kind for event in one.server.batches[0].events] == [EventKind.RAISE]
    assert "alice" not in repr(one.server.batches)


def _full(entry: Entry) -> None:
    raise OSError(28, "No space left on device")
