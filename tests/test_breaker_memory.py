"""The remembered breaker's definition: open, half-open with one probe, closed; and what people read about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.breaker_memory import BreakerMetric, BreakerState, RememberedBreaker, Trip
from tabstop.breaker_words import at_start, measured
from tabstop.explain import headline, refusal
from tabstop.markdown import plain
from tabstop.money import dollars
from tabstop.verdict import Outcome, verdict_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
COOLDOWN = timedelta(minutes=15)
NEVER = RememberedBreaker()


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def a_trip(minutes: float = 0, session: str = "s1", metric: BreakerMetric = BreakerMetric.TOOL_FAILURES) -> Trip:
    """A tool that has only failed."""
    return Trip(session, metric, "Bash", 100, 60, at(minutes))


OPENED = NEVER.tripped(a_trip(), COOLDOWN)


def test_open_for_its_cooldown_then_half_open() -> None:
    """Nobody starts while it is open; after it one session does."""
    assert [OPENED.stands_at(at(m)) for m in (0, 14.99, 15, 999)] == [
        BreakerState.OPEN, BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.HALF_OPEN,
    ]  # fmt: skip
    assert [OPENED.admits_at(at(m)) for m in (0, 14.99, 15)] == [False, False, True]
    probed = OPENED.probed_by("s2")
    assert not probed.admits_at(at(20))
    assert NEVER.admits_at(NOW)


def test_a_probe_that_finishes_closes_it() -> None:
    """And one that ends otherwise frees its place only."""
    probed = OPENED.probed_by("s2")
    assert probed.probe_ended(well=True, now=at(30)) == RememberedBreaker(closed_at=at(30))
    again = probed.probe_ended(well=False, now=at(30))
    assert (again.stands_at(at(30)), again.admits_at(at(30))) == (BreakerState.HALF_OPEN, True)


def test_another_trip_opens_it_for_a_full_cooldown() -> None:
    """Whoever trips it; the probe that runs on does not close it any more."""
    again = OPENED.probed_by("s2").tripped(a_trip(20, "s2"), COOLDOWN)
    assert (again.open_until, again.probe, again.trip) == (at(35), "", a_trip(20, "s2"))


def test_old_news_changes_nothing() -> None:
    """A trip from before it was closed, or one whose cooldown ends no later."""
    cleared = OPENED.closed(at(5))
    assert cleared.tripped(a_trip(4), COOLDOWN) == cleared
    assert cleared.tripped(a_trip(6), COOLDOWN).open_until == at(21)
    probed = OPENED.probed_by("s2")
    assert probed.tripped(a_trip(-3, "s0"), COOLDOWN) == probed


steps = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["start", "trip", "trip of the probe", "good", "bad", "clear"])),
    max_size=40,
)


@given(steps)
def test_any_history_follows_the_definition(history: list[tuple[int, str]]) -> None:
    """Never two probes, no start while open, closed only by a good probe or by hand, a trip always opens it."""
    breaker, now, probes, started = NEVER, NOW, set[str](), 0
    for minutes, step in history:
        now += timedelta(minutes=minutes)
        before = breaker.stands_at(now)
        if step == "start" and breaker.admits_at(now):
            started += 1
            assert before is not BreakerState.OPEN
            if before is BreakerState.HALF_OPEN:
                assert not probes
                breaker = breaker.probed_by(f"s{started}")
                probes.add(f"s{started}")
        elif step.startswith("trip"):
            session = breaker.probe if step.endswith("probe") and breaker.probe else "other"
            breaker = breaker.tripped(Trip(session, BreakerMetric.RUNAWAY, "", 2, 1, now), COOLDOWN)
            probes.clear()
            closed_this_instant = breaker.closed_at == now
            assert closed_this_instant or breaker.stands_at(now + COOLDOWN / 2) is BreakerState.OPEN
        elif step in {"good", "bad"} and breaker.probe:
            breaker = breaker.probe_ended(well=step == "good", now=now)
            probes.clear()
        elif step == "clear":
            breaker = breaker.closed(now)
            probes.clear()
        if before is not BreakerState.CLOSED and breaker.stands_at(now) is BreakerState.CLOSED:
            assert step in {"good", "clear"}
        assert {breaker.probe} - {""} == probes


@pytest.mark.parametrize(
    ("trip", "said"),
    [
        (a_trip(), "tool failures, Bash failed in 100 % of its last calls, threshold 60 %"),
        (
            Trip("s", BreakerMetric.TOOL_FAILURES, "", 70, 60, NOW),
            "tool failures, 70 % failed of the last calls, threshold 60 %",
        ),
        (
            Trip("s", BreakerMetric.REPEATED_CALLS, "Read", 12, 10, NOW),
            "repeated calls, Read was called 12 times with the same arguments, threshold 10",
        ),
        (
            Trip("s", BreakerMetric.COST_RATE, "", dollars("7.5"), dollars(5), NOW),
            "cost rate, $7.50 a minute, threshold $5.00",
        ),
        (
            Trip("s", BreakerMetric.RUNAWAY, "token_spike", 1_812, 500, NOW),
            "runaway, token_spike at 1,812, threshold 500",
        ),
    ],
)
def test_a_trip_in_words(trip: Trip, said: str) -> None:
    """Metric, value and threshold, each in its unit."""
    assert plain(measured(trip)) == said


def test_what_a_start_reads() -> None:
    """Nothing while closed; why and until when while open; who is on trial while half-open; or that it is the probe."""

    def met(
        breaker: RememberedBreaker, now: datetime, *, released: bool = False
    ) -> tuple[Outcome, str, datetime | None]:
        found = at_start(
            breaker, agent="claude-code", repository="acme/web", approvers=("carol",), now=now, released=released
        )
        verdict = verdict_of(*found)
        return verdict.outcome, headline(verdict), verdict.retry_at

    assert at_start(NEVER, agent="a", repository="b", approvers=(), now=NOW) == ()
    assert met(OPENED, at(5)) == (
        Outcome.STOP, "The breaker of claude-code in acme/web is open until 20 November 2026 12:15 UTC", at(15),
    )  # fmt: skip
    assert met(OPENED, at(20)) == (
        Outcome.WARN, "The breaker of claude-code in acme/web is half-open: this session is its probe", None,
    )  # fmt: skip
    assert met(OPENED, at(5), released=True) == (
        Outcome.WARN,
        "The breaker of claude-code in acme/web is open, but this session was released and is its probe",
        None,
    )
    assert met(OPENED.probed_by("s2"), at(5), released=True)[0] is Outcome.STOP
    assert met(OPENED.probed_by("s2"), at(20)) == (
        Outcome.STOP,
        "The breaker of claude-code in acme/web is half-open, and one session is tried at a time: now s2",
        at(21),
    )


def test_a_command_to_paste_holds_nothing_but_itself() -> None:
    """An agent's name is whatever a start claims."""
    found = at_start(OPENED, agent="a`; rm -rf ~ #", repository="acme/web", approvers=(), now=NOW)
    said = " ".join(refusal(verdict_of(*found), NOW))
    assert "breaker clear acme/web 'a'\"'\"'; rm -rf ~ #' --why" in said
