"""The vendors' APIs as tests of what is read of them name them, without a network."""

from __future__ import annotations

from typing import Any

from tabstop.beside.proxy.anthropic_messages import AnthropicMessages
from tabstop.beside.proxy.call import Call
from tabstop.beside.proxy.gemini_generate import GeminiGenerate
from tabstop.beside.proxy.openai_chat import OpenAiChat
from tabstop.beside.proxy.openai_responses import OpenAiResponses

ANTHROPIC, RESPONSES, CHAT, GEMINI = AnthropicMessages(), OpenAiResponses(), OpenAiChat(), GeminiGenerate()
GEMINI_PATH = "/v1beta/models/g:generateContent"


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    """A message of Anthropic's."""
    return {"role": "user", "content": list(blocks)}


def size(call: Call) -> int:
    """Bytes of everything that is read of a request."""
    return sum(part.size for part in call.parts)
