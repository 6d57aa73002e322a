"""Flags: an allowance in the words each agent understands; nothing is bound looser than it says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action.flags import JOB_MINUTES, advised, flags_for
from tabstop.session import Limits
from tests.action.fake_tabstop import DOLLAR


@pytest.mark.parametrize(
    ("limits", "claude", "gemini", "minutes"),
    [
        (Limits(), "", {}, 360),
        (Limits(iterations=200, cost=10 * DOLLAR), "--max-turns 200 --max-budget-usd 10", 200, 360),
        (Limits(cost=DOLLAR * 3 // 2), "--max-budget-usd 1.5", {}, 360),
        (Limits(cost=1), "--max-budget-usd 0.000000001", {}, 360),
        (Limits(wall_clock_seconds=7_200), "", {}, 120),
        (Limits(wall_clock_seconds=61), "", {}, 2),
        (Limits(wall_clock_seconds=0), "", {}, 1),
        (Limits(wall_clock_seconds=10**6), "", {}, 360),
    ],
)
def test_limits_as_flags(limits: Limits, claude: str, gemini: int | dict[str, object], minutes: int) -> None:
    """Unlimited is no flag; a time is rounded up to whole minutes within a job's own limit."""
    flags = flags_for(limits, (), "")
    assert flags.claude_args == claude
    expected = {"model": {"maxSessionTurns": gemini}} if isinstance(gemini, int) else gemini
    assert json.loads(flags.gemini_settings) == expected
    assert flags.timeout_minutes == minutes


@pytest.mark.parametrize(
    ("models", "wish", "advice"),
    [
        ((), "", ""),
        ((), "claude-opus-5-5", "claude-opus-5-5"),
        (("claude-haiku-5-5",), "", "claude-haiku-5-5"),
        (("claude-haiku-5-5",), "claude-opus-5-5", "claude-haiku-5-5"),
        (("claude-haiku-5-5", "claude-sonnet-4-5"), "claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"),
    ],
)
def test_the_model_to_use(models: tuple[str, ...], wish: str, advice: str) -> None:
    """The wish when it is allowed, in whichever spelling; else the first that is."""
    assert advised(models, wish) == advice
    assert ("--model" in flags_for(Limits(), models, wish).claude_args) is bool(advice)


@given(st.none() | st.integers(0, 10**7))
def test_the_step_never_ends_before_its_limit(seconds: int | None) -> None:
    """The step's time-out is a net below the limit, not a tighter limit, up to what a job may take."""
    minutes = flags_for(Limits(wall_clock_seconds=seconds), (), "").timeout_minutes
    assert 1 <= minutes <= JOB_MINUTES
    assert seconds is None or minutes == JOB_MINUTES or minutes * 60 >= seconds
