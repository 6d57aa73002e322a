"""A report's end and the next one's beginning: nothing is lost while the server is away, and nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tabstop.beside import spool
from tabstop.beside.delivery import deliver
from tabstop.beside.journal import Entry
from tabstop.beside.report_queue import calls_of
from tabstop.beside.reporting import reporter_for
from tabstop.beside.server import Server
from tabstop.beside.transport import NoAnswerError, Request, Response
from tabstop.governor.facts import Answer, Tick
from tabstop.governor.orders import Act, Event, EventKind
from tabstop.session import SessionOutcome
from tabstop.usage import Tokens
from tabstop.verdict import Outcome, Signal, Verdict
from tabstop.wire import ResumeAnswer
from tests.beside.fake_server import FakeServer, Told
from tests.beside.reported import LIMIT, RED_TAB, stopped
from tests.governor.builders import at
from tests.support.waiting import until


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
    """How long cache writes live is not in it, nor what Gemini CLI's hooks did not know of a prompt."""
    entries = [
        Entry(Answer(at(0), "m", Tokens(cache_write_5m=5)), ("k:1", "k:2")),
        Entry(Answer(at(1), "m", Tokens(output=5)), ("k:3",)),
        Entry(Answer(at(2), "m", Tokens(input=5)), ("google:hook:s/1",)),
        Entry(Answer(at(2), "m", Tokens(output=5))),
        Entry(Tick(at(3))),
    ]
    assert [(call.keys, call.cache_split_known) for call in calls_of(entries)] == [
        (("k:1", "k:2"), False),
        (("k:3",), True),
        (("google:hook:s/1",), False),
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
    until(lambda: stopped(again) is Act.WIND_DOWN)


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
