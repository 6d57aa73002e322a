"""`tabstop proxy` as people start it: what it prints, that it meters, how it ends, and what it refuses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from tabstop.cli.main import main
from tabstop.cli.proxy import _say, _warn, codex_words
from tabstop.governor.orders import Event, EventKind
from tests.beside.proxy.scene import answer, request
from tests.governor.builders import BEGUN
from tests.house.source import ROOT
from tests.support.fake_llm import FakeLlm
from tests.support.golden import expect


def test_it_meters_and_says_what_happens(tmp_path: Path) -> None:
    """From its first line to Ctrl-C; the token and port are different every time."""
    state = {name: value for name, value in os.environ.items() if name not in {"CI", "RUNNER_TEMP"}}
    environ = {
        **state,
        "TABSTOP_STATE": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "CODEX_HOME": str(tmp_path),
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "OPENCODE_CONFIG_CONTENT": '{"theme": "with a key in it, say"}',
        "TMPDIR": str(tmp_path),
    }
    for name in (
        "OPENAI_API_KEY",
        "ANTHROPIC_BASE_URL",
        "OPENAI_BASE_URL",
        "GOOGLE_GEMINI_BASE_URL",
        "TABSTOP_SESSION",
    ):
        environ.pop(name, None)
    with FakeLlm(plan=lambda _seen: answer()) as fake:
        command = [
            sys.executable,
            "-m",
            "tests.cli.run_tabstop",
            "proxy",
            "--cost",
            "$1",
            "--tokens",
            "1m",
            "--iterations",
            "1",
        ]
        process = subprocess.Popen(
            [*command, "--upstream", f"anthropic={fake.url}"],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        (base,) = re.findall(r"ANTHROPIC_BASE_URL=(\S+)", "".join(lines))
        body = {**request("anthropic"), "model": "claude-sonnet-4-5"}
        statuses = [httpx.post(f"{base}/v1/messages", json=body, trust_env=False).status_code for _ in range(2)]
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    assert statuses == [200, 400]
    assert process.returncode == 0
    text = "".join(lines) + rest
    for pattern, shown in (
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"), (r"PORT/[\w-]{20,}/", "PORT/TOKEN/"), (r"TOKEN=\S+", "TOKEN=TOKEN"),
        (r"proxy-[0-9a-f]{8}|run-[0-9a-f]{8}", "SESSION"), (r"(?m)^\d\d:\d\d:\d\d", "TIME"),
    ):  # fmt: skip
        text = re.sub(pattern, shown, text)
    expect("proxy/alone.txt", text)


@pytest.mark.parametrize("written", ["anthropic", "aws=http://x", "openai=x.example"])
def test_an_upstream_is_a_vendor_and_an_address(written: str) -> None:
    """Anything else is refused with what is allowed."""
    done = CliRunner().invoke(main, ["proxy", "--upstream", written])
    assert done.exit_code == 2
    assert "write one of anthropic, openai, google, `=`, and an address" in done.output


def test_a_session_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started."""
    monkeypatch.setenv("TABSTOP_STATE", str(tmp_path))
    done = CliRunner().invoke(main, ["proxy", "--session", "nobody"])
    assert done.exit_code == 74
    assert "there is no session nobody" in done.output


def test_an_event_without_a_reason_is_said_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Such as a raise."""
    _say(Event(BEGUN, EventKind.RAISE))
    assert capsys.readouterr().out == "09:00:00 raise\n"


def test_what_the_server_does_not_hear_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """With the time."""
    _warn("the server cannot be told")
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning: the server cannot be told\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("config", "openai", "said"),
    [
        ("", "https://api.openai.com", 'model_provider="tabstop"'),
        (
            'model_provider = "own"',
            "https://api.openai.com",
            "start the proxy with --upstream openai=https://own.example/v1.",
        ),
        ('model_provider = "own"', "https://own.example", "model_providers.own.base_url="),
        ('model_provider = "ollama"', "https://api.openai.com", "Codex cannot be metered here."),
    ],
)
def test_codex_is_led_only_where_it_would_have_asked(tmp_path: Path, config: str, openai: str, said: str) -> None:
    """Its prompts and keys go to nobody else unannounced."""
    (tmp_path / "config.toml").write_text(f'{config}\n[model_providers.own]\nbase_url = "https://own.example/v1"\n')
    assert said in codex_words("http://127.0.0.1:7", openai, {"CODEX_HOME": str(tmp_path)})
