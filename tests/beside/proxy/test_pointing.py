"""What an agent's environment and command line need so that it asks the proxy, and which agents do not."""

from __future__ import annotations

import json

import pytest

from tabstop.agents.claude_code.clouds import CLOUDS, Cloud
from tabstop.beside.proxy.pointing import codex_arguments, goes_elsewhere
from tests.beside.proxy.scene import scene


def test_what_an_agents_environment_needs() -> None:
    """The vendors' addresses with the token in them; what goes to this machine does not go through a company's proxy."""
    with scene() as on:
        found = on.proxy.environ({"HTTP_PROXY": "http://proxy", "no_proxy": "a.example"})
        base = f"{on.proxy.address}/{on.proxy.token}"
        assert found["ANTHROPIC_BASE_URL"] == f"{base}/anthropic"
        assert found["OPENAI_BASE_URL"] == f"{base}/openai/v1"
        assert found["GOOGLE_GEMINI_BASE_URL"] == f"{base}/google"
        assert (found["NO_PROXY"], found["no_proxy"]) == ("127.0.0.1", "a.example,127.0.0.1")
        assert "NO_PROXY" not in on.proxy.environ({})
        assert on.proxy.token not in repr(on.proxy)


def test_opencode_is_configured_by_its_environment() -> None:
    """What is there already stays; what is no configuration is replaced."""
    with scene() as on:
        given = '{"model": "m", "provider": {"anthropic": {"options": {"apiKey": "k"}}}}'
        config = json.loads(on.proxy.environ({"OPENCODE_CONFIG_CONTENT": given})["OPENCODE_CONFIG_CONTENT"])
        assert config["model"] == "m"
        assert config["provider"]["anthropic"]["options"] == {
            "apiKey": "k",
            "baseURL": f"{on.proxy.base('anthropic')}/v1",
        }
        assert config["provider"]["google"]["options"] == {"baseURL": f"{on.proxy.base('google')}/v1beta"}
        for given in ("{", "[]"):
            assert "provider" in json.loads(
                on.proxy.environ({"OPENCODE_CONFIG_CONTENT": given})["OPENCODE_CONFIG_CONTENT"]
            )


def test_codex_takes_arguments_without_the_token() -> None:
    """Arguments are seen by everybody on a machine; Codex reads the token from its environment, and signs in as it does."""
    by_key = codex_arguments("http://127.0.0.1:1", {"OPENAI_API_KEY": "k"})
    assert by_key[3] == (
        'model_providers.tabstop={name="Tabstop", base_url="http://127.0.0.1:1/openai/v1", wire_api="responses", '
        'env_key="OPENAI_API_KEY", env_http_headers={"X-Tabstop-Token"="TABSTOP_PROXY_TOKEN"}}'
    )
    assert "requires_openai_auth=true" in codex_arguments("http://127.0.0.1:1", {})[3]


def test_agents_that_go_elsewhere_are_named() -> None:
    """What they use is not bounded by the proxy."""
    assert goes_elsewhere({"CLAUDE_CODE_USE_BEDROCK": "1", "GOOGLE_GENAI_USE_GCA": "false"}) == (
        "CLAUDE_CODE_USE_BEDROCK is set: Claude Code asks Amazon Bedrock, not the proxy, and what it uses is not bounded here.",
    )


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.provider)
def test_clouds_with_an_address_of_their_own_are_asked_there(cloud: Cloud) -> None:
    """The others are asked where ANTHROPIC_BASE_URL says, which is the proxy; so Claude Code 2.1.330 does."""
    assert len(goes_elsewhere({cloud.variable: "1"}, "claude-code")) == (cloud.own_address is True)
    assert goes_elsewhere({cloud.variable: "1"}, "gemini") == ()
