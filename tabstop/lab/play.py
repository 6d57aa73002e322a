"""Playing a scenario: the governed session until it ends, and what an hour of it without the governor would have used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from random import Random

from tabstop.governor.limits import Totals, limits_in_force
from tabstop.governor.settings import Breaker, Degradation, Response, Runaway, Settings, Throttle, settings_of
from tabstop.lab.agent import Agent
from tabstop.lab.record import Iteration, Sighting, Used
from tabstop.lab.scenarios import LabScenario
from tabstop.lab.script import BEGUN
from tabstop.lab.session import LabSession, SessionOver
from tabstop.policy.model import Policy
from tabstop.price_card import PriceCard
from tabstop.session import Limits, SessionOutcome

HOUR = 3_600
LONGEST = timedelta(days=1)
"""Of the fake clock, for a session that nothing ends."""


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour without the governor. simulated: on the fake clock. extrapolated: the pace it had when it was held back, gone on
    with. limit, tenths: the limit that it passes most, and how many times over, in tenths; empty and 0 where it passes none.
    """

    simulated: Used
    extrapolated: Used
    limit: str
    tenths: int


@dataclass(frozen=True, slots=True)
class Result:
    """One session as it went.

    alert: the first thing people heard of. refusal: the first call or subagent that was refused. stop: what ended it. outcome:
    None when its time on the fake clock ended before it did. seconds: how long it took. limit: which limit ends it when all
    signals are off, and when. hour: None for a healthy one, and for one that took longer than an hour.
    """

    scenario: LabScenario
    settings: Settings
    limits: Limits
    iterations: tuple[Iteration, ...]
    totals: Totals
    seconds: float
    runaway_from: int
    alert: Sighting | None
    refusal: Sighting | None
    stop: Sighting | None
    outcome: SessionOutcome | None
    limit: Sighting | None
    hour: Hour | None

    @property
    def held_back(self) -> Sighting | None:
        """What first kept it from going on: a refusal or its end."""
        return self.refusal or self.stop


def settings_for(
    scenario: LabScenario,
    policy: Policy,
    given: Mapping[str, int | None],
    *,
    degradation: bool = True,
    signals: bool = True,
) -> Settings:
    """The settings a session of this scenario gets: its own limits or the policy's, and over them those that were given."""
    said = policy.session
    usual = scenario.limits or Limits(said.tokens, said.tool_calls, said.iterations, said.wall_clock_seconds, said.cost)
    rules = policy.rules if degradation else replace(policy.rules, degradation=Degradation(ladder=()))
    settings = settings_of(rules, replace(usual, **given), "SESSION", ci=False, can_summarize=True)
    return settings if signals else without_signals(settings)


def without_signals(settings: Settings) -> Settings:
    """The same limits alone: no runaway signals, no breaker, no brakes."""
    off = Runaway(*(replace(getattr(Runaway(), one.name), response=Response.OFF) for one in fields(Runaway)))
    return replace(
        settings,
        runaway=off,
        breaker=Breaker(failures_percent=None, repeats=None, cost_per_minute=None),
        throttle=Throttle(None, None, None),
    )


def play(scenario: LabScenario, settings: Settings, card: PriceCard, random: Callable[[], Random]) -> Result:
    """Play it. random: gives the same randomness each time it is called, so that every run of it begins alike."""
    session = governed(scenario, settings, card, random())
    seconds = (session.now - session.begun).total_seconds()
    limits, _ = limits_in_force(session.totals, settings)
    return Result(
        scenario=scenario,
        settings=settings,
        limits=limits,
        iterations=tuple(session.iterations),
        totals=session.totals,
        seconds=seconds,
        runaway_from=session.runaway_from,
        alert=session.alert,
        refusal=session.refusal,
        stop=session.stop,
        outcome=session.outcome,
        limit=governed(scenario, without_signals(settings), card, random()).stop,
        hour=None if scenario.go_on is None or seconds >= HOUR else _hour(scenario, session, limits, random()),
    )


def governed(scenario: LabScenario, settings: Settings, card: PriceCard, random: Random) -> LabSession:
    """Play it until it ends."""
    session = LabSession(settings, card, BEGUN, BEGUN + LONGEST, heeds=scenario.go_on is None)
    _run(session, scenario, random)
    return session


def _run(session: LabSession, scenario: LabScenario, random: Random) -> None:
    agent = Agent(session, random, session.now, model=scenario.model)
    with suppress(SessionOver):
        scenario.opens(agent)
        if scenario.go_on is None:
            agent.finish()
        else:
            session.run_away()
            while True:
                scenario.go_on(agent)
                agent.answer()


def _hour(scenario: LabScenario, governed: LabSession, limits: Limits, random: Random) -> Hour:
    free = LabSession(None, governed.card, BEGUN, BEGUN + timedelta(seconds=HOUR))
    _run(free, scenario, random)
    simulated = free.tally
    limit, tenths = "", 0
    for name in (one.name for one in fields(Used)):
        cap: int | None = getattr(limits, name)
        if cap and (over := getattr(simulated, name) * 10 // cap) > max(10, tenths):
            limit, tenths = name, over
    return Hour(simulated, _extrapolated(governed), limit, tenths)


def _used(totals: Totals) -> Used:
    return Used(totals.tokens, totals.tool_calls, totals.iterations, totals.cost)


def _extrapolated(session: LabSession) -> Used:
    """What it had used when it was held back, and for the rest of the hour the pace at which it had run away until then."""
    held_back = session.refusal or session.stop
    totals = session.totals if held_back is None else held_back.totals
    at = (session.now - session.begun).total_seconds() if held_back is None else held_back.seconds
    pace = max(0.001, at - (session.ran_away_at - session.begun).total_seconds())
    end, before = _used(totals), _used(session.before)

    def go_on(name: str) -> int:
        used: int = getattr(end, name)
        return used + int((used - getattr(before, name)) * (HOUR - at) / pace)

    return Used(*(go_on(one.name) for one in fields(Used)))
