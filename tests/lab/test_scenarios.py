"""Every scenario ends as it should: by the limit or signal that is meant to catch it, early; a healthy one by itself."""

import pytest

from tabstop.lab.play import Result
from tabstop.lab.scenarios import FIELD, SCENARIOS
from tabstop.lab.session import TOLD
from tabstop.money import dollars
from tabstop.session import SessionOutcome
from tests.lab.played import ended, played

RUNAWAYS = [name for name, one in SCENARIOS.items() if one.go_on is not None]
HEALTHY = [name for name in SCENARIOS if name not in RUNAWAYS]

# scenario: (what holds it back first, its iteration at the latest counted from where it ran away, which limit alone would)
EXPECTED = {
    "token-runaway": ({"cost rate", "token_spike"}, 8, "cost"),
    "tool-explosion": ({"tool_rate"}, 2, "tool_calls"),
    "stuck-loop": ({"repeated calls", "repeats"}, 11, "tokens"),
    "failing-tool": ({"tool failures"}, 3, "tokens"),
    "large-file": ({"likeness", "repeats", "repeated calls"}, 12, "tokens"),
    "every-file": ({"no_progress"}, 22, "tokens"),
    "broken-tool": ({"retry"}, 3, "iterations"),
    "spawning": ({"depth", "subagent", "fan-out"}, 12, "iterations"),
    "backoff": ({"backoff"}, 10, "wall_clock_seconds"),
    "classic": ({"cost"}, 50, "cost"),
}


def told(result: Result) -> list[str]:
    """What people heard, but that the agent was silent while its person was away."""
    return [
        note.scope for one in result.iterations for note in one.notes if note.kind in TOLD and note.scope != "agent"
    ]


def test_every_runaway_has_its_row() -> None:
    """No scenario is played whose end nobody has thought of."""
    assert [*EXPECTED] == RUNAWAYS


@pytest.mark.parametrize("name", RUNAWAYS)
def test_a_runaway_is_held_back_by_what_should(name: str) -> None:
    """The first to hold it back is the limit or signal meant for it, in time; and it is stopped for good."""
    session = ended(name)
    by, within, _ = EXPECTED[name]
    held_back = session.refusal or session.stop
    assert held_back is not None
    assert held_back.by in by
    assert 1 <= held_back.of_runaway <= within
    assert session.stop is not None
    assert session.outcome is not None
    assert session.outcome.value.startswith(("stopped", "suspended"))


@pytest.mark.parametrize("name", FIELD)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_runaways_known_from_the_field_are_caught_by_their_thirtieth_iteration(name: str, seed: int) -> None:
    """Not by the 200th."""
    session = ended(name, seed=seed)
    held_back = session.refusal or session.stop
    assert held_back is not None
    assert held_back.of_runaway <= 30


@pytest.mark.parametrize("name", RUNAWAYS)
def test_limits_alone_end_it_too(name: str) -> None:
    """Without any signal the limit that is reached first is the one to be expected, and never a cent over."""
    session = ended(name, signals=False)
    assert session.stop is not None
    assert session.stop.by == EXPECTED[name][2]
    assert session.settings is not None
    assert session.totals.cost <= (session.settings.limits.cost or 0)


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_fires_in_a_healthy_session(name: str, seed: int) -> None:
    """However long: no alert, no refusal, no limit; it ends by itself, and no hour is reckoned up."""
    result = played(name, seed=seed)
    assert (result.alert, result.refusal, result.stop, result.limit, result.hour) == (None,) * 5
    assert result.outcome is SessionOutcome.FINISHED
    assert told(result) == []
    assert not any(one.denied for one in result.iterations)


def test_a_broken_tool_suspends_and_its_breaker_is_told() -> None:
    """The retry brake and the breaker both say stop at the third failure: a person can let it go on, and the trip is not lost."""
    session = ended("broken-tool")
    assert session.outcome is SessionOutcome.SUSPENDED
    notes = [(note.kind, note.scope) for note in session.iterations[-1].notes]
    assert notes == [("trip", "tool failures"), ("suspend", "retry")]


def test_a_session_whose_calls_hardly_fit_gets_by_with_less() -> None:
    """Its next call takes a third of the budget: it switches and compacts while calls still fit, and ends its work."""
    result = played("healthy", cost=dollars(1))
    assert (result.outcome, result.stop) == (SessionOutcome.FINISHED, None)
    told = [note.kind for one in result.iterations for note in one.notes]
    assert told[:2] == ["degrade", "switched"]
    assert "compacted" in told
    without = played("healthy", degradation=False, cost=dollars(1))
    assert without.stop is not None
    assert without.stop.by == "cost"
    assert without.totals.cost < dollars("0.75")


def test_an_hour_without_the_governor() -> None:
    """The same session until the clock shows an hour; where it only waits, nothing more is used."""
    hour = played("classic").hour
    assert hour is not None
    assert (hour.simulated.iterations, hour.simulated.cost) == (36_000, 36_000_000_000)
    assert (hour.limit, hour.tenths) == ("cost", 7_200)
    waits, spends = played("backoff"), played("token-runaway")
    assert waits.hour is not None
    assert spends.hour is not None
    assert waits.hour.simulated.cost == waits.hour.extrapolated.cost == waits.totals.cost
    assert (waits.hour.limit, waits.hour.tenths) == ("", 0)
    assert min(spends.hour.simulated.cost, spends.hour.extrapolated.cost) > 10 * spends.totals.cost
    assert waits.limit == ended("backoff", signals=False).stop


def test_a_session_that_nothing_ends_is_given_up_after_a_day() -> None:
    """Under limits it cannot reach, a waiting session has no outcome, and more than an hour is not reckoned up."""
    far = {"wall_clock_seconds": None, "cost": 10**15, "tokens": None, "tool_calls": None, "iterations": None}
    result = played("backoff", signals=False, **far)
    assert (result.outcome, result.stop, result.hour) == (None, None, None)
    assert result.seconds > 23 * 3_600


def test_the_same_seed_plays_the_same_session() -> None:
    """Another one plays another."""
    assert ended("stuck-loop", seed=4).iterations == ended.__wrapped__("stuck-loop", seed=4).iterations
    assert ended("stuck-loop", seed=4).iterations != ended("stuck-loop", seed=5).iterations


@pytest.mark.parametrize("name", RUNAWAYS)
def test_degradation_comes_before_the_limit(name: str) -> None:
    """With the ladder a session that meets a limit has been given less before; without it, it has not."""
    notes = [note.kind for one in ended(name, signals=False).iterations for note in one.notes]
    assert "degrade" in notes
    assert notes.index("degrade") < notes.index("stop" if "stop" in notes else "suspend")
    without = ended(name, signals=False, degradation=False)
    assert not any(note.kind == "degrade" for one in without.iterations for note in one.notes)
