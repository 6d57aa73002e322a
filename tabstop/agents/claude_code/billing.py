"""Billing: how a Claude Code session is paid for, and what says so."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from typing import Any

from tabstop.agents.claude_code.clouds import CLOUDS
from tabstop.agents.claude_code.execution_file import ExecutionResult
from tabstop.usage import Billing

_CLOUDS = {cloud.variable: cloud.name for cloud in CLOUDS}
_CLOUD_PROVIDERS = {cloud.provider.lower(): cloud.name for cloud in CLOUDS}

HIDES_KEYS = "CLAUDE_CODE_SUBPROCESS_ENV_SCRUB"
"""Set, it has the client take its keys out of the environment of what it runs, hooks among it. (Its plan's token it always takes out.)"""

_KEYS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")
"""In the order in which the client itself looks. One of them wins over a plan's token."""

_PLANS_TOKEN = "CLAUDE_CODE_OAUTH_TOKEN"  # noqa: S105 - a variable's name

VARIABLES = (*_CLOUDS, *_KEYS, _PLANS_TOKEN, HIDES_KEYS)
"""All that tell anything."""

NO = ("", "0", "false", "no", "off")
"""What a variable holds that counts as unset, in lower case."""

_PLANS = {"pro": "Pro", "max": "Max", "team": "Team"}
"""Not `enterprise`: some of those are billed per token, so that only the plan's windows tell."""

Evidence = tuple[Billing, str]
"""How it is paid for, and one sentence saying what tells so."""


def billing_of(execution: ExecutionResult | None, environment: Container[str] = ()) -> Evidence:
    """Judge from what the run said of itself and from which variables are set (names only; values are never looked at).

    A cloud comes first: its runs use none of Anthropic's keys, and the client says `apiKeySource: none` as for a plan.
    """
    served_by = _CLOUD_PROVIDERS.get(execution.provider.lower()) if execution else None
    if served_by:
        return Billing.API, f"the client was served by {served_by}, which bills per token"
    for name, cloud in _CLOUDS.items():
        if name in environment:
            return Billing.API, f"{name} is set: {cloud} bills per token"
    source = execution.api_key_source if execution else ""
    if source not in {"", "none", "oauth"}:
        return Billing.API, f"the client used an API key (apiKeySource {source}): billed per token"
    for name in _KEYS:
        if name in environment and source != "oauth":
            return Billing.API, f"{name} is set: billed per token"
    if execution is not None and execution.rate_limited:
        return Billing.SUBSCRIPTION, "the client told of a plan's rate limits"
    if source:
        return Billing.SUBSCRIPTION, f"the client used no API key (apiKeySource {source}): the session runs on a plan"
    if _PLANS_TOKEN in environment:
        return Billing.SUBSCRIPTION, f"{_PLANS_TOKEN} is set and no API key: the session runs on a plan"
    return Billing.UNKNOWN, "nothing says how this session is paid for"


def laptop_billing(
    environment: frozenset[str],
    settings: Collection[Mapping[str, Any]],
    login: Mapping[str, Any],
    *,
    told_windows: bool,
) -> Evidence:
    """Judge before the session begins, as the client chooses: clouds and keys first, then a plan.

    environment: names. settings: the client's `settings.json` files. login: `claudeAiOauth` of its `.credentials.json`.
    told_windows: whether its status line told of a plan's windows lately.
    """
    stated = billing_of(None, environment.union(*(_names(one.get("env")) for one in settings)))
    if stated[0] is not Billing.API and any(one.get("apiKeyHelper") for one in settings):
        return Billing.API, "apiKeyHelper is set: billed per token"
    if stated[0] is not Billing.UNKNOWN:
        return stated
    plan = login.get("subscriptionType")
    if isinstance(plan, str) and plan in _PLANS:
        return Billing.SUBSCRIPTION, f"Claude Code is logged in with a {_PLANS[plan]} plan"
    if told_windows:
        return Billing.SUBSCRIPTION, "Claude Code's status line told of a plan's windows within the last week"
    return Billing.UNKNOWN, ""


def _names(env: object) -> Collection[str]:
    """Variables that a settings file sets, by the rule for any environment."""
    return set_names({name: str(value) for name, value in env.items()}) if isinstance(env, Mapping) else ()


def set_names(environ: Mapping[str, str]) -> frozenset[str]:
    """The variables that are set, and not to nothing or to a no: the client takes `CLAUDE_CODE_USE_BEDROCK=0` as unset."""
    return frozenset(name for name, value in environ.items() if value.strip().lower() not in NO)
