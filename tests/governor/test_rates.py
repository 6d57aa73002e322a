"""Rates: tokens and calls a minute of work, now beside before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.facts import Answer, Fact, SubagentEnded, Tick
from tabstop.governor.rates import (
    LONGEST_BURST,
    REMEMBERED,
    THREADS,
    Rate,
    Rates,
    call_rate,
    calls_a_second,
    take,
    token_rate,
)
from tabstop.usage import Tokens
from tests.governor.builders import answer, at, finished, started


def after(facts: list[Fact], burst: int = 10) -> Rates:
    part = Rates()
    for fact in facts:
        part = take(part, fact, burst)
    return part


def steady(minutes: int, tokens: int = 1_000, *, thread: str = "", every: int = 10) -> list[Fact]:
    """An answer every ten seconds."""
    return [answer(n * every, tokens, thread=thread) for n in range(minutes * 60 // every)]


def test_a_steady_session_goes_as_fast_as_before() -> None:
    """Six answers of 1,000 tokens a minute; of the last minute the largest answer is left out."""
    rate = token_rate(after(steady(5)))
    assert rate.now == 5_000
    assert 75 <= rate.percent <= 100


def test_nothing_is_said_of_a_young_session() -> None:
    """Before two minutes of work there is nothing to compare with."""
    assert token_rate(after(steady(2))).percent == 0
    assert token_rate(Rates()) == Rate(0, 0, 0)


def test_a_spike_shows_within_a_minute() -> None:
    """Ten times the tokens at the same pace."""
    facts = [*steady(5), *(answer(300 + n * 10, 10_000) for n in range(6))]
    assert 700 < token_rate(after(facts)).percent < 1_000


def test_one_large_answer_is_no_spike() -> None:
    """A cold cache or a compaction is large once."""
    assert token_rate(after([*steady(5), answer(301, 500_000)])).percent < 110


def test_what_a_cache_had_does_not_count() -> None:
    """The context grows and is read from the cache each time; that is how agents work."""
    cached = [Answer(at(n * 10), tokens=Tokens(input=10, cache_read=n * 10_000)) for n in range(40)]
    assert token_rate(after(list(cached))).now < 100


def test_counts_corrected_downward_take_nothing_back() -> None:
    """A correction with fewer tokens leaves no rate below zero."""
    assert token_rate(after([answer(0, -5_000), answer(1, -5_000)])).now == 0


def test_threads_side_by_side_are_no_spike() -> None:
    """Eight subagents use eight times as much in a minute, and work eight times as long in it."""
    facts: list[Fact] = [*steady(5)]
    for n in range(12):
        facts += [answer(300 + n * 10 + k / 10, 1_000, thread=f"agent {k}") for k in range(8)]
    assert token_rate(after(facts)).percent < 130


def test_a_night_is_no_work() -> None:
    """After hours of silence the morning's usual pace is usual."""
    facts = [*steady(5), *(answer(30_000 + n * 10) for n in range(12))]
    assert 50 < token_rate(after(facts)).percent < 130


def test_what_lies_long_behind_counts_less() -> None:
    """The running average follows a session that changed its pace an hour ago."""
    part = after([*steady(60), *(answer(3_600 + n * 10, 4_000) for n in range(720))])
    assert part.past.busy <= REMEMBERED
    assert token_rate(part).before > 3_000


def test_more_of_an_answer_is_no_answer() -> None:
    """Tokens told later count, the answer only once."""
    part = after([answer(0, 100), answer(1, 50, more=True), answer(2, 10)])
    assert (part.answers, part.now[0].tokens) == (2, 160)


@pytest.mark.parametrize(
    ("gap", "calls", "rate"), [(0.1, 10, 10), (0.1, 30, 10), (0.101, 30, 9), (1.0, 10, 1), (0.0, 5, 4_000), (0.0, 1, 0)]
)
def test_calls_a_second(gap: float, calls: int, rate: int) -> None:
    """Over the last ten calls; exactly every 100 ms is exactly ten a second."""
    assert calls_a_second(after([started(n * gap) for n in range(calls)])) == rate


def test_a_call_counts_once() -> None:
    """Its end is no further call unless its start was not seen."""
    unseen = finished(2)
    facts: list[Fact] = [started(0), finished(1), Tick(at(1)), type(unseen)(unseen.at, "Bash", "a", unseen=True)]
    assert after(facts).calls == 2


def test_tool_calls_a_minute() -> None:
    """A call every ten seconds, then every second."""
    facts = [*(started(n * 10) for n in range(30)), *(started(300 + n) for n in range(60))]
    assert 800 < call_rate(after(list(facts))).percent < 1_100


@given(
    st.lists(st.tuples(st.sampled_from("at"), st.integers(-100, 10_000), st.integers(0, 99), st.integers(-9, 10**7)))
)
def test_any_order_of_facts_is_borne(rows: list[tuple[str, int, int, int]]) -> None:
    """Time that runs backward, many threads, odd counts: no crash, nothing below zero, nothing that grows for ever."""
    facts: list[Fact] = [
        answer(when, tokens, thread=str(thread)) if kind == "a" else started(when, thread=str(thread))
        for kind, when, thread, tokens in rows
    ]
    part = after([*facts, SubagentEnded(at(0), "1"), SubagentEnded(at(0), "nobody")], burst=10**6)
    assert min(token_rate(part).now, call_rate(part).now, calls_a_second(part)) >= 0
    assert len(part.now) <= 7
    assert len(part.last) <= THREADS
    assert len(part.called) <= LONGEST_BURST
