"""A model that never has enough: each of its answers asks for one more tool, whatever it is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tabstop.usage import Tokens
from tests.real_agents.invoice import Line
from tests.support.fake_llm import FakeLlm, Seen
from tests.support.llm_answers import Step, Used

INPUT, OUTPUT = 100_000, 1_000
"""Tokens of each answer; nothing of it is cached. The input is above what the agents really send, so that no worst case hides it."""

Tool = Callable[[str], tuple[str, dict[str, object]]]
"""From a shell command to the agent's own tool call that runs it."""


@dataclass
class EndlessModel:
    """A plan for `FakeLlm`. most: answers after which it gives up after all, so that every run ends. input: tokens it reads each time."""

    tool: Tool
    most: int
    input: int = INPUT
    invoice: list[Line] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Step:
        """The next answer. A side question, which offers no tools, is answered with a word and costs next to nothing."""
        offered = bool(seen.body.get("tools"))
        number = sum(line.asks for line in self.invoice) + 1
        asks = offered and number <= self.most
        step = Step(
            "All done.", used=Used(self.input if offered else 100, output=min(OUTPUT if offered else 10, _most(seen)))
        )
        if asks:
            step = Step(f"Step {number} is next.", (self.tool(f"echo step-{number} >>steps.txt"),), used=step.used)
        tokens = Tokens(input=step.used.input, output=step.used.output)
        self.invoice.append(Line(seen.at, time.time(), str(seen.body.get("model")), tokens, asks))
        return step


def served(model: EndlessModel, think: float, cwd: Path) -> FakeLlm:
    """The model behind every vendor's API. think: seconds it takes for an answer."""
    return FakeLlm(plan=model, think=think, cwd=str(cwd))


def _most(seen: Seen) -> int:
    """The longest answer the request allows."""
    config = seen.body.get("generationConfig") or {}
    given = (seen.body.get("max_tokens"), seen.body.get("max_output_tokens"), config.get("maxOutputTokens"))
    return min((one for one in given if isinstance(one, int)), default=OUTPUT)
