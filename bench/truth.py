"""Truth: the ledger beside the vendors' invoices, after real clients were led through scenes with every source listening."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence

from bench.figures import Figure, NotHereError, Part, say
from tests.real_agents.agents import AGENTS
from tests.real_agents.installed import cache, missing
from tests.real_agents.truth.playing import SCENES, play_all, shortest
from tests.real_agents.truth.table import sums_of


def parts() -> list[Part]:
    """Both come of the same runs."""
    return [Part(("truth.error", "truth.misplaced"), _truth)]


def _truth(names: Sequence[str]) -> Iterator[Figure]:
    """Of the clients that are installed. Raises `NotHereError` where none is, or where a scene cannot be played."""
    absent = {one.name for one in missing([agent.package for agent in AGENTS], cache(os.environ))}
    for agent in AGENTS:
        if agent.package.name in absent:
            say(f"truth: {agent.name} not run, {agent.package.version} is not installed here (`make agents` does it)")
    scenes = [shortest(one) for one in SCENES if one.client.agent.package.name not in absent]
    if not scenes:
        raise NotHereError("No agent is installed; `make agents` does it.")
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for figures only
        played = play_all(scenes)
    if broken := [f"{one.scene.name}: {one.problem or one.again}" for one in played if one.problem or one.again]:
        raise NotHereError("; ".join(broken))
    sums = sums_of(played)
    say(f"truth: {len(played)} scenes, {sums.calls} calls on the invoices")
    figures = (
        Figure("truth.error", sums.error, "nano-dollars", 0),
        Figure("truth.misplaced", sums.misplaced, "calls", 0),
    )
    yield from (one for one in figures if one.name in names)
