"""Who pays for a session on this machine: by variables, the client's own login and settings, what its status line told; else unknown."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tabstop.beside.gauge_file import keep_gauges, machine_gauges
from tabstop.beside.payer import LONGEST_FILE, StartedWith, payer_of
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.usage import Billing
from tests.governor.builders import at

API, PLAN, UNKNOWN = Billing.API, Billing.SUBSCRIPTION, Billing.UNKNOWN
CREDENTIALS, SETTINGS = ".claude/.credentials.json", ".claude/settings.json"
MAX = {"claudeAiOauth": {"accessToken": "x", "subscriptionType": "max"}}
CHATGPT = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": {"id_token": "x"}}
AUTH, CONFIG = ".codex/auth.json", ".codex/config.toml"


def paid(home: Path, agent: str, environ: Mapping[str, str], files: Mapping[str, Any]) -> tuple[Billing, str]:
    """files: by path in the home folder; text, or what is written as JSON."""
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return payer_of(agent, str(home / "work"), {"HOME": str(home), **environ}, at(0))


@pytest.mark.parametrize(
    ("environ", "files", "billing"),
    [
        ({}, {}, UNKNOWN),
        ({}, {CREDENTIALS: MAX}, PLAN),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, {CREDENTIALS: MAX}, API),
        ({"CLAUDE_CODE_USE_BEDROCK": "0"}, {CREDENTIALS: MAX}, PLAN),
        ({"ANTHROPIC_API_KEY": "k"}, {CREDENTIALS: MAX}, API),
        ({"ANTHROPIC_API_KEY": ""}, {CREDENTIALS: MAX}, PLAN),
        ({"ANTHROPIC_AUTH_TOKEN": "k"}, {}, API),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "k"}, {}, PLAN),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "k"}, {SETTINGS: {"apiKeyHelper": "key"}}, API),
        ({}, {CREDENTIALS: MAX, SETTINGS: {"env": {"CLAUDE_CODE_USE_VERTEX": "true"}, "apiKeyHelper": "key"}}, API),
        ({}, {CREDENTIALS: MAX, SETTINGS: {"env": ["ANTHROPIC_API_KEY"]}}, PLAN),
        ({}, {CREDENTIALS: MAX, "work/.claude/settings.local.json": {"apiKeyHelper": "key"}}, API),
        ({}, {CREDENTIALS: {"claudeAiOauth": {"subscriptionType": "enterprise"}}}, UNKNOWN),
        ({}, {CREDENTIALS: {"claudeAiOauth": {"subscriptionType": ["max"]}}}, UNKNOWN),
        ({}, {CREDENTIALS: {"claudeAiOauth": "max"}}, UNKNOWN),
        ({"CLAUDE_CODE_SUBPROCESS_ENV_SCRUB": "1"}, {CREDENTIALS: MAX}, PLAN),
        ({}, {CREDENTIALS: "[]"}, UNKNOWN),
        ({}, {CREDENTIALS: "{"}, UNKNOWN),
        ({}, {CREDENTIALS: MAX, SETTINGS: "[" * 100_000}, UNKNOWN),
        ({}, {CREDENTIALS: MAX, SETTINGS: " " * (LONGEST_FILE + 1)}, UNKNOWN),
        ({"CLAUDE_CONFIG_DIR": "~/.claude,~/.other"}, {CREDENTIALS: MAX}, UNKNOWN),
        ({"HOME": "", "ANTHROPIC_API_KEY": "k"}, {}, API),
        ({"HOME": ""}, {CREDENTIALS: MAX}, UNKNOWN),
    ],
)
def test_claude_code(tmp_path: Path, environ: dict[str, str], files: dict[str, Any], billing: Billing) -> None:
    """Clouds and keys before a plan; what cannot be read leaves it unknown. What is known is said in a sentence."""
    found, evidence = paid(tmp_path, "claude-code", environ, files)
    assert (found, bool(evidence)) == (billing, billing is not UNKNOWN)


@pytest.mark.parametrize(
    ("environ", "files", "billing"),
    [
        ({}, {}, UNKNOWN),
        ({}, {AUTH: CHATGPT}, PLAN),
        ({"OPENAI_API_KEY": "k"}, {AUTH: CHATGPT}, PLAN),
        ({"OPENAI_API_KEY": "k"}, {}, UNKNOWN),
        ({"CODEX_API_KEY": "k"}, {AUTH: CHATGPT}, API),
        ({}, {AUTH: {"auth_mode": "apikey", "OPENAI_API_KEY": "k"}}, API),
        ({}, {AUTH: {"OPENAI_API_KEY": "k", "tokens": {"id_token": "x"}}}, API),
        ({}, {AUTH: {"tokens": {"id_token": "x"}}}, PLAN),
        ({}, {AUTH: {"auth_mode": "agentIdentity", "tokens": {"id_token": "x"}}}, UNKNOWN),
        ({}, {AUTH: CHATGPT, CONFIG: 'model_provider = "azure"'}, UNKNOWN),
        ({}, {AUTH: CHATGPT, CONFIG: 'model_provider = "openai"'}, PLAN),
        ({}, {AUTH: CHATGPT, CONFIG: 'profile = "a"\n[profiles.a]\nmodel_provider = "azure"'}, UNKNOWN),
        ({}, {AUTH: CHATGPT, CONFIG: "model_provider = "}, UNKNOWN),
        ({}, {AUTH: "7"}, UNKNOWN),
    ],
)
def test_codex(tmp_path: Path, environ: dict[str, str], files: dict[str, Any], billing: Billing) -> None:
    """As its client chooses; a provider of one's own is unknown."""
    found, evidence = paid(tmp_path, "codex", environ, files)
    assert (found, bool(evidence)) == (billing, billing is not UNKNOWN)


@pytest.mark.parametrize(
    ("days", "source", "billing"),
    [
        (6, GaugeSource.STATUS_LINE, PLAN),
        (8, GaugeSource.STATUS_LINE, UNKNOWN),
        (-1, GaugeSource.STATUS_LINE, UNKNOWN),
        (1, GaugeSource.ESTIMATED, UNKNOWN),
    ],
)
def test_windows_told_lately(tmp_path: Path, days: int, source: GaugeSource, billing: Billing) -> None:
    """Only a plan has windows. On a Mac the login lies in the keychain, so this is what tells."""
    machine = machine_gauges({"HOME": str(tmp_path)})
    machine.path.mkdir(parents=True)
    keep_gauges(machine, [GaugeReading("anthropic", "", "5h", 100, at(0) - timedelta(days=days), source)])
    assert paid(tmp_path, "claude-code", {}, {})[0] is billing
    assert payer_of("claude-code", "", {"HOME": str(tmp_path)}, at(0))[0] is billing


CLAUDE_LOG, CODEX_LOG = ".claude/projects/p/s.jsonl", ".codex/sessions/2026/11/22/rollout-s.jsonl"


@pytest.mark.parametrize(
    ("agent", "told", "log", "billing"),
    [
        ("claude-code", "", CLAUDE_LOG, PLAN),
        ("claude-code", "ANTHROPIC_API_KEY", CLAUDE_LOG, API),
        ("claude-code", "CLAUDE_CODE_USE_BEDROCK", "", API),
        ("claude-code", "CLAUDE_CODE_OAUTH_TOKEN", CLAUDE_LOG, PLAN),
        ("claude-code", "CLAUDE_CODE_SUBPROCESS_ENV_SCRUB", CLAUDE_LOG, UNKNOWN),
        ("claude-code", "", ".other/projects/p/s.jsonl", UNKNOWN),
        ("claude-code", "", "elsewhere/s.jsonl", UNKNOWN),
        ("claude-code", "", None, UNKNOWN),
        ("claude-code", None, CLAUDE_LOG, UNKNOWN),
        ("claude-code", 7, CLAUDE_LOG, UNKNOWN),
        ("codex", "", CODEX_LOG, PLAN),
        ("codex", "CODEX_API_KEY", CODEX_LOG, API),
        ("codex", "", "", UNKNOWN),
        ("codex", None, CODEX_LOG, UNKNOWN),
        ("gemini-cli", "", ".gemini/tmp/p/chats/s.jsonl", UNKNOWN),
    ],
)
def test_as_a_hook_tells(tmp_path: Path, agent: str, told: object, log: str | None, billing: Billing) -> None:
    """By the names it sends and the login in the folder its log lies in; not by the environment of whoever asks."""
    paid(tmp_path, agent, {}, {CREDENTIALS: MAX, AUTH: CHATGPT})
    payload = {"transcript_path": log and str(tmp_path / log), **({} if told is None else {"tabstop_set": told})}
    started = StartedWith.from_payload(agent, payload)
    another = {"HOME": str(tmp_path), "ANTHROPIC_API_KEY": "k", "CODEX_API_KEY": "k"}
    assert payer_of(agent, str(tmp_path), another, at(0), started)[0] is billing


def test_others_are_unknown(tmp_path: Path) -> None:
    """Gemini CLI, OpenCode, programs."""
    assert {paid(tmp_path, one, {}, {CREDENTIALS: MAX})[0] for one in ("gemini-cli", "opencode", "library")} == {
        UNKNOWN
    }


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A repository may hold one where its settings would be."""
    (tmp_path / "work" / ".claude").mkdir(parents=True)
    os.mkfifo(tmp_path / "work" / ".claude" / "settings.json")
    assert paid(tmp_path, "claude-code", {}, {CREDENTIALS: MAX})[0] is UNKNOWN
