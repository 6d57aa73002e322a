"""A session of Codex led to a proxy: it keeps the provider it began with, and only that one's address can be another.

Tried on Codex 0.169: *Cannot change this thread's model provider on resume*.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tabstop.agents.claude_code.rows import ident, mapping
from tabstop.agents.codex.finding import session_meta
from tabstop.beside.proxy.codex_config import BUILT_IN, OPENAI, NotLedError, home_of, merge, overrides_of, read, take
from tabstop.beside.proxy.pointing import TOKEN, TOKEN_HEADER, codex_arguments

_OURS = "tabstop"
"""The provider of a session that began behind the proxy."""


@dataclass(frozen=True, slots=True)
class Led:
    """A resumed agent on its way to the proxy. argv: without it, the session and the prompt last. provider: of Codex, empty for
    others. environ: says where the vendor is, for the proxy. version: what of the vendor's address the agent adds itself.
    """

    argv: tuple[str, ...]
    environ: Mapping[str, str]
    provider: str = ""
    version: str = ""

    def command(self, address: str, token: str) -> tuple[str, ...]:
        """Its command line, for the proxy at this address. What is said last counts.

        The built-in provider takes no headers, so its address holds the token. Users of this machine may see that, and could ask
        in place of this session, with a key of their own.
        """
        if not self.provider:
            return self.argv
        name = f"model_providers.{self.provider}"
        leads: tuple[str, ...] = (
            *("-c", f'{name}.base_url="{address}/openai{self.version}"'),
            *("-c", f'{name}.env_http_headers.{TOKEN_HEADER}="{TOKEN}"'),
        )
        if self.provider == _OURS:
            leads = codex_arguments(address, self.environ)
        elif self.provider == BUILT_IN:
            leads = ("-c", f'openai_base_url="{address}/{token}/openai{self.version}"')
        return (*self.argv[:-2], *leads, *self.argv[-2:])


def led_to_proxy(argv: tuple[str, ...], session: str, environ: Mapping[str, str]) -> Led | None:
    """How to lead this session there. None for one of Codex of which it is not known whom it asks.

    argv: the agent's command line, as `CommandLine.last_answer` has it.
    """
    if argv[1:3] != ("exec", "resume"):
        return Led(argv, environ)  # all others take it from their environment
    home = home_of(environ)
    rollout = next(iter(home.glob(f"sessions/*/*/*/rollout-*{session}.jsonl")), None)
    provider = ident((session_meta(rollout) or {}).get("model_provider")) if rollout is not None else ""
    if provider == _OURS:
        return Led(argv, environ, provider)
    config: dict[str, Any] = {}
    with suppress(NotLedError):
        merge(config, read(home / "config.toml"))
    take(config, overrides_of(argv))
    vendor = mapping(mapping(config.get("model_providers")).get(provider)).get("base_url")
    if provider == BUILT_IN:
        vendor = config.get("openai_base_url") or environ.get("OPENAI_BASE_URL") or OPENAI
    if not provider or not isinstance(vendor, str) or not vendor:
        return None
    version = "/v1" if vendor.rstrip("/").endswith("/v1") else ""
    return Led(argv, {**environ, "OPENAI_BASE_URL": vendor}, provider, version)
