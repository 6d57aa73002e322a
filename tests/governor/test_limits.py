"""The five limits of a session: composable, the first one wins, never none at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabstop.governor.facts import Fact, Heartbeat, Paused, Raised, Resumed, ServerSaid, Tick, ToolFinished
from tabstop.governor.limit_reached import reached
from tabstop.governor.limits import DEFAULTS, Totals, count, fullest, limits_in_force
from tabstop.governor.settings import Exhaustion, OnLimit, Settings, UnknownPrice
from tabstop.money import dollars
from tabstop.session import Limits
from tabstop.verdict import Verdict
from tests.governor.builders import answer, at, finished, let_through, started


def totals_after(*facts: Fact, start: Totals | None = None) -> Totals:
    totals = start or Totals()
    for fact in facts:
        totals = let_through(totals, fact)
    return totals


def stops(settings: Settings, *facts: Fact) -> str:
    """The name of the limit that stops at the last fact; empty for none."""
    before = totals_after(*facts[:-1])
    finding = reached(count(before, facts[-1]), facts[-1], settings)
    return finding.scope if finding else ""


ONE_AT_A_TIME: list[tuple[str, Limits, list[Fact], str]] = [
    ("below every limit", Limits(tokens=1_001, iterations=2, cost=dollars("0.02")), [answer()], ""),
    ("tokens", Limits(tokens=1_000), [answer()], "tokens"),
    ("cost", Limits(cost=dollars("0.01")), [answer()], "cost"),
    ("a cost a nano-dollar short", Limits(cost=dollars("0.01") + 1), [answer()], ""),
    ("iterations", Limits(iterations=2), [answer(), answer(1)], "iterations"),
    ("more of an answer is no iteration", Limits(iterations=2), [answer(), answer(1, more=True)], ""),
    ("the last allowed tool call may start", Limits(tool_calls=2), [started(), started(1)], ""),
    ("the next may not", Limits(tool_calls=2), [started(), started(1), started(2)], "tool_calls"),
    ("and once it has run, the session ends", Limits(tool_calls=1), [started(), finished(1)], "tool_calls"),
    (
        "a tool seen only at its end counts",
        Limits(tool_calls=1),
        [ToolFinished(at(0), "Bash", unseen=True)],
        "tool_calls",
    ),
    ("wall clock", Limits(wall_clock_seconds=60), [answer(), Tick(at(60))], "wall_clock_seconds"),
    ("wall clock, a moment before", Limits(wall_clock_seconds=60), [answer(), Tick(at(59.9))], ""),
    ("nothing runs, no time passes", Limits(wall_clock_seconds=60), [Tick(at(0)), Tick(at(100))], ""),
    ("the fullest of two", Limits(tokens=1_000, cost=dollars("0.001")), [answer()], "cost"),
    ("a limit of nothing", Limits(tool_calls=0), [started()], "tool_calls"),
]


@pytest.mark.parametrize(
    ("limits", "facts", "expected"), [row[1:] for row in ONE_AT_A_TIME], ids=[r[0] for r in ONE_AT_A_TIME]
)
def test_first_limit(limits: Limits, facts: list[Fact], expected: str) -> None:
    """The session ends at the first limit it reaches, and not before."""
    assert stops(Settings(limits=limits), *facts) == expected


def test_wall_clock_stands_still_while_paused() -> None:
    """Only the time its process ran counts, over all runs."""
    totals = totals_after(Resumed(at(0)), Paused(at(10)), Tick(at(500)), Resumed(at(1_000)), Tick(at(1_005)))
    assert totals.wall_clock_seconds == 15


def test_a_killed_run_counts_until_it_was_last_heard_of() -> None:
    """A run that said no `Paused` ran until its last fact."""
    assert totals_after(Resumed(at(0)), Heartbeat(at(7)), Resumed(at(1_000)), Tick(at(1_001))).wall_clock_seconds == 8


def test_time_told_late_does_not_run_backward() -> None:
    """A fact older than the last one counts; the clock stays."""
    totals = totals_after(answer(10), answer(5))
    assert (totals.iterations, totals.last_at) == (2, at(10))


def test_with_no_limit_left_the_defaults_apply_and_it_is_said() -> None:
    """Never a loop without an exit condition."""
    limits, said = limits_in_force(Totals(), Settings())
    assert limits == DEFAULTS
    assert said == "No limit was left to this session, so the default limits apply."


def test_a_cost_limit_alone_does_not_bind_what_has_no_price() -> None:
    """Then the default token limit binds beside it."""
    settings = Settings(limits=Limits(cost=dollars(1)))
    assert limits_in_force(totals_after(answer()), settings) == (settings.limits, "")
    limits, said = limits_in_force(totals_after(answer(cost=None)), settings)
    assert limits == replace(settings.limits, tokens=DEFAULTS.tokens)
    assert "no known price" in said


def test_unknown_price_may_block() -> None:
    """`unknown_price: block` ends a session with a cost limit at its first answer without a price."""
    settings = Settings(limits=Limits(cost=dollars(1)), unpriced=UnknownPrice.BLOCK)
    assert stops(settings, answer()) == ""
    assert stops(settings, answer(cost=None)) == "cost"
    assert stops(replace(settings, limits=Limits(tokens=10**6)), answer(cost=None)) == ""


def test_an_overdrive_adds_to_the_limit_and_totals_stay() -> None:
    """A raise is added; what is unlimited stays so."""
    totals = totals_after(
        answer(), Raised(at(1), Limits(cost=dollars(1), tokens=5)), Raised(at(2), Limits(cost=dollars(2)))
    )
    limits, _ = limits_in_force(totals, Settings(limits=Limits(cost=dollars("0.01"))))
    assert (limits.cost, limits.tokens, totals.iterations) == (dollars("3.01"), None, 1)


def test_the_servers_limits_replace_those_of_the_start() -> None:
    """An overdrive granted at the server arrives as its limits; an answer without limits changes none."""
    said = ServerSaid(at(1), Verdict(), limits=Limits(cost=dollars(7)))
    totals = totals_after(said, ServerSaid(at(2), Verdict()))
    assert limits_in_force(totals, Settings(limits=Limits(cost=dollars(5))))[0].cost == dollars(7)


@pytest.mark.parametrize(
    ("name", "limits", "used"),
    [
        ("cost", Limits(cost=dollars("0.012")), {"reserve": dollars("0.002")}),
        ("tokens", Limits(tokens=1_500), {"reserve_tokens": 500}),
        ("iterations", Limits(iterations=2), {}),
    ],
)
def test_room_for_the_summary_is_kept(name: str, limits: Limits, used: dict[str, int]) -> None:
    """Where a last answer is to be made, its worst case is never spent on anything else."""
    summary = Exhaustion(on_limit=OnLimit.SUMMARY, on_tokens=OnLimit.SUMMARY)
    one = replace(answer(), **used)  # type: ignore[arg-type]
    assert stops(Settings(limits=limits, exhaustion=summary, can_summarize=True), one) == name
    assert stops(Settings(limits=limits, exhaustion=summary, can_summarize=False), one) == ""


def test_the_fullest_limit() -> None:
    """In percent, rounded down; a limit of nothing is full."""
    totals = totals_after(answer(), started())
    assert fullest(totals, Settings(limits=Limits(tokens=4_000, tool_calls=10))) == 25
    assert fullest(totals, Settings(limits=Limits(tokens=4_000, cost=0))) == 100
