"""What a session hears of its server: limits raised or tightened there, a pause, a red budget, its own limit."""

from __future__ import annotations

from collections.abc import Callable

from tabstop.governor.orders import Act
from tabstop.money import dollars
from tabstop.session import Limits
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire import UsageAnswer
from tests.beside.fake_server import FakeServer, Told
from tests.beside.reported import LIMIT, RED_TAB, stopped

PAUSE = Finding(Signal.PAUSE, Outcome.STOP, "session", "An operator paused this session.")


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


def test_what_was_tightened_here_stays_so(begun: Callable[..., Told]) -> None:
    """The server tells its own limits with each answer; a raise of them is one here as well."""
    server = FakeServer(answer=UsageAnswer(Verdict(), limits=Limits(cost=dollars("5"))))
    one = begun(server, limits=Limits(cost=dollars("0.02")), admitted=Limits(cost=dollars("5")))
    assert one.reporter.report()
    assert one.session.state.totals.granted == Limits(cost=dollars("0.02"))
    server.answer = UsageAnswer(Verdict(), limits=Limits(cost=dollars("5.03")))
    assert one.reporter.report()
    assert one.session.state.totals.granted == Limits(cost=dollars("0.05"))
