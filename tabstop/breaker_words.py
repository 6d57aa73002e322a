"""What people read about a remembered breaker: at a start, in a check, in a channel. Names stand in `backquotes`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tabstop.breaker_memory import BreakerMetric, BreakerState, RememberedBreaker, Trip
from tabstop.explain import approvers_in_words
from tabstop.money import show
from tabstop.policy.problem import quoted
from tabstop.verdict import Finding, Outcome, Signal

ASK_AGAIN = timedelta(minutes=1)
"""When to ask again while another session is the probe: nobody knows when it ends."""

_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


def at_start(
    breaker: RememberedBreaker,
    *,
    agent: str,
    repository: str,
    approvers: Sequence[str],
    now: datetime,
    released: bool = False,
) -> tuple[Finding, ...]:
    """What a start meets: nothing while it is closed, a refusal, or the news that it is admitted as the probe.

    released: it is a session that goes on, opened the breaker itself, and was released since. The findings carry the trip's value in `spent` and its threshold in `cap`, in the metric's unit.
    """
    trip, until, state = breaker.trip, breaker.open_until, breaker.stands_at(now)
    if trip is None or until is None:
        return ()
    name = f"The breaker of {quoted(agent)} in {quoted(repository)}"
    metric = trip.metric.value.replace(" ", "_")
    if not breaker.probe and (released or state is BreakerState.HALF_OPEN):
        is_it = "is half-open: this session is its probe"
        if state is BreakerState.OPEN:
            is_it = "is open, but this session was released and is its probe"
        said = (
            f"{name} {is_it}. If it finishes well the breaker closes, "
            f"if it trips the breaker opens again. {tripped_by(trip)}"
        )
        return (Finding(Signal.BREAKER, Outcome.WARN, metric, said, cap=trip.threshold, spent=trip.value),)
    if state is BreakerState.OPEN:
        retry_at = until
        said = f"{name} is open until {_minute(until)}. {tripped_by(trip)}"
    else:
        retry_at = now + ASK_AGAIN
        said = (
            f"{name} is half-open, and one session is tried at a time: now {quoted(breaker.probe)}. {tripped_by(trip)}"
        )
    return (
        Finding(
            Signal.BREAKER,
            Outcome.STOP,
            metric,
            f"{said} {clearing(agent, repository)}",
            cap=trip.threshold,
            spent=trip.value,
            until=until,
            retry_at=retry_at,
            remedy=f"Ask {approvers_in_words(approvers)} to have it cleared.",
        ),
    )


def tripped_by(trip: Trip) -> str:
    """Which session tripped it and when, with the arithmetic."""
    return f"Session {quoted(trip.session)} tripped it at {_minute(trip.at)}: {measured(trip)}."


def measured(trip: Trip) -> str:
    """Metric, value and threshold, each in its unit: tool failures, `Bash` failed in 100 % of its last calls, threshold 60 %."""
    name = quoted(trip.subject) if trip.subject else ""
    match trip.metric:
        case BreakerMetric.TOOL_FAILURES:
            who = f"{name} failed in {trip.value} % of its" if name else f"{trip.value} % failed of the"
            said = f"{who} last calls, threshold {trip.threshold} %"
        case BreakerMetric.REPEATED_CALLS:
            said = f"{name or 'a tool'} was called {trip.value:,} times with the same arguments, threshold {trip.threshold:,}"
        case BreakerMetric.COST_RATE:
            said = f"{show(trip.value)} a minute, threshold {show(trip.threshold)}"
        case BreakerMetric.RUNAWAY:
            said = f"{name or 'a signal'} at {trip.value:,}, threshold {trip.threshold:,}"
    return f"{trip.metric.value}, {said}"


def consequence(agent: str, open_until: datetime) -> str:
    """What an open breaker means, in words that stay true when its cooldown ends."""
    return (
        f"New sessions of {quoted(agent)} in this repository are refused until {_minute(open_until)}; "
        "then one at a time is tried, until one finishes well."
    )


def clearing(agent: str, repository: str) -> str:
    """How it is closed by hand."""
    command = f"python -m app.cli breaker clear {_word(repository)} {_word(agent)} --why …"
    return f"Whoever operates Tabstop closes it sooner with `{command}`."


def _word(text: str) -> str:
    """As one word of a shell: an agent's name is whatever a start claims, and people paste commands."""
    word = quoted(text)[1:-1]
    return word if _NEEDS_NO_QUOTES.fullmatch(word) else "'" + word.replace("'", "'\"'\"'") + "'"


def _minute(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y %H:%M} UTC"
