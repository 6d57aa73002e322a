"""Thinking: how little of it each model can be asked for in a last answer, where it would take the place of the answer.

As the vendors document it (November 2026); a model that is not listed is asked as before. What a vendor refuses all the same is
sent again with the thinking it came with.
"""

from __future__ import annotations

import re
from typing import Any

from tabstop.agents.claude_code.rows import mapping
from tabstop.beside.proxy.call import Body, objects
from tabstop.model_id import bare

_ALWAYS = re.compile(r"claude-(?:fable|mythos)-|claude-opus-5-5")
"""https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting: `disabled` is refused with 400."""

_EFFORTS = (
    (re.compile(r"gpt-5(?:\.\d+)?-(?:pro|chat)"), ""),
    (re.compile(r"gpt-5\S*-codex-mini|codex-mini"), "medium"),
    (re.compile(r"gpt-5\S*-codex|o\d"), "low"),
    (re.compile(r"gpt-5\.\d"), "none"),
    (re.compile(r"gpt-5"), "minimal"),
)
"""https://platform.openai.com/docs/guides/reasoning: the lowest effort of each family; the first that fits counts."""

_BUDGETS = ((re.compile(r"gemini-2\.5-pro"), 128), (re.compile(r"gemini-2\.5-flash"), 0))
"""https://ai.google.dev/gemini-api/docs/thinking: the smallest `thinkingBudget`; Gemini 3 takes levels instead."""

_LEVELS = re.compile(r"gemini-[3-9]")


def _name(model: str) -> str:
    return bare(model).rpartition("/")[2]


def always_thinks(model: str) -> bool:
    """Whether Anthropic's model cannot be told to leave it."""
    return _ALWAYS.search(_name(model)) is not None


def without_thinking(body: Body) -> Body:
    """A request of Anthropic's Messages API. What needs thinking goes with it: clearing it, and efforts that ask for much."""
    body = dict(body)
    config = mapping(body.get("output_config"))
    if config.get("effort"):
        body["output_config"] = {**config, "effort": "low"}
    model = str(body.get("model"))
    if always_thinks(model):
        return body
    body["thinking"] = {"type": "between_tools" if "claude-sonnet-5-5" in _name(model) else "disabled"}
    managed = body.get("context_management")
    if isinstance(managed, dict):
        edits = [one for one in objects(managed.get("edits")) if not str(one.get("type")).startswith("clear_thinking")]
        body["context_management"] = {**managed, "edits": edits}
        if not edits:
            del body["context_management"]
    return body


def least_effort(model: str) -> str:
    """OpenAI's word for the least reasoning this model takes; empty where it is not known to take any."""
    name = _name(model)
    return next((word for pattern, word in _EFFORTS if pattern.match(name)), "")


def least_budget(model: str) -> int | None:
    """Google's smallest `thinkingBudget` of this model; None where it is not known."""
    name = _name(model)
    return next((tokens for pattern, tokens in _BUDGETS if pattern.match(name)), None)


def little_thinking(model: str, config: Body) -> Body:
    """A `thinkingConfig` of Google's, in either spelling, with as little of it as this model takes."""
    budget = least_budget(model)
    if budget is None and not _LEVELS.match(_name(model)):
        return config
    names = {"thinkingBudget", "thinking_budget", "thinkingLevel", "thinking_level"}
    rest: dict[str, Any] = {name: value for name, value in config.items() if name not in names}
    return {**rest, "thinkingLevel": "low"} if budget is None else {**rest, "thinkingBudget": budget}
