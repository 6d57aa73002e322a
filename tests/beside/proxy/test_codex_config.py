"""Whom Codex asks by its own configuration, and how it is led to the proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabstop.beside.proxy.codex_config import CodexProvider, NotLedError, codex_provider

GATEWAY = """
model_provider = "gateway"
[model_providers.gateway]
name = "The company's own"
base_url = "https://gateway.example/v1"
env_key = "GATEWAY_KEY"
[model_providers.azure]
base_url = "https://azure.example/openai"
[model_providers.bare]
name = "bare"
[model_providers.local]
base_url = "unix:///run/model"
[model_providers."my.own"]
base_url = "https://own.example"
"""


def found(home: Path, *argv: str, config: str = GATEWAY, **files: str) -> CodexProvider:
    (home / "config.toml").write_text(config)
    for name, text in files.items():
        (home / name).with_suffix(".config.toml").write_text(text)
    return codex_provider(("codex", "exec", *argv), {"CODEX_HOME": str(home)}, home / "machine.toml")


@pytest.mark.parametrize(
    ("argv", "name", "vendor"),
    [
        ((), "gateway", "https://gateway.example/v1"),
        (("-c", 'model_provider="azure"', "x"), "azure", "https://azure.example/openai"),
        (("--config=model_provider=azure",), "azure", "https://azure.example/openai"),
        (("-cmodel_provider=azure",), "azure", "https://azure.example/openai"),
        (("--", "-c", "model_provider=azure"), "gateway", "https://gateway.example/v1"),
        (
            (
                "-c",
                "model_providers.gateway.base_url=https://x.example/v1",
            ),
            "gateway",
            "https://x.example/v1",
        ),
        (("--profile", "work"), "azure", "https://azure.example/openai"),
        (("-c", "model_provider=bare"), "bare", "https://api.openai.com/v1"),
        (("-c", "model_provider=openai"), "openai", ""),
        (
            ("-c", "model_provider=openai", "-c", 'openai_base_url="https://o.example/v1"'),
            "openai",
            "https://o.example/v1",
        ),
    ],
)
def test_whom_it_asks(tmp_path: Path, argv: tuple[str, ...], name: str, vendor: str) -> None:
    """What is said later counts: the file, the profile, the command line."""
    assert found(tmp_path, *argv, work='model_provider = "azure"') == CodexProvider(name, vendor)


def test_without_a_configuration(tmp_path: Path) -> None:
    """OpenAI, or where the environment leads; the machine's own file comes before the user's."""
    assert found(tmp_path, config="") == CodexProvider()
    assert CodexProvider().upstream({"OPENAI_BASE_URL": "https://e.example"}) == {
        "OPENAI_BASE_URL": "https://e.example"
    }
    (tmp_path / "machine.toml").write_text(GATEWAY)
    assert found(tmp_path, config="").name == "gateway"
    assert found(tmp_path, config='model_provider = "azure"').name == "azure"


@pytest.mark.parametrize(
    ("argv", "config", "why"),
    [
        (("--oss",), GATEWAY, "--oss has Codex ask a model on this machine"),
        (("-c", "model_provider=ollama"), GATEWAY, "names the model provider 'ollama', which cannot be led"),
        (("-c", "model_provider=my.own"), GATEWAY, "names the model provider 'my.own', which cannot be led"),
        (("-c", "model_provider=3"), GATEWAY, "names the model provider 3, which cannot be led"),
        (("-c", "model_provider=local"), GATEWAY, "has no address that is a URL: 'unix:///run/model'"),
        ((), "model_provider = ", "config.toml cannot be read"),
    ],
)
def test_what_cannot_be_led_is_refused(tmp_path: Path, argv: tuple[str, ...], config: str, why: str) -> None:
    """Rather than asking somebody else with its prompts and keys."""
    with pytest.raises(NotLedError) as refused:
        found(tmp_path, *argv, config=config)
    assert why in str(refused.value)


def test_how_it_is_led(tmp_path: Path) -> None:
    """A provider keeps its name and its key; the proxy asks its address. The token is not among the arguments."""
    provider = found(tmp_path)
    arguments = provider.arguments("http://127.0.0.1:7", {"OPENAI_API_KEY": "sk"})
    assert arguments == (
        *("-c", 'model_providers.gateway.base_url="http://127.0.0.1:7/openai/v1"'),
        *("-c", 'model_providers.gateway.env_http_headers.X-Tabstop-Token="TABSTOP_PROXY_TOKEN"'),
    )
    assert provider.upstream({"A": "b"}) == {"A": "b", "OPENAI_BASE_URL": "https://gateway.example/v1"}
    assert 'model_provider="tabstop"' in CodexProvider().arguments("http://127.0.0.1:7", {})
    azure = found(tmp_path, "-c", "model_provider=azure")
    assert azure.arguments("http://127.0.0.1:7", {})[1].endswith('base_url="http://127.0.0.1:7/openai"')
