"""What binds the agent: an allowance written as the flags and settings each agent understands."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from tabstop.model_id import same_model
from tabstop.money import plain
from tabstop.session import Limits
from tabstop.wire import Allowance

JOB_MINUTES = 360
"""What a step may take where nothing bounds it: GitHub's own limit of a job."""


@dataclass(frozen=True, slots=True)
class Flags:
    """model: the one to use, empty for the agent's own choice. claude_args: for claude-code-action or `claude`.

    gemini_settings: JSON for run-gemini-cli's `settings`. timeout_minutes: for the agent's step.
    """

    model: str
    claude_args: str
    gemini_settings: str
    timeout_minutes: int


def flags_for(limits: Limits, models: tuple[str, ...], wish: str) -> Flags:
    """Write the limits as flags.

    wish: the model the workflow names; another is advised when the allowance does not have it.
    `--max-turns` and `maxSessionTurns` count what `iterations` counts: one model request and its answer.
    `--max-budget-usd` stops after the call that passes it.
    """
    model = advised(models, wish)
    claude = []
    if limits.iterations is not None:
        claude.append(f"--max-turns {limits.iterations}")
    if limits.cost is not None:
        claude.append(f"--max-budget-usd {plain(limits.cost)}")
    if model:
        claude.append(f"--model {model}")
    gemini = {"model": {"maxSessionTurns": limits.iterations}} if limits.iterations is not None else {}
    seconds = limits.wall_clock_seconds
    minutes = JOB_MINUTES if seconds is None else min(JOB_MINUTES, max(1, math.ceil(seconds / 60)))
    return Flags(model, " ".join(claude), json.dumps(gemini), minutes)


def advised(models: tuple[str, ...], wish: str) -> str:
    """The model to use: the wish when it is allowed, else the first that is; empty when anything goes and nothing is wished."""
    if not models or (wish and any(same_model(wish, model) for model in models)):
        return wish
    return models[0]


def shown(allowance: Allowance) -> str:
    """The allowance as the `allowance` output: JSON without the price card, whose prices may be negotiated ones."""
    limits = allowance.limits
    return json.dumps(
        {
            "limits": {
                "tokens": limits.tokens,
                "tool_calls": limits.tool_calls,
                "iterations": limits.iterations,
                "wall_clock_seconds": limits.wall_clock_seconds,
                "cost_usd": None if limits.cost is None else plain(limits.cost),
            },
            "hold_usd": plain(allowance.hold),
            "models": list(allowance.models),
            "enforcement": allowance.enforcement,
            "policy_commit": allowance.policy_commit,
        }
    )
