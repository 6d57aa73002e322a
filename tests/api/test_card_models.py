"""Whose prices a session is sent: each model once, the asked one first, no more than fit."""

from __future__ import annotations

from dataclasses import replace

from app.api.card_models import MOST_MODELS, card_models
from tabstop.governor.settings import Degradation
from tabstop.policy.model import Downgrade, Policy
from tabstop.wire import StartRequest

LADDERS = (("big", "middle", "small"), ("theirs", "theirs-mini"))


def policy(*ladders: tuple[str, ...]) -> Policy:
    """With these ladders, and one model to downgrade to."""
    return replace(Policy(), degradation=Degradation(models=ladders), downgrade=Downgrade(("cheap",), 1))


def test_what_it_may_meet() -> None:
    """Asked, downgrade, its own ladder, the agent's usual ones; another vendor's ladder is left out."""
    asked = StartRequest("claude-code", model="middle")
    assert card_models(asked, policy(*LADDERS), ("small", "usual")) == [
        "middle",
        "cheap",
        "big",
        "small",
        "usual",
    ]


def test_a_model_nobody_named() -> None:
    """The usual ones decide which ladder is its own."""
    assert card_models(StartRequest("codex"), policy(*LADDERS), ("theirs",)) == ["cheap", "theirs", "theirs-mini"]


def test_a_card_stays_modest() -> None:
    """A long list is cut; what was asked for is never what is left out."""
    many = tuple(f"m{number}" for number in range(300))
    found = card_models(StartRequest("codex", model="asked"), policy(), many)
    assert (found[0], len(found)) == ("asked", MOST_MODELS)
