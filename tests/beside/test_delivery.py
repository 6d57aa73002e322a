"""Delivery: a report goes as far as it can, goes on where it stopped, and finds a way when its session is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.beside.delivery import CALLS_A_BATCH, NotTakenError, batches_of, deliver
from tabstop.beside.server import NotAcceptedError, NoTokenError, Server, UnreachableError
from tabstop.beside.spool import Undelivered
from tabstop.beside.transport import NoAnswerError, Response
from tabstop.evidence import MOST_LINKS, CommitMade, PullRequestLink
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.usage import Billing, Tokens
from tabstop.wire import Call, ClientTotal, EndRequest, StartRequest, UsageBatch
from tests.action.fake_tabstop import FakeClock, FakeTabstop, InProcess, spent_tab

ADDRESS = "https://tabstop.acme.example"
BEGUN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
START = StartRequest(agent="claude-code", repository="acme/widget", branch="claude/fix")
TOTAL = ClientTotal("t", "m", Tokens(9))


def call(number: int) -> Call:
    return Call((f"anthropic:req:{number}",), "claude-opus-5-5", Tokens(1), BEGUN)


class Sender:
    """A server, a client, and somebody who can prove who they are."""

    def __init__(self) -> None:
        self.fake = FakeTabstop()
        self.server = Server(ADDRESS, InProcess({ADDRESS: self.fake.answer}), FakeClock().sleep)
        self.given = 0

    def identity(self) -> tuple[str, str]:
        self.given += 1
        return f"oidc-{self.given}", f"key-{self.given}-----"

    def report(self, calls: int = 3, *, started: bool = True) -> Undelivered:
        session, token = "", ""
        if started:
            answer = self.server.start(START, token="at-the-gate", key="key-of-the-gate")
            session, token = answer.session, answer.token
        batches = tuple(UsageBatch((call(number),)) for number in range(calls))
        return Undelivered(ADDRESS, START, BEGUN, EndRequest("finished"), batches, session, token)


@pytest.fixture
def sender() -> Sender:
    return Sender()


def test_everything_arrives_and_the_session_ends(sender: Sender) -> None:
    """Batches in order, then the end, then the totals as answer; no identity is needed."""
    done = deliver(sender.report(), sender.server, sender.identity)
    assert done.error is None
    assert done.answer is not None
    assert done.answer.tokens == 3
    assert sender.given == 0


@given(st.integers(0, 4))
def test_where_it_stops_the_rest_begins(stop_after: int) -> None:
    """Whatever request fails first, what is left is exactly what did not arrive, and a second try completes it."""
    sender = Sender()
    report = sender.report()
    passed = [0]

    def fault(_route: str) -> Response | None:
        passed[0] += 1
        if passed[0] > stop_after:
            raise NoAnswerError("Connection reset by peer")
        return None

    sender.fake.fault = fault
    first = deliver(report, sender.server, sender.identity)
    known = sender.fake.sessions["s1"]
    assert len(first.rest.batches) == 3 - len(known.batches)
    sender.fake.fault = lambda _route: None
    if first.error is not None:
        assert isinstance(first.error, UnreachableError)
        assert deliver(first.rest, sender.server, sender.identity).error is None
    assert len(known.calls) == 3
    assert known.end is not None
    assert list(sender.fake.sessions) == ["s1"]


def test_a_session_that_is_gone_is_started_after_the_fact(sender: Sender) -> None:
    """A restored database does not know it: the usage goes to a new session that says since when it ran."""
    report = sender.report()
    sender.fake.sessions.clear()
    done = deliver(report, sender.server, sender.identity)
    assert done.error is None
    [known] = sender.fake.sessions.values()
    assert known.start == replace(START, unadmitted_since=BEGUN)
    assert len(known.calls) == 3


def test_copies_of_a_report_are_one_session(sender: Sender) -> None:
    """A machine's spool and the artifact hold the same report; whoever brings in the second changes nothing."""
    report = replace(sender.report(started=False), key="key-of-the-gate")
    for copy in (report, report, report.without_token()):
        assert deliver(copy, sender.server, sender.identity).error is None
    assert list(sender.fake.sessions) == ["s1"]


def test_without_its_token_a_report_finds_its_own_session(sender: Sender) -> None:
    """A public artifact leaves the token out; the key of the gate's question brings the admitted session back."""
    report = replace(sender.report(), key="key-of-the-gate").without_token()
    assert deliver(report, sender.server, sender.identity).error is None
    assert list(sender.fake.sessions) == ["s1"]
    assert sender.fake.sessions["s1"].end is not None


def test_a_refusal_nobody_heard_does_not_hide_the_session(sender: Sender) -> None:
    """The gate's question was refused, the answer was lost, and the agent ran: that is opened beside it, once."""
    sender.fake.decide = lambda _request: spent_tab()
    sender.server.start(START, token="at-the-gate", key="key-of-the-gate")
    report = replace(sender.report(started=False), key="key-of-the-gate")
    for _ in range(2):
        assert deliver(report, sender.server, sender.identity).error is None
    assert list(sender.fake.sessions) == ["s1"]
    assert sender.fake.sessions["s1"].start.unadmitted_since == BEGUN


def test_a_session_that_was_never_admitted_is_too(sender: Sender) -> None:
    """The gate could not ask: the report makes its own session."""
    assert deliver(sender.report(started=False), sender.server, sender.identity).error is None
    assert sender.given == 1


def test_a_new_session_is_kept_when_it_breaks_off(sender: Sender) -> None:
    """Started after the fact and then cut off: the next try uses that session, not a third."""
    sender.fake.fault = lambda route: Response(503) if route == "end" else None
    first = deliver(sender.report(started=False), sender.server, sender.identity)
    assert (first.rest.session, first.rest.batches) == ("s1", ())
    sender.fake.fault = lambda _route: None
    assert deliver(first.rest, sender.server, sender.identity).error is None
    assert list(sender.fake.sessions) == ["s1"]


def test_without_an_identity_it_waits(sender: Sender) -> None:
    """Nobody to start it as: the report stays whole."""

    def nobody() -> tuple[str, str]:
        raise NoTokenError("no identity")

    report = sender.report(started=False)
    done = deliver(report, sender.server, nobody)
    assert isinstance(done.error, NoTokenError)
    assert done.rest == report


def test_a_refusal_after_the_fact_is_an_error_with_reasons(sender: Sender) -> None:
    """A server that refuses even what already happened is named; nothing is lost."""
    sender.fake.takes_late = False
    sender.fake.decide = lambda _request: spent_tab()
    done = deliver(sender.report(started=False), sender.server, sender.identity)
    assert isinstance(done.error, NotTakenError)
    assert len(done.rest.batches) == 3


def test_a_report_that_is_wrong_is_not_started_anew(sender: Sender) -> None:
    """400 says the report itself is not accepted: another session would not help."""
    report = sender.report()
    sender.fake.fault = lambda _route: Response(400, b'{"title": "The batch is not valid."}')
    done = deliver(report, sender.server, sender.identity)
    assert isinstance(done.error, NotAcceptedError)
    assert sender.given == 0


@given(st.integers(0, 3 * CALLS_A_BATCH), st.booleans(), st.booleans())
def test_batches_hold_every_call_once_and_the_totals_last(calls: int, totals: bool, billed: bool) -> None:
    """Cut at a fixed size, in order; billing in each, so that the first calls are priced rightly."""
    template = UsageBatch(billing=Billing.API, billing_evidence="because") if billed else None
    cut = batches_of(tuple(map(call, range(calls))), (TOTAL,) if totals else (), template=template)
    assert [one for batch in cut for one in batch.calls] == list(map(call, range(calls)))
    assert all(len(batch.calls) <= CALLS_A_BATCH for batch in cut)
    assert [bool(batch.client_totals) for batch in cut] == [False] * (len(cut) - 1) + [totals] * bool(cut)
    assert all(batch.billing is (Billing.API if billed else None) for batch in cut)
    assert bool(cut) == bool(calls or totals or billed)


def test_links_commits_and_gauges_go_with_the_last_batch() -> None:
    """Once, and no more than the server takes; they are something to tell by themselves."""
    gauges = (GaugeReading("anthropic", "", "5h", 4_200, BEGUN, GaugeSource.EVENT),)
    links = tuple(PullRequestLink("acme/widget", number) for number in range(1, MOST_LINKS + 3))
    template = UsageBatch(pull_requests=links, commits=(CommitMade("0123456"),), gauges=gauges)
    calls = tuple(map(call, range(CALLS_A_BATCH + 1)))
    first, last = batches_of(calls, template=template)
    assert (first.pull_requests, first.commits, first.gauges) == ((), (), ())
    assert (last.pull_requests, last.commits, last.gauges) == (links[2:], template.commits, gauges)
    assert batches_of((), template=template) == (replace(template, pull_requests=links[2:]),)
    assert batches_of(()) == ()
