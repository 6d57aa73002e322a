"""The real agents: how each is started against a fake vendor with everything else it would call switched off, and what cannot be done to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.real_agents.endless_model import Tool
from tests.real_agents.installed import Package
from tests.real_agents.invoice import Limit


class Attach(StrEnum):
    """Where Tabstop sits."""

    HOOKS = "hooks"
    WRAPPER = "wrapper"
    PROXY = "proxy"


@dataclass(frozen=True)
class Agent:
    """One agent.

    key: as it is named in AGENTS. hooks: as `tabstop install` names it; empty where it has none. cost: a limit that its fifth
    answer reaches. files: from the vendor's address to what lies in its home. never_ends: why its hooks cannot end a turn.
    time_only: why the wrapper sees nothing but its time.
    """

    key: str
    name: str
    package: Package
    argv: tuple[str, ...]
    cost: str
    tool: Tool
    files: Callable[[str], Mapping[str, str]] = lambda _url: {}
    environ: Mapping[str, str] = field(default_factory=dict)
    hooks: str = ""
    never_ends: str = ""
    time_only: str = ""

    def cannot(self, attach: Attach, limit: Limit) -> str:
        """Why this cannot be tried; empty when it can."""
        if attach is Attach.HOOKS and not self.hooks:
            return "it has plugins instead of hooks, and there is none of ours"
        if attach is Attach.WRAPPER and limit is not Limit.WALL_CLOCK:
            return self.time_only
        return ""

    def most_after(self, attach: Attach) -> int | None:
        """Calls that may begin after the limit; None for no bound."""
        if attach is Attach.HOOKS and self.never_ends:
            return None
        return 0 if attach is Attach.PROXY else 1


def _bash(name: str, argument: str) -> Tool:
    return lambda command: (name, {argument: command, "description": "One more step"})


def _put(home: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def furnish(agent: Agent, home: Path, url: str) -> dict[str, str]:
    """Write its settings into an empty home; what its environment needs, so that it asks nobody but the vendor at `url`."""
    _put(home, agent.files(url))
    return {
        **agent.environ,
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "sk-ant-none",
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_KEY": "sk-none",
        "GOOGLE_GEMINI_BASE_URL": url,
        "GEMINI_API_KEY": "none",
        "NPM_CONFIG_REGISTRY": url,  # OpenCode looks for its plugins' library there, whatever it is told
    }


def _codex_files(url: str) -> dict[str, str]:
    config = f"""\
model = "gpt-5.5"
model_provider = "vendor"
check_for_update_on_startup = false
[model_providers.vendor]
name = "vendor"
base_url = "{url}/v1"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
[features]
plugins = false
apps = false
[analytics]
enabled = false
[otel]
metrics_exporter = "none"
"""
    return {".codex/config.toml": config}


def _gemini_files(_url: str) -> dict[str, str]:
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
    }
    return {".gemini/settings.json": json.dumps(settings)}


def _opencode_files(url: str) -> dict[str, str]:
    config = {
        "autoupdate": False,
        "share": "disabled",
        "model": "anthropic/claude-sonnet-4-5",
        "small_model": "anthropic/claude-haiku-4-5",
        "provider": {"anthropic": {"options": {"baseURL": f"{url}/v1", "apiKey": "sk-ant-none"}}},
    }
    return {".config/opencode/opencode.json": json.dumps(config)}


# Claude Code takes no --dangerously-skip-permissions from root; an allowed tool serves both.
_CLAUDE = ("claude", "-p", "Go on until there is nothing left to do.", "--model", "claude-sonnet-4-5",
           "--permission-mode", "acceptEdits", "--allowedTools", "Bash")  # fmt: skip
_CODEX = ("codex", "exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
          "--dangerously-bypass-hook-trust", "Go on until there is nothing left to do.")  # fmt: skip
_GEMINI = ("gemini", "-p", "Go on until there is nothing left to do.", "--skip-trust", "-y", "-m", "gemini-2.5-pro")
_OPENCODE = ("opencode", "run", "--format", "json", "--auto", "Go on until there is nothing left to do.")

AGENTS = (
    Agent(
        "claude",
        "Claude Code",
        Package("@anthropic-ai/claude-code", "2.1.330", "claude", ("@anthropic-ai/claude-code",)),
        _CLAUDE,
        "$1.40",
        _bash("Bash", "command"),
        environ={
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
        hooks="claude-code",
    ),
    Agent(
        "codex",
        "Codex",
        Package("@openai/codex", "0.169.0", "codex"),
        _CODEX,
        "$2.40",
        lambda command: ("exec_command", {"cmd": command}),
        files=_codex_files,
        hooks="codex",
        never_ends="a hook cannot end its turn: it refuses every tool, and the model ends it, or not",
    ),
    Agent(
        "gemini",
        "Gemini CLI",
        Package("@google/gemini-cli", "0.61.0", "gemini"),
        _GEMINI,
        "$0.60",
        _bash("run_shell_command", "command"),
        files=_gemini_files,
        hooks="gemini",
    ),
    Agent(
        "opencode",
        "OpenCode",
        Package("opencode-ai", "1.18.33", "opencode", ("opencode-ai",)),
        _OPENCODE,
        "$1.40",
        _bash("bash", "command"),
        files=_opencode_files,
        environ={
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_PURE": "1",
        },
        time_only="the wrapper sees only its time; use the proxy",
    ),
)
