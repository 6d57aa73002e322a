"""Pointing agents at the proxy: what their environments and command lines need. Standard library only: `tabstop run` uses it always."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping

from tabstop.agents.claude_code.clouds import CLOUDS

TOKEN_HEADER = "X-Tabstop-Token"  # noqa: S105 - a name
TOKEN = "TABSTOP_PROXY_TOKEN"  # noqa: S105 - the variable's name

_ELSEWHERE = {
    **{cloud.variable: ("claude-code", f"Claude Code asks {cloud.name}") for cloud in CLOUDS if cloud.own_address},
    "GOOGLE_GENAI_USE_VERTEXAI": ("gemini", "Gemini CLI asks Google Vertex AI"),
    "GOOGLE_GENAI_USE_GCA": ("gemini", "Gemini CLI asks with a Google account"),
}
"""Variables that lead an agent past the proxy, which one, and where to."""


def environ_for(address: str, token: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What an agent's environment needs besides `environ`, so that it asks the proxy at this address."""
    base = f"{address}/{token}"
    found = {
        "ANTHROPIC_BASE_URL": f"{base}/anthropic",
        "OPENAI_BASE_URL": f"{base}/openai/v1",
        "GOOGLE_GEMINI_BASE_URL": f"{base}/google",
        "OPENCODE_CONFIG_CONTENT": _opencode(base, environ.get("OPENCODE_CONFIG_CONTENT", "")),
        TOKEN: token,
    }
    for name in ("NO_PROXY", "no_proxy"):
        before = environ.get(name, "")
        if before or any(one in environ for one in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")):
            found[name] = f"{before},127.0.0.1".removeprefix(",")
    return found


def codex_arguments(address: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What goes behind `codex`: it takes a vendor's address from its configuration only. Arguments are seen by every user of a
    machine, so the token is not among them: Codex reads it from the environment.
    """
    key = 'env_key="OPENAI_API_KEY"' if environ.get("OPENAI_API_KEY") else "requires_openai_auth=true"
    provider = (
        f'{{name="Tabstop", base_url="{address}/openai/v1", wire_api="responses", {key}, '
        f'env_http_headers={{"{TOKEN_HEADER}"="{TOKEN}"}}}}'
    )
    return ("-c", 'model_provider="tabstop"', "-c", f"model_providers.tabstop={provider}")


def listen(port: int = 0) -> socket.socket:
    """A socket on loopback for `running_proxy`, so that its address is known before. port: 0 for any. Raises `OSError`."""
    found = socket.create_server(("127.0.0.1", port))
    found.setblocking(False)
    return found


def address_of(listener: socket.socket) -> str:
    """`http://127.0.0.1:PORT`."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def goes_elsewhere(environ: Mapping[str, str], agent: str = "") -> tuple[str, ...]:
    """A sentence for each variable that leads an agent past the proxy. agent: only for this one, as its hooks are installed."""
    return tuple(
        f"{name} is set: {whom}, not the proxy, and what it uses is not bounded here."
        for name, (who, whom) in _ELSEWHERE.items()
        if agent in {"", who} and environ.get(name, "").lower() not in {"", "0", "false"}
    )


def _opencode(base: str, given: str) -> str:
    """OpenCode's configuration, with what the environment has of it already."""
    try:
        config = json.loads(given) if given else {}
    except ValueError:
        config = {}
    config = config if isinstance(config, dict) else {}
    providers = config.setdefault("provider", {})
    for provider, version in (("anthropic", "v1"), ("openai", "v1"), ("google", "v1beta")):
        options = providers.setdefault(provider, {}).setdefault("options", {})
        options["baseURL"] = f"{base}/{provider}/{version}"
    return json.dumps(config)
