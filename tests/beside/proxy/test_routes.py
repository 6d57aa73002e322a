"""Who asks, which requests are model calls, and where each goes."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from tabstop.beside.proxy.callers import Caller, caller_of
from tabstop.beside.proxy.requests import headers_back, headers_for
from tabstop.beside.proxy.routes import Upstreams, api_of, costs_uncounted, read_path, write_path
from tests.beside.proxy.turn_metadata import SHA, codex


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Caller()),
        ({"user-agent": "GeminiCLI-tui/0.61.0/gemini-2.5-pro (linux)"}, Caller("gemini-cli")),
        (
            {"user-agent": "claude-cli/2.1.330 (external, sdk-cli)", "x-claude-code-session-id": "s"},
            Caller("claude-code", "s"),
        ),
        (
            {"x-claude-code-session-id": "s", "X-Claude-Code-Agent-Id": "a8bf3465c2102c165"},
            Caller("claude-code", "s", "a8bf3465c2102c165"),
        ),
        ({"x-claude-code-session-id": "not an id\x7f"}, Caller("claude-code")),
        ({"session-id": "s", "thread-id": "s"}, Caller("codex", "s")),
        ({"session-id": "s", "thread-id": "t"}, Caller("codex", "s", "t")),
        (
            {
                "x-codex-turn-metadata": codex(
                    workspaces={
                        "/home/dev/widget": {
                            "associated_remote_urls": {"origin": "git@github.com:acme/widget.git"},
                            "latest_git_commit_hash": SHA,
                        }
                    }
                )
            },
            Caller("codex", "s", "t", "acme/widget", SHA, "/home/dev/widget"),
        ),
        (
            {
                "x-codex-turn-metadata": codex(
                    workspaces={"/w": {"associated_remote_urls": {"origin": "x"}, "latest_git_commit_hash": "y"}}
                )
            },
            Caller("codex", "s", "t", cwd="/w"),
        ),
        ({"x-codex-turn-metadata": "{"}, Caller("codex")),
        ({"x-codex-turn-metadata": "[" * 100_000}, Caller("codex")),
        ({"x-session-id": "s", "user-agent": "opencode/1.18"}, Caller("opencode", "s")),
        ({"x-session-id": "s"}, Caller("opencode", "s")),
    ],
)
def test_who_asks(headers: dict[str, str], expected: Caller) -> None:
    """As each agent's own headers say; what they do not say stays empty."""
    assert caller_of(CIMultiDict(headers)) == expected


@pytest.mark.parametrize(
    ("method", "provider", "path", "metered"),
    [
        ("POST", "anthropic", "/v1/messages", True),
        ("POST", "anthropic", "/v1/messages/count_tokens", False),
        ("POST", "anthropic", "/v1/messages/batches", False),
        ("GET", "anthropic", "/v1/messages", False),
        ("POST", "openai", "/v1/responses", True),
        ("POST", "openai", "/v1/responses/compact", True),
        ("POST", "openai", "/v1/responses/resp_1/cancel", False),
        ("POST", "openai", "/v1/chat/completions", True),
        ("POST", "openai", "/v1/analytics/codex/turn-costs", False),
        ("POST", "google", "/v1beta/models/gemini-2.5-pro:generateContent", True),
        ("POST", "google", "/v1beta/models/gemini-2.5-pro:streamGenerateContent", True),
        ("POST", "google", "/v1beta/models/gemini-2.5-pro:countTokens", False),
        ("POST", "google", "/v1beta/openai/chat/completions", True),
        ("POST", "openai", "/v1/messages", False),
        ("POST", "anthropic", "/v1/messages/", True),
        ("POST", "anthropic", "/v1/%6dessages", True),
        ("POST", "anthropic", "/v1/Messages", True),
        ("POST", "openai", "/v1/responses/", True),
        ("POST", "google", "/v1beta/models/gemini-2.5-pro%3AgenerateContent", True),
        ("POST", "google", "/v1beta/tunedModels/x:generateContent", True),
    ],
)
def test_which_requests_are_model_calls(method: str, provider: str, path: str, metered: bool) -> None:
    """Of all paths, those that answer with a model's words, however they are written."""
    assert (api_of(method, provider, read_path(path)) is not None) is metered


@pytest.mark.parametrize(
    ("provider", "path", "expected"),
    [
        ("anthropic", "/v1/messages/batches", True),
        ("anthropic", "/v1/messages/count_tokens", False),
        ("anthropic", "/v1/messages/count_tokens/", False),
        ("anthropic", "/v1/files", False),
        ("anthropic", "/v1/files/../messages", True),
        ("anthropic", "/v1/files/%2e%2e/messages", True),
        ("anthropic", "/v1/%256dessages", True),
        ("anthropic", "/api/event_logging/v2/batch", False),
        ("anthropic", "/v1/never/heard/of", True),
        ("openai", "/v1/embeddings", True),
        ("openai", "/v1/images/generations", True),
        ("openai", "/v1/threads/runs", True),
        ("openai", "/v1/evals/x/runs", True),
        ("openai", "/v1/analytics/codex/turn-costs", False),
        ("openai", "/v1/uploads/upload_1/parts", False),
        ("openai", "/v1/responses/resp_1/cancel", False),
        ("openai", "/v1/files", False),
        ("google", "/v1beta/models/x:predict", True),
        ("google", "/v1beta/models/x:countTokens", False),
        ("google", "/v1beta/models/x%3AcountTokens", False),
        ("google", "/upload/v1beta/files", False),
        ("google", "/v1beta/cachedContents", True),
    ],
)
def test_what_may_cost_and_is_not_counted(provider: str, path: str, expected: bool) -> None:
    """All but what is known to be free."""
    assert costs_uncounted("POST", provider, read_path(path)) is expected
    assert not costs_uncounted("GET", provider, read_path(path))


def test_a_path_is_sent_as_it_was_read() -> None:
    """Once it is read, nothing in it stands for something else."""
    assert write_path(read_path("/v1beta/models/g%3AgenerateContent/")) == "/v1beta/models/g:generateContent"
    assert write_path(read_path("/v1/a%3Fb%23c%20%FF")) == "/v1/a%3Fb%23c%20%FF"


def test_where_requests_go() -> None:
    """The vendors, or the gateway an agent would have asked without a proxy; Codex on a plan to its own address."""
    usual = Upstreams.from_environ({})
    assert usual == Upstreams()
    assert usual.url("anthropic", "/v1/messages?beta=true", {}) == "https://api.anthropic.com/v1/messages?beta=true"
    plan = {"ChatGPT-Account-ID": "a"}
    assert usual.url("openai", "/v1/responses", plan) == "https://chatgpt.com/backend-api/codex/responses"
    own = Upstreams.from_environ({"OPENAI_BASE_URL": "https://gateway.example/v1/", "ANTHROPIC_BASE_URL": "http://a"})
    assert own.url("openai", "/v1/responses", plan) == "https://gateway.example/v1/responses"
    assert own.url("anthropic", "/v1/x", {}) == "http://a/v1/x"


def test_headers_of_the_connection_stay_on_it() -> None:
    """And those that a `Connection` header names; the length goes back only where nothing of the answer is left out."""
    given = CIMultiDict(
        {
            "Connection": "close, x-mine",
            "X-Mine": "1",
            "Host": "h",
            "X-HTTP-Method-Override": "POST",
            "X-Api-Key": "k",
            "Content-Length": "5",
        }
    )
    assert dict(headers_for(given, metered=False, plain=False)) == {"X-Api-Key": "k"}
    assert dict(headers_for(given, metered=True, plain=False)) == {"X-Api-Key": "k", "Accept-Encoding": "identity"}
    assert (
        headers_for(CIMultiDict({"Accept-Encoding": "br, gzip"}), metered=True, plain=False)["Accept-Encoding"]
        == "gzip"
    )
    assert (
        headers_for(CIMultiDict({"Accept-Encoding": "br, gzip"}), metered=True, plain=True)["Accept-Encoding"]
        == "identity"
    )
    assert dict(headers_back(given, same_length=True)) == {"X-Api-Key": "k", "Content-Length": "5"}
    assert dict(headers_back(given, same_length=False)) == {"X-Api-Key": "k"}
