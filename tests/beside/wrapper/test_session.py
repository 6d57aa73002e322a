"""What the wrapper keeps back for the last answer, and what it knows of the conversation that answer goes on with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tabstop.beside.pricing import Pricer
from tabstop.beside.wrapper.session import SummingUpSession
from tabstop.governor.settings import Exhaustion, OnLimit, Settings
from tabstop.session import Limits
from tabstop.usage import Tokens, Usage
from tests.beside.proxy.scene import CARD

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
SUMMING = Settings(
    limits=Limits(cost=10**9),
    exhaustion=Exhaustion(on_limit=OnLimit.SUMMARY, on_tokens=OnLimit.SUMMARY, summary_tokens=2_000),
    can_summarize=True,
)


def usage(key: str, prompt: int, output: int = 0) -> Usage:
    return Usage((key,), "dear", Tokens(input=prompt, output=output), NOW)


def session(settings: Settings = SUMMING) -> SummingUpSession:
    return SummingUpSession(settings, Pricer(CARD), lambda: NOW)


def test_it_keeps_back_a_last_answer_and_the_call_that_reaches_the_limit() -> None:
    """The whole conversation written to the cache for an hour, at 2,000 nano-dollars a token, with what may come in between."""
    one = session()
    one.answered(usage("a", 10_000, 500))
    first = 2_000 * (10_500 + 4_000) + 5_000 * 2_000
    assert one.state.totals.reserve == first + (10_000 * 1_000 + 500 * 5_000)
    assert one.state.totals.reserve_tokens == 14_500 + 2_000 + 10_500
    one.answered(usage("b", 12_000))
    assert one.state.totals.reserve == 2_000 * (12_000 + 4 * 2_000 + 4_000) + 10_000_000 + 12_500_000
    assert one.state.totals.reserve_tokens == 24_000 + 2_000 + 12_000


def test_an_answer_that_grows_is_no_further_step() -> None:
    """It is one answer, told twice."""
    one = session()
    one.answered(usage("a", 1_000))
    one.answered(usage("a", 11_000))
    assert one.conversation == 12_000
    one.answered(usage("b", 11_000))
    assert one.state.totals.reserve_tokens == 15_000 + 2_000 + 11_000


def test_subagents_have_conversations_of_their_own() -> None:
    """The last answer is the main thread's; what one of their calls took is kept back all the same."""
    one = session()
    assert one.conversation == 0
    one.answered(usage("a", 5_000), thread="t1")
    assert (one.conversation, one.state.totals.reserve) == (0, 0)
    one.answered(usage("b", 1_000))
    assert one.conversation == 2_000
    assert one.state.totals.reserve_tokens == 5_000 + 2_000 + 5_000


def test_where_none_is_made_nothing_is_kept() -> None:
    """And what the proxy reckons stands."""
    one = session(replace(SUMMING, can_summarize=False))
    one.answered(usage("a", 1_000))
    assert one.state.totals.reserve == 0
    two = session()
    two.answered(usage("a", 1_000), reserve=7, reserve_tokens=8, next_call=9, next_call_tokens=10)
    totals = two.state.totals
    assert (totals.reserve, totals.reserve_tokens, totals.next_call, totals.next_call_tokens) == (7, 8, 9, 10)


def test_an_answer_that_could_not_be_read_is_no_part_of_the_conversation() -> None:
    """It counts as a call; how long its prompt was nobody knows."""
    one = session()
    one.answered(usage("a", 0), unread=True)
    assert (one.state.totals.iterations, one.conversation, one.state.totals.reserve) == (1, 0, 0)
