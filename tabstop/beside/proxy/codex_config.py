"""Whom Codex asks, by its own configuration: the provider's name, its address, and how to lead it to the proxy instead.

https://developers.openai.com/codex/config-advanced; tried on Codex 0.169. What is said later counts: the machine's file, the user's,
the profile's, the command line. A repository's own file cannot name a provider.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from tabstop.agents.claude_code.rows import mapping
from tabstop.agents.command_line import has, value_of
from tabstop.beside.proxy.pointing import TOKEN, TOKEN_HEADER, codex_arguments

BUILT_IN = "openai"
OPENAI = "https://api.openai.com/v1"

_MACHINE = Path("/etc/codex/config.toml")
_KEY = re.compile(r"[A-Za-z0-9_-]+")
"""What a name may be to be spelled in `-c model_providers.NAME.…`."""


class NotLedError(ValueError):
    """Codex cannot be led to the proxy; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class CodexProvider:
    """Whom Codex asks. vendor: the address; empty where the built-in provider is left as it is."""

    name: str = BUILT_IN
    vendor: str = ""

    @property
    def version(self) -> str:
        """What of the vendor's address Codex is to add itself: the proxy's own has none."""
        return "/v1" if self.vendor.rstrip("/").endswith("/v1") else ""

    def arguments(self, address: str, environ: Mapping[str, str]) -> tuple[str, ...]:
        """What goes behind `codex`, so that it asks the proxy at this address. A provider keeps its name, its key and its headers."""
        if self.name == BUILT_IN:
            return codex_arguments(address, environ)
        name = f"model_providers.{self.name}"
        return (
            *("-c", f'{name}.base_url="{address}/openai{self.version}"'),
            *("-c", f'{name}.env_http_headers.{TOKEN_HEADER}="{TOKEN}"'),
        )

    def upstream(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment the proxy asks the vendor by."""
        return {**environ, "OPENAI_BASE_URL": self.vendor} if self.vendor else dict(environ)


def codex_provider(argv: Sequence[str], environ: Mapping[str, str], machine: Path = _MACHINE) -> CodexProvider:
    """Whom this command line of Codex would ask. Raises `NotLedError`, also where a file cannot be read."""
    if has(argv, "--oss", "--local-provider"):
        raise NotLedError(
            "--oss has Codex ask a model on this machine, past the proxy. Leave that option or --proxy away."
        )
    home = home_of(environ)
    config: dict[str, Any] = {}
    profile = value_of(argv, "--profile", "-p")
    for file in (machine, home / "config.toml", *([home / f"{profile}.config.toml"] if profile else [])):
        merge(config, read(file))
    take(config, overrides_of(argv))
    name = config.get("model_provider", BUILT_IN)
    if name == BUILT_IN:
        address = config.get("openai_base_url")
        return CodexProvider(vendor=address if isinstance(address, str) else "")
    table = mapping(config.get("model_providers")).get(name) if isinstance(name, str) else None
    if not isinstance(table, dict) or not _KEY.fullmatch(str(name)):
        raise NotLedError(
            f"Codex's configuration names the model provider {name!r}, which cannot be led through the proxy. Name one with an "
            "address in [model_providers], of letters, digits, - and _, or leave --proxy away."
        )
    vendor = table.get("base_url") or OPENAI
    if not isinstance(vendor, str) or not vendor.startswith(("http://", "https://")):
        raise NotLedError(
            f"The model provider {name} in Codex's configuration has no address that is a URL: {vendor!r}."
        )
    return CodexProvider(name, vendor)


def home_of(environ: Mapping[str, str]) -> Path:
    """Where Codex keeps its files."""
    return Path(environ.get("CODEX_HOME") or PurePath(environ.get("HOME") or "/") / ".codex")


def overrides_of(argv: Sequence[str]) -> list[str]:
    """What the command line says of the configuration, each as `name=value`."""
    options = argv[: argv.index("--")] if "--" in argv else argv
    found: list[str] = []
    for at, word in enumerate(options):
        if word in {"-c", "--config"}:
            found += options[at + 1 : at + 2]
        elif word.startswith("--config="):
            found.append(word.partition("=")[2])
        elif word.startswith("-c") and "=" in word:
            found.append(word[2:])
    return found


def take(config: dict[str, Any], overrides: Iterable[str]) -> None:
    """Put them into it. A value that is no TOML is text, as Codex has it."""
    for one in overrides:
        name, _, value = one.partition("=")
        more: Any
        try:
            more = tomllib.loads(f"value = {value}")["value"]
        except ValueError:
            more = value.strip().strip("\"'")
        for key in reversed(name.strip().split(".")):
            more = {key: more}
        merge(config, more)


def merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """What the later one says counts."""
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        else:
            into[name] = value


def read(file: Path) -> dict[str, Any]:
    """A file of its configuration; empty where there is none. Raises `NotLedError`."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise NotLedError(f"Whom Codex asks is not known: {file} cannot be read ({error}).") from error
