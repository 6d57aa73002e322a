"""Scenarios played with the real price book, each once a run."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

from tabstop.governor.settings import Degradation, Rules, Settings
from tabstop.lab.agent import Agent
from tabstop.lab.play import LONGEST, Result, governed, play, settings_for
from tabstop.lab.scenarios import SCENARIOS
from tabstop.lab.script import BEGUN
from tabstop.lab.session import LabSession
from tabstop.policy.model import Policy
from tabstop.price_book import card
from tabstop.price_card import PriceCard

OFF = Rules(degradation=Degradation(ladder=()))


@cache
def prices() -> PriceCard:
    """Of every model that may answer."""
    models = {model for ladder in Degradation().models for model in ladder}
    return card({*models, *(one.model for one in SCENARIOS.values())}, at=BEGUN)


@cache
def played(name: str, *, seed: int = 1, degradation: bool = True, signals: bool = True, **limits: int | None) -> Result:
    """A scenario under the default policy."""
    one = SCENARIOS[name]
    settings = settings_for(one, Policy(), limits, degradation=degradation, signals=signals)
    return play(one, settings, prices(), lambda: Random(seed))


@cache
def ended(
    name: str, *, seed: int = 1, degradation: bool = True, signals: bool = True, **limits: int | None
) -> LabSession:
    """The session alone, without what it would have become."""
    one = SCENARIOS[name]
    settings = settings_for(one, Policy(), limits, degradation=degradation, signals=signals)
    return governed(one, settings, prices(), Random(seed))


def an_agent(settings: Settings | None, *, heeds: bool = True, thread: str = "") -> Agent:
    """An agent at the beginning of a session of its own."""
    session = LabSession(settings, prices(), BEGUN, BEGUN + LONGEST, heeds=heeds)
    return Agent(session, Random(1), BEGUN, thread)


def bare(settings: Settings) -> Settings:
    """Without a ladder."""
    return replace(settings, degradation=OFF.degradation)
