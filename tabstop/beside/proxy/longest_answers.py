"""Longest answers: what a model may write at most where a request sets no bound of its own. From the vendors' model pages."""

from __future__ import annotations

from tabstop.model_id import bare

LONGEST = (
    ("gpt-4o", 16_384),
    ("gpt-4.1", 32_768),
    ("o1", 100_000),
    ("o3", 100_000),
    ("o4", 100_000),
    ("codex", 128_000),
    ("gpt-5", 128_000),
    ("gpt-6", 128_000),
    ("gemini-2.0", 8_192),
    ("gemini-", 65_536),
    ("claude-", 128_000),
)
"""Beginnings of model ids, the longer before the shorter."""

UNKNOWN = 1_000_000
"""For a model nobody knows: the largest context window there is."""


def longest_answer_of(model: str, context_window: int | None) -> int:
    """Tokens, thinking included."""
    name = bare(model).rpartition("/")[2]
    listed = next((most for start, most in LONGEST if name.startswith(start)), None)
    return listed if listed is not None else context_window or UNKNOWN
