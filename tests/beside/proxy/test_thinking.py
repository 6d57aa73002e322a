"""How little thinking each model takes, as its vendor documents it."""

from __future__ import annotations

from typing import Any

import pytest

from tabstop.beside.proxy.anthropic_messages import AnthropicMessages
from tabstop.beside.proxy.gemini_generate import GeminiGenerate
from tabstop.beside.proxy.thinking import least_effort, little_thinking, without_thinking

EDITS = [{"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}]


@pytest.mark.parametrize(
    ("model", "thinking", "expected"),
    [
        ("claude-sonnet-4-5-20250929", {"type": "enabled", "budget_tokens": 9}, {"type": "disabled"}),
        ("claude-opus-5", {"type": "adaptive"}, {"type": "disabled"}),
        ("claude-opus-5", None, {"type": "disabled"}),
        ("claude-sonnet-5-5", {"type": "adaptive"}, {"type": "between_tools"}),
        ("claude-opus-5-5[1m]", {"type": "adaptive"}, {"type": "adaptive"}),
        ("anthropic/claude-fable-5-1", None, None),
        ("claude-mythos-preview", {"type": "enabled", "budget_tokens": 9}, {"type": "enabled", "budget_tokens": 9}),
    ],
)
def test_anthropic(model: str, thinking: dict[str, Any] | None, expected: dict[str, Any] | None) -> None:
    """Off, where the model can be told so."""
    asked = {"model": model} if thinking is None else {"model": model, "thinking": thinking}
    assert without_thinking(asked).get("thinking") == expected


def test_what_needs_thinking_goes_with_it() -> None:
    """Clearing it is refused without; so is `disabled` with the efforts that ask for most."""
    asked = {
        "model": "claude-opus-5",
        "output_config": {"effort": "max", "format": 1},
        "context_management": {"edits": EDITS},
    }
    sent = without_thinking(asked)
    assert sent["context_management"] == {"edits": EDITS[1:]}
    assert sent["output_config"] == {"effort": "low", "format": 1}
    assert without_thinking({**asked, "context_management": {"edits": EDITS[:1]}}).get("context_management") is None
    assert without_thinking({**asked, "model": "claude-opus-5-5"})["context_management"] == {"edits": EDITS}
    assert asked["context_management"] == {"edits": EDITS}


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("gpt-5.5-2026-04-23", "none"),
        ("gpt-5.1", "none"),
        ("gpt-5", "minimal"),
        ("gpt-5-mini", "minimal"),
        ("gpt-5-codex", "low"),
        ("gpt-5.3-codex", "low"),
        ("gpt-5.1-codex-mini", "medium"),
        ("gpt-5-pro", ""),
        ("o3", "low"),
        ("openai/o4-mini", "low"),
        ("gpt-4o", ""),
        ("somebody-s-model", ""),
    ],
)
def test_openai(model: str, effort: str) -> None:
    """The lowest effort of its family; a model nobody knows is asked as it was."""
    assert least_effort(model) == effort


@pytest.mark.parametrize(
    ("model", "config", "expected"),
    [
        ("gemini-2.5-flash-lite", {"includeThoughts": True}, {"includeThoughts": True, "thinkingBudget": 0}),
        ("gemini-2.5-pro", {"thinking_budget": 9_000}, {"thinkingBudget": 128}),
        ("gemini-3-pro-preview", {"thinkingBudget": 9_000}, {"thinkingLevel": "low"}),
        ("gemini-2.0-flash", {}, {}),
    ],
)
def test_google(model: str, config: dict[str, Any], expected: dict[str, Any]) -> None:
    """The smallest budget, or the lowest level that all of Gemini 3 take."""
    assert little_thinking(model, config) == expected


@pytest.mark.parametrize(
    ("model", "thinking", "left"),
    [("claude-sonnet-4-5", 9_000, 0), ("claude-mythos-preview", 9_000, 9_000)],
)
def test_what_is_left_of_a_budget_at_anthropic(model: str, thinking: int, left: int) -> None:
    """All of it where it cannot be put away."""
    asked = {"model": model, "thinking": {"type": "enabled", "budget_tokens": thinking}}
    call = AnthropicMessages().read("", asked)
    assert (call.thinking, call.least_thinking) == (thinking, left)


@pytest.mark.parametrize(("model", "left"), [("gemini-2.5-flash", 0), ("gemini-2.5-pro", 128), ("gemma", 9_000)])
def test_what_is_left_of_a_budget_at_google(model: str, left: int) -> None:
    """The smallest it takes."""
    asked = {"generationConfig": {"thinkingConfig": {"thinkingBudget": 9_000}}}
    call = GeminiGenerate().read(f"/v1beta/models/{model}:generateContent", asked)
    assert (call.thinking, call.least_thinking) == (9_000, left)
