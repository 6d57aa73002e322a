"""Routes: which requests are model calls, which may cost money and are not counted, and where each goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

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
    ("anthropic", re.compile(r"/messages$", re.IGNORECASE), PROVIDERS["anthropic"]),
    ("openai", re.compile(r"/responses(?:/compact)?$", re.IGNORECASE), PROVIDERS["openai"]),
    ("openai", re.compile(r"/chat/completions$", re.IGNORECASE), _CHAT),
    ("google", MODEL, PROVIDERS["google"]),
    ("google", re.compile(r"/openai/chat/completions$", re.IGNORECASE), _CHAT),
)

_FREE: Mapping[str, re.Pattern[str]] = {
    "anthropic": re.compile(
        r"(?:/v\d+)?/(?:messages/count_tokens|messages/batches/[\w-]+/cancel|files|oauth/token)"
        r"|/api/(?:event_logging|claude_code|claude_cli|oauth)(?:/[\w-]+)*"
    ),
    "openai": re.compile(
        r"(?:/v\d+)?/(?:files|uploads(?:/[\w-]+/(?:parts|complete|cancel))?|responses/input_tokens|(?:responses|batches)/[\w-]+/cancel"
        r"|(?:codex/)?(?:analytics|analytics-events)(?:/[\w-]+)*)"
    ),
    "google": re.compile(r"(?:/upload)?/v\d\w*/(?:files|(?:models|tunedModels)/[^/:]+:countTokens)"),
}
"""POSTs that cost nothing, by the whole path: counting, files, cancelling, and what the agents report of themselves. All others may
cost money: jobs that answer later, what is no text, and what nobody here has heard of yet.
"""


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


def read_path(written: str) -> str:
    """A path as the vendor may read it: nothing percent-encoded, no slash at its end. written: without its query."""
    return unquote(written, errors="surrogateescape").rstrip("/")


def write_path(path: str) -> str:
    """The same as it is written in a request."""
    return quote(path, safe="/:@!$&'()*+,;=~", errors="surrogateescape")


def api_of(method: str, provider: str, path: str) -> Api | None:
    """The API a request speaks; None for anything that is no model call. path: of `read_path`."""
    if method != "POST":
        return None
    return next((api for name, pattern, api in _CALLS if name == provider and pattern.search(path)), None)


def costs_uncounted(method: str, provider: str, path: str) -> bool:
    """Whether a request that is no model call may cost money. path: of `read_path`."""
    return method == "POST" and _FREE[provider].fullmatch(path) is None


def _address(environ: Mapping[str, str], name: str, usual: str) -> str:
    return environ.get(name, "").strip().rstrip("/") or usual
