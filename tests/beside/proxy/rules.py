"""Rules of a session for tests of what the proxy makes of them, and a tool in each API's words."""

from __future__ import annotations

from tabstop.governor.settings import (
    Degradation,
    Settings,
)
from tabstop.session import Limits

TOOL = {
    "anthropic": {"name": "Bash", "input_schema": {"type": "object"}},
    "responses": {"type": "function", "name": "Bash", "parameters": {}},
    "chat": {"type": "function", "function": {"name": "Bash", "parameters": {}}},
    "gemini": {"functionDeclarations": [{"name": "Bash"}]},
}


APIS = tuple(TOOL)


NO_LADDER = Degradation(ladder=())


def settings(limits: Limits, **rules: object) -> Settings:
    return Settings(session="s1", limits=limits, **rules)  # type: ignore[arg-type]


def output_of(body: dict[str, object], api: str) -> object:
    if api == "gemini":
        return body["generationConfig"]["maxOutputTokens"]  # type: ignore[index]
    return body[{"anthropic": "max_tokens", "responses": "max_output_tokens", "chat": "max_tokens"}[api]]
