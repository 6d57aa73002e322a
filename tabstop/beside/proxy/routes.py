"""Routes: which requests are model calls, which cost money and are not counted, and where each goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tabstop.beside.proxy.anthropic_messages import AnthropicMessages
from tabstop.beside.proxy.call import Api
from tabstop.beside.proxy.gemini_generate import MODEL, GeminiGenerate
from tabstop.beside.proxy.openai_chat import OpenAiChat
from tabstop.beside.proxy.openai_responses import OpenAiResponses

PROVIDERS: Mapping[str, Api] = {
    "anthropic": AnthropicMessages(),
    "openai": OpenAiResponses(),
    "google": GeminiGenerate(),
}
"""By the first word of the path; whose errors look how."""

_CHAT = OpenAiChat()

_CALLS: tuple[tuple[str, re.Pattern[str], Api], ...] = (
    ("anthropic", re.compile(r"/messages$"), PROVIDERS["anthropic"]),
    ("openai", re.compile(r"/responses(?:/compact)?$"), PROVIDERS["openai"]),
    ("openai", re.compile(r"/chat/completions$"), _CHAT),
    ("google", MODEL, PROVIDERS["google"]),
    ("google", re.compile(r"/openai/chat/completions$"), _CHAT),
)

_UNCOUNTED = re.compile(
    r"/(?:batches|complete|completions|embeddings|images/\w+|audio/\w+|videos|realtime\S*|moderations|fine_tuning/jobs|interactions)$"
    r"|:(?:predict|predictLongRunning|embedContent|batchEmbedContents|asyncBatchEmbedContent|batchGenerateContent|generateAnswer)$"
)
"""POSTs that cost money and are not counted: jobs that answer later, and what is no text."""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Where requests go, without a slash at the end. chatgpt: where Codex goes when it is signed in with a plan."""

    anthropic: str = "https://api.anthropic.com"
    openai: str = "https://api.openai.com"
    google: str = "https://generativelanguage.googleapis.com"
    chatgpt: str = "https://chatgpt.com/backend-api/codex"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Upstreams:
        """What the agents would have asked without a proxy: a gateway named in the environment stays in use."""
        usual = cls()
        openai = _address(environ, "OPENAI_BASE_URL", usual.openai)
        return cls(
            anthropic=_address(environ, "ANTHROPIC_BASE_URL", usual.anthropic),
            openai=openai.removesuffix("/v1"),
            google=_address(environ, "GOOGLE_GEMINI_BASE_URL", usual.google),
        )

    def url(self, provider: str, path: str, headers: Mapping[str, str]) -> str:
        """The address of one request; path with its query. Codex on a plan says whose account it is, and has its own address."""
        if provider == "openai" and "ChatGPT-Account-ID" in headers and self.openai == Upstreams().openai:
            return self.chatgpt + path.removeprefix("/v1")
        base: str = getattr(self, provider)
        return base + path


def api_of(method: str, provider: str, path: str) -> Api | None:
    """The API a request speaks; None for anything that is no model call."""
    if method != "POST":
        return None
    return next((api for name, pattern, api in _CALLS if name == provider and pattern.search(path)), None)


def costs_uncounted(method: str, path: str) -> bool:
    """Whether a request costs money in a way that is not counted."""
    return method == "POST" and _UNCOUNTED.search(path) is not None


def _address(environ: Mapping[str, str], name: str, usual: str) -> str:
    return environ.get(name, "").strip().rstrip("/") or usual
