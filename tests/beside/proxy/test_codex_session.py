"""A session of Codex led to a proxy: by the provider it began with, wherever that one's address stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tabstop.agents.command_line import command_line_of
from tabstop.beside.proxy.codex_session import Led, led_to_proxy

SESSION = "01a20192-5290-7533-a7b6-da9730a558d8"
TOKEN = 'env_http_headers.X-Tabstop-Token="TABSTOP_PROXY_TOKEN"'
CONFIG = '[model_providers.vendor]\nbase_url = "https://vendor.example/v1"\nwire_api = "responses"\n'


def led(home: Path, provider: str, *options: str, config: str = "", **environ: str) -> Led | None:
    if provider:
        folder = home / ".codex" / "sessions" / "2026" / "11" / "02"
        folder.mkdir(parents=True)
        row = {"type": "session_meta", "payload": {"id": SESSION, "model_provider": provider}}
        (folder / f"rollout-2026-11-02T09-00-00-{SESSION}.jsonl").write_text(json.dumps(row) + "\n")
        (home / ".codex" / "config.toml").write_text(config)
    line = command_line_of("codex")
    assert line is not None
    last = line.last_answer(("codex", "exec", *options, "x"), SESSION, "Sum up.", 2_000)
    assert last is not None
    return led_to_proxy(last.argv, SESSION, {"HOME": str(home), **environ})


def leads(found: Led | None) -> tuple[str, ...]:
    """What its command line says of where to ask."""
    assert found is not None
    argv = found.command("http://127.0.0.1:7", "secret")
    assert argv[-2:] == (SESSION, "Sum up.")
    return argv[argv.index("--skip-git-repo-check") + 1 : -2]


@pytest.mark.parametrize(
    ("config", "environ", "vendor"),
    [
        ("", {}, "https://api.openai.com/v1"),
        ("", {"OPENAI_BASE_URL": "https://gateway.example/v1"}, "https://gateway.example/v1"),
        (
            'openai_base_url = "https://own.example/v1"',
            {"OPENAI_BASE_URL": "https://x.example"},
            "https://own.example/v1",
        ),
        ("openai_base_url = ", {}, "https://api.openai.com/v1"),
    ],
)
def test_the_built_in_provider(tmp_path: Path, config: str, environ: dict[str, str], vendor: str) -> None:
    """Its address is the proxy's; the proxy asks where Codex would have."""
    found = led(tmp_path, "openai", config=config, **environ)
    assert leads(found) == ("-c", 'openai_base_url="http://127.0.0.1:7/secret/openai/v1"')
    assert found is not None
    assert found.environ["OPENAI_BASE_URL"] == vendor


def test_a_provider_of_the_users_own(tmp_path: Path) -> None:
    """It keeps its name and its key, and shows the token in a header."""
    found = led(tmp_path, "vendor", config=CONFIG)
    address = 'model_providers.vendor.base_url="http://127.0.0.1:7/openai/v1"'
    assert leads(found) == ("-c", address, "-c", f"model_providers.vendor.{TOKEN}")
    assert found is not None
    assert found.environ["OPENAI_BASE_URL"] == "https://vendor.example/v1"


def test_an_address_on_the_command_line(tmp_path: Path) -> None:
    """It is what counts. One without a version is asked without."""
    options = ("-c", 'model_providers.vendor.base_url="https://azure.example/openai"', "-c", "no TOML")
    found = led(tmp_path, "vendor", *options, config=CONFIG)
    assert leads(found)[1] == 'model_providers.vendor.base_url="http://127.0.0.1:7/openai"'
    assert found is not None
    assert found.environ["OPENAI_BASE_URL"] == "https://azure.example/openai"


def test_a_session_that_began_behind_the_proxy(tmp_path: Path) -> None:
    """Its provider is ours."""
    assert 'model_provider="tabstop"' in leads(led(tmp_path, "tabstop"))


def test_where_it_is_not_known(tmp_path: Path) -> None:
    """No rollout, or a provider without an address."""
    assert led(tmp_path, "") is None
    assert led(tmp_path, "stranger", config=CONFIG) is None


def test_other_agents_need_nothing() -> None:
    """They find the proxy by their environment."""
    argv = ("claude", "-p", "--resume", SESSION, "Sum up.")
    found = led_to_proxy(argv, SESSION, {"HOME": "/"})
    assert found is not None
    assert found.command("http://127.0.0.1:7", "secret") == argv
