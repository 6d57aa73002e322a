"""Reporting: what a session tells its server and what it hears; nothing is lost while the server is away, nothing waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tabstop.agents.gemini.same_call import recognizable
from tabstop.beside import spool
from tabstop.beside.delivery import deliver
from tabstop.beside.gauge_file import keep_gauges
from tabstop.beside.journal import Entry
from tabstop.beside.report_queue import calls_of, event_of, trip_of
from tabstop.beside.reporting import reporter_for
from tabstop.beside.server import Server
from tabstop.beside.transport import NoAnswerError, Request, Response
from tabstop.breaker_memory import BreakerMetric
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.governor.facts import Answer, Raised, Tick
from tabstop.governor.orders import Act, Event, EventKind
from tabstop.money import dollars
from tabstop.session import Limits, SessionOutcome
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire import BreakerTrip, ResumeAnswer, SessionEvent, UsageAnswer, UsageBatch
from tests.beside.fake_server import FakeServer, Told, told
from tests.governor.builders import at, finished

LIMIT = Finding(Signal.LIMIT, Outcome.STOP, "cost", unit="usd", cap=dollars("1"), spent=dollars("1"))
PAUSE = Finding(Signal.PAUSE, Outcome.STOP, "session", "An operator paused this session.")
RED_TAB = Finding(Signal.BUDGET, Outcome.STOP, "tab", "The tab is spent.", cause="spent")


def stopped(one: Told) -> Act:
    """What the session is ordered now."""
    return one.session.tell(Tick(at(60))).act


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Callable[..., Told]]:
    """Takes up the session; its reporter and its journal are let go of afterwards."""
    made: list[Told] = []

    def make(server: FakeServer, **more: Any) -> Told:
        made.append(told(tmp_path, server, **more))
        return made[-1]

    yield make
    for one in made:
        one.server.away = True
        one.reporter.close(None)
        one.journal.close()


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


def test_geminis_calls_are_told_so_that_its_chats_find_them(begun: Callable[..., Told]) -> None:
    """Its hooks have no id that the chat has too; counts and time go along, and only to the server."""
    one = begun(FakeServer())
    usage = Usage(("google:hook:s/1",), "m", Tokens(7, 0, 0, 0, 3), at(1), "gemini-cli", "s")
    one.session.answered(usage)
    assert one.reporter.report()
    keys = one.server.batches[-1].calls[0].keys
    assert keys[0] == "google:hook:s/1"
    assert {*keys[1:]} == {*recognizable(replace(usage, tokens=Tokens(2, 5, 0, 0, 3)), "s").keys[1:]}
    assert not one.session.knows(keys[1:])


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


def test_the_limits_raised_there_let_it_go_on_here(begun: Callable[..., Told]) -> None:
    """Suspended at its limit, it hears larger limits and proceeds with its totals; no raise is counted twice."""
    one = begun(FakeServer())
    one.answered("k:1", output=100_000)
    assert stopped(one) is Act.SUSPEND
    one.server.answer = UsageAnswer(Verdict(), limits=Limits(cost=dollars("1")))
    assert one.reporter.report()
    assert stopped(one) is Act.SUSPEND
    one.server.answer = UsageAnswer(Verdict(), limits=Limits(cost=dollars("3")))
    assert one.reporter.report()
    assert stopped(one) is Act.PROCEED
    one.answered("k:2", output=200_000)
    assert stopped(one) is Act.SUSPEND


def test_a_raise_that_is_too_small_lets_nothing_go_on(begun: Callable[..., Told]) -> None:
    """As long as the server's own figure is at the limit, it stays suspended."""
    one = begun(FakeServer())
    one.answered("k:1", output=100_000)
    one.server.answer = UsageAnswer(Verdict((LIMIT,)), ("suspend",), limits=Limits(cost=dollars("2")))
    assert one.reporter.report()
    assert stopped(one) is Act.SUSPEND


def test_the_server_suspends_at_a_limit_and_says_so(begun: Callable[..., Told]) -> None:
    """Its figure may be higher: the order has words and the command that helps."""
    one = begun(FakeServer(answer=UsageAnswer(Verdict((LIMIT,)), ("suspend",))))
    assert one.reporter.report()
    order = one.session.order()
    assert order.act is Act.SUSPEND
    assert order.sentence == "This session reached its limit of $1.00 ($1.00 used)."
    assert "tabstop overdrive s1" in order.findings[0].remedy


def test_a_pause_lasts_until_an_operator_ends_it(begun: Callable[..., Told]) -> None:
    """It is suspended while the server says so, and goes on by itself afterwards."""
    one = begun(FakeServer(answer=UsageAnswer(Verdict((PAUSE,)), ("suspend",))))
    assert one.reporter.report()
    assert stopped(one) is Act.SUSPEND
    one.server.answer = UsageAnswer(Verdict())
    assert one.reporter.report()
    assert stopped(one) is Act.PROCEED


def test_a_red_budget_above_it_does_not_stop_it(begun: Callable[..., Told]) -> None:
    """Promise 4: whatever a server orders because of a tab, the session may at most be asked to finish what is begun."""
    one = begun(FakeServer(answer=UsageAnswer(Verdict((RED_TAB,)), ("halt",))))
    assert one.reporter.report()
    assert stopped(one) is Act.WIND_DOWN


def test_the_end_is_told_with_the_rest(begun: Callable[..., Told]) -> None:
    """Everything arrives before the end; the spool stays empty."""
    one = begun(FakeServer())
    one.reporter.begin()
    one.answered("k:1")
    assert one.reporter.close(SessionOutcome.SUSPENDED, "Task paused.")
    assert one.server.keys == ["k:1"]
    assert [(end.outcome, end.detail) for end in one.server.ends] == [("suspended", "Task paused.")]
    assert spool.pending(one.spool) == ()
    assert not (one.folder.path / "unreported").exists()


def test_a_session_may_be_left_open(begun: Callable[..., Told]) -> None:
    """Where a settle step follows, the rest is told and the end is not."""
    one = begun(FakeServer())
    one.answered("k:1")
    assert one.reporter.close(None)
    assert (one.server.keys, one.server.ends) == (["k:1"], [])


def test_what_could_not_be_told_waits_in_the_spool(begun: Callable[..., Told]) -> None:
    """Delivered later by the usual machinery, it is all there; nothing is told twice over."""
    one = begun(FakeServer())
    one.answered("k:1")
    assert one.reporter.report()
    one.server.away = True
    one.answered("k:2")
    assert not one.reporter.close(SessionOutcome.FINISHED)
    (waiting,) = spool.pending(one.spool)
    assert waiting.undelivered is not None
    one.server.away = False
    speaks = Server("https://tabstop.example", one.server, lambda _seconds: None)
    delivered = deliver(waiting.undelivered, speaks, lambda: ("", ""))
    assert delivered.error is None
    assert one.server.keys == ["k:1", "k:2"]
    assert len(one.server.ends) == 1


def test_a_session_that_goes_on_takes_its_report_back(begun: Callable[..., Told]) -> None:
    """What waited in the spool is told by the session itself; the end that waited with it is void."""
    one = begun(FakeServer(away=True))
    one.answered("k:1")
    assert not one.reporter.close(SessionOutcome.SUSPENDED)
    one.journal.close()
    again = begun(FakeServer())
    assert again.reporter.begin() == Verdict()
    assert spool.pending(again.spool) == ()
    assert again.reporter.close(None)
    assert (again.server.keys, again.server.ends) == (["k:1"], [])
    assert again.server.asked[0] == "resume"
    assert set(again.server.tokens[1:]) == {"fresh"}
    assert again.folder.record().token == "fresh"


def test_a_report_that_was_cut_off_is_told_from_the_journal(begun: Callable[..., Told]) -> None:
    """A watcher that was killed told nothing of its last calls; its successor does."""
    one = begun(FakeServer(away=True))
    one.reporter.begin()
    one.answered("k:1", output=1_000)
    one.answered("k:1", output=3_000)
    one.journal.close()
    again = begun(FakeServer())
    again.reporter.begin()
    assert again.reporter.close(SessionOutcome.FINISHED)
    (call,) = again.server.batches[0].calls
    assert (call.keys, call.tokens) == (("k:1",), Tokens(output=3_000))


def test_what_a_journal_does_not_know_is_marked() -> None:
    """How long cache writes live is not in it."""
    entries = [
        Entry(Answer(at(0), "m", Tokens(cache_write_5m=5)), ("k:1", "k:2")),
        Entry(Answer(at(1), "m", Tokens(output=5)), ("k:3",)),
        Entry(Answer(at(2), "m", Tokens(output=5))),
        Entry(Tick(at(3))),
    ]
    assert [(call.keys, call.cache_split_known) for call in calls_of(entries)] == [
        (("k:1", "k:2"), False),
        (("k:3",), True),
    ]


def test_a_session_that_may_not_go_on_is_told_so(begun: Callable[..., Told]) -> None:
    """Its tab is red by now: whoever begins it hears STOP; a session that runs is not stopped by it."""
    one = begun(FakeServer())
    one.answered("k:1")
    one.journal.close()
    again = begun(FakeServer(resumed=ResumeAnswer(Verdict((RED_TAB,)))))
    assert again.reporter.begin().outcome is Outcome.STOP
    assert stopped(again) is Act.WIND_DOWN
    again.reporter.close(None)


def test_a_hook_waits_for_no_network(begun: Callable[..., Told]) -> None:
    """The session is resumed beside it; a refusal comes as advice."""
    one = begun(FakeServer())
    one.answered("k:1")
    one.journal.close()
    again = begun(FakeServer(resumed=ResumeAnswer(Verdict((RED_TAB,)))))
    assert again.reporter.begin(wait=False) == Verdict()
    _until(lambda: stopped(again) is Act.WIND_DOWN)


def test_a_session_that_the_server_thought_silent_comes_back(begun: Callable[..., Told]) -> None:
    """It slept longer than its lease: the answer to its report says so, and it asks to go on."""
    one = begun(FakeServer(answer=UsageAnswer(Verdict(), silent=True)))
    assert one.reporter.report()
    assert one.server.asked == ["usage", "resume"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_session_the_server_does_not_know_is_kept_for_later(begun: Callable[..., Told], status: int) -> None:
    """It is not asked again; at the end all waits, to be started after the fact."""
    one = begun(FakeServer(status=status))
    one.answered("k:1")
    assert not one.reporter.report()
    assert not one.reporter.report()
    assert one.server.asked == ["usage"]
    assert not one.reporter.close(SessionOutcome.FINISHED)
    assert len(spool.pending(one.spool)) == 1


def test_a_session_that_was_never_admitted_only_spools(begun: Callable[..., Told]) -> None:
    """The gate could not ask: there is no token, and a settle step starts it after the fact."""
    one = begun(FakeServer(), server_session="", token="")
    assert one.reporter.begin() == Verdict()
    one.answered("k:1")
    assert not one.reporter.close(SessionOutcome.FINISHED)
    (waiting,) = spool.pending(one.spool)
    assert waiting.undelivered is not None
    assert waiting.undelivered.key == "k" * 16
    assert one.server.asked == []


def test_a_program_that_ends_tells_its_last_itself(begun: Callable[..., Told], monkeypatch: pytest.MonkeyPatch) -> None:
    """From Python 3.12 on no thread begins while the interpreter ends."""
    one = begun(FakeServer())
    one.answered("k:1")

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as ending:
        ending.setattr(threading.Thread, "start", start)
        assert one.reporter.close(SessionOutcome.FINISHED)
    assert (one.server.keys, len(one.server.ends)) == (["k:1"], 1)


def test_what_was_tightened_here_stays_so(begun: Callable[..., Told]) -> None:
    """The server tells its own limits with each answer; a raise of them is one here as well."""
    server = FakeServer(answer=UsageAnswer(Verdict(), limits=Limits(cost=dollars("5"))))
    one = begun(server, limits=Limits(cost=dollars("0.02")), admitted=Limits(cost=dollars("5")))
    assert one.reporter.report()
    assert one.session.state.totals.granted == Limits(cost=dollars("0.02"))
    server.answer = UsageAnswer(Verdict(), limits=Limits(cost=dollars("5.03")))
    assert one.reporter.report()
    assert one.session.state.totals.granted == Limits(cost=dollars("0.05"))


class Hanging:
    """A server that takes the connection and says nothing."""

    def __init__(self) -> None:
        """Until `let_go`."""
        self.let_go = threading.Event()

    def send(self, request: Request, timeout: float) -> Response:
        """Hang."""
        self.let_go.wait(30)
        raise NoAnswerError("no answer in time")


def test_an_end_waits_for_nobody(begun: Callable[..., Told], tmp_path: Path) -> None:
    """A server that hangs costs the given seconds, then the report is in the spool."""
    one = begun(FakeServer())
    hanging = Hanging()
    reporter = reporter_for(
        one.folder.record(), one.session, one.folder, {"TABSTOP_STATE": str(tmp_path)}, transport=hanging
    )
    assert reporter is not None
    one.answered("k:1")
    began = time.monotonic()
    assert not reporter.close(SessionOutcome.FINISHED, seconds=0.2)
    assert time.monotonic() - began < 5
    assert len(spool.pending(tmp_path / "spool")) == 1
    hanging.let_go.set()


def test_nobody_reports_without_a_server(begun: Callable[..., Told]) -> None:
    """It all works offline."""
    one = begun(FakeServer())
    assert reporter_for(replace(one.folder.record(), server=""), one.session, one.folder, {}) is None


def test_the_thread_reports_at_its_interval_and_at_once_when_it_matters(begun: Callable[..., Told]) -> None:
    """A heartbeat without news; a suspension does not wait for the next."""
    one = begun(FakeServer())
    one.reporter.begin()
    one.answered("k:1", output=100_000)
    _until(lambda: bool(one.server.batches))
    assert {event.kind for event in one.server.batches[0].events} >= {EventKind.SUSPEND}
    one.reporter.close(None)


def test_an_idle_session_says_that_it_is_alive(begun: Callable[..., Told]) -> None:
    """Every interval; the answers keep it in touch."""
    one = begun(FakeServer(), interval=0)
    one.reporter.begin()
    _until(lambda: len(one.server.batches) >= 3)
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


def test_an_unreachable_server_holds_up_nobody_who_goes_on(begun: Callable[..., Told]) -> None:
    """Taken up again while the server is away, it goes on within the limits it has."""
    one = begun(FakeServer())
    one.answered("k:1")
    one.journal.close()
    again = begun(FakeServer(away=True))
    assert again.reporter.begin() == Verdict()


def test_an_end_that_is_lost_waits_with_the_rest(begun: Callable[..., Told]) -> None:
    """Usage arrived, its end did not: the spool has the end alone."""
    server = FakeServer()
    one = begun(server)
    one.answered("k:1")
    assert one.reporter.report()
    server.no_ends = True
    assert not one.reporter.close(SessionOutcome.FINISHED)
    (waiting,) = spool.pending(one.spool)
    assert waiting.undelivered is not None
    assert (waiting.undelivered.batches, waiting.undelivered.end.outcome) == ((), "finished")


def test_what_can_be_kept_nowhere_is_said(begun: Callable[..., Told]) -> None:
    """The disk is full, too: people read it, and the next run tells what the journal knows."""
    one = begun(FakeServer(away=True))
    one.reporter.begin()
    one.spool.write_text("in the way", encoding="utf-8")
    assert not one.reporter.close(SessionOutcome.FINISHED)
    assert "cannot be kept either" in one.log[-1]
    assert (one.folder.path / "unreported").exists()


def test_an_answer_that_cannot_be_written_down_ends_no_thread(begun: Callable[..., Told]) -> None:
    """The journal's disk is full: the server is told once, and the next report goes out."""
    one = begun(FakeServer(), interval=0)
    one.journal.append = _full  # type: ignore[method-assign]
    one.reporter.begin()
    _until(lambda: len(one.server.batches) >= 3)
    assert [event.scope for batch in one.server.batches for event in batch.events] == ["journal"]


def test_trips_and_events_wait_in_the_spool_too(begun: Callable[..., Told]) -> None:
    """With the first batch; there are never more than the server takes."""
    one = begun(FakeServer(away=True))
    for second in range(300):
        one.reporter.on_event(Event(at(second), EventKind.RELEASE))
        one.reporter.on_event(Event(at(second), EventKind.TRIP, replace(LIMIT, signal=Signal.RUNAWAY)))
    assert not one.reporter.close(SessionOutcome.FINISHED)
    (waiting,) = spool.pending(one.spool)
    assert waiting.undelivered is not None
    (batch,) = waiting.undelivered.batches
    assert (len(batch.trips), len(batch.events)) == (20, 200)
    one.journal.close()
    again = begun(FakeServer())
    again.reporter.begin()
    assert again.reporter.close(None)
    assert (len(again.server.batches[0].trips), len(again.server.batches[0].events)) == (20, 200)


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({"TABSTOP_STATE": "/s", "HOME": "/h"}, "/s/spool"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/tabstop/spool"),
        ({"HOME": "/h"}, "/h/.local/state/tabstop/spool"),
        ({"RUNNER_TEMP": "/r"}, "/r/.local/state/tabstop/spool"),
    ],
)
def test_where_reports_wait(environ: dict[str, str], where: str) -> None:
    """Where the settle step looks for them."""
    assert spool.spool_root(environ) == Path(where)


def test_a_raise_here_is_told_as_an_event(begun: Callable[..., Told]) -> None:
    """What a person does at the session is in the server's log, without a name."""
    one = begun(FakeServer())
    one.session.tell(Raised(at(1), Limits(cost=1), by="alice"))
    assert one.reporter.report()
    assert [event.kind for event in one.server.batches[0].events] == [EventKind.RAISE]
    assert "alice" not in repr(one.server.batches)


def _full(entry: Entry) -> None:
    raise OSError(28, "No space left on device")


def _until(done: Callable[[], bool], seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.005)
    assert done()
