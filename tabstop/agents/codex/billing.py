"""Billing: how a Codex session is paid for, by its client's login. As Codex 0.169.0 chooses among what it finds."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from tabstop.usage import Billing

_KEY = "CODEX_API_KEY"

VARIABLES = (_KEY,)
"""All that tell anything."""

_PLAN_LOGINS = {"chatgpt", "chatgptAuthTokens"}


def billing_of(environment: Container[str], config: Mapping[str, Any], auth: Mapping[str, Any]) -> tuple[Billing, str]:
    """Judge by variables (names only), `config.toml` and `auth.json`; with one sentence saying what tells so.

    OPENAI_API_KEY in the environment says nothing: the client does not use it. Of a login without `auth_mode` the key wins.
    """
    profile = config.get("profile")
    profiles = config.get("profiles")
    chosen = profiles.get(profile) if isinstance(profiles, Mapping) and isinstance(profile, str) else None
    provider = (chosen.get("model_provider") if isinstance(chosen, Mapping) else None) or config.get("model_provider")
    if provider not in {None, "openai"}:
        return Billing.UNKNOWN, ""
    if _KEY in environment:
        return Billing.API, f"{_KEY} is set: billed per token"
    mode = auth.get("auth_mode")
    if mode == "apikey" or (mode is None and auth.get("OPENAI_API_KEY")):
        return Billing.API, "Codex is logged in with an API key: billed per token"
    if auth.get("tokens") and (mode is None or mode in _PLAN_LOGINS):
        return Billing.SUBSCRIPTION, "Codex is logged in with ChatGPT: the session runs on a plan"
    return Billing.UNKNOWN, ""
