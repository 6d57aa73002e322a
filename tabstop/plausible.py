"""Plausible: the most tokens that one response can have, so that a count that cannot be is told from a large one."""

from __future__ import annotations

from dataclasses import dataclass

_ROUNDS = 10
"""A response that searches the web reads its prompt once for each search, and its counts are the sum of them."""

_LEAST_PROMPT, _LEAST_OUTPUT = 2_000_000, 1_000_000
"""Also for models with short windows: vendors lengthen them for some customers before price lists say so."""


@dataclass(frozen=True, slots=True)
class Most:
    """Tokens of the prompt, the cache's included, and of the answer."""

    prompt: int
    output: int

    def why_not(self, prompt: int, output: int) -> str:
        """Why a call cannot have used so many; empty where it can."""
        if prompt > self.prompt:
            return f"a prompt of more than {self.prompt:,} tokens"
        if output > self.output:
            return f"an answer of more than {self.output:,} tokens"
        return ""


ANY_MODEL = Most(20_000_000, 20_000_000)
"""Of a model nobody knows: ten times the longest window that any has."""


def most_of(window: int | None) -> Most:
    """For a model with this context window; None where it is not known."""
    if window is None:
        return ANY_MODEL
    return Most(max(_ROUNDS * window, _LEAST_PROMPT), max(window, _LEAST_OUTPUT))
