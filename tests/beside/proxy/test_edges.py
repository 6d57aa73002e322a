"""Who asks, where requests go, how full the vendors' windows are, and what an agent's environment needs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from tabstop.beside.gauge_file import read_gauges
from tabstop.beside.proxy.call import Call, Part
from tabstop.beside.proxy.callers import Caller, caller_of
from tabstop.beside.proxy.conversations import ANSWERS, THREADS, Conversations
from tabstop.beside.proxy.gauges import gauges_of
from tabstop.beside.proxy.longest_answers import longest_answer_of
from tabstop.beside.proxy.pointing import codex_arguments, goes_elsewhere
from tabstop.beside.proxy.requests import headers_back, headers_for
from tabstop.beside.proxy.routes import Upstreams, api_of, costs_uncounted, read_path, write_path
from tabstop.beside.proxy.streams import Passing
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.wire import StartRequest
from tests.beside.proxy.scene import scene

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SHA = "5f9d8c7" + "0" * 33


def codex(**told: object) -> str:
    return json.dumps({"session_id": "s", "thread_id": "t", **told})


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


RESET = int((NOW + timedelta(hours=2)).timestamp())


def gauge(window: str, used: int, minutes: int = 0, **more: Any) -> GaugeReading:
    """A reading of `v` at `NOW`."""
    return GaugeReading("v", "", window, used, NOW, GaugeSource.HEADER, minutes=minutes, **more)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ()),
        (
            {
                "anthropic-ratelimit-unified-5h-utilization": "0.427",
                "anthropic-ratelimit-unified-5h-reset": str(RESET),
                "anthropic-ratelimit-unified-5h-status": "allowed",
                "anthropic-ratelimit-unified-7d-utilization": "1.2",
                "anthropic-ratelimit-unified-status": "rejected",
            },
            (
                gauge("5h", 4_270, 300, resets_at=NOW + timedelta(hours=2), status="allowed"),
                gauge("weekly", 12_000, 10_080, status="rejected"),
            ),
        ),
        (
            {
                "Anthropic-RateLimit-Unified-7d_opus-Utilization": "0.5",
                "anthropic-ratelimit-unified-5h-reset": str(RESET),
            },
            (gauge("7d_opus", 5_000, 10_080),),
        ),
        (  # money for use beyond the plan, told like a window
            {"anthropic-ratelimit-unified-overage-utilization": "0.97"},
            (),
        ),
        (
            {
                "x-codex-primary-used-percent": "12.5",
                "x-codex-primary-window-minutes": "300",
                "x-codex-primary-reset-after-seconds": "7200",
                "x-codex-secondary-used-percent": "3",
                "x-codex-secondary-window-minutes": "10080",
                "x-codex-secondary-reset-at": str(RESET),
                "x-codex-limit-name": "gpt-5.5 <b>",
            },
            (
                gauge("5h", 1_250, 300, resets_at=NOW + timedelta(hours=2), plan="gpt-5.5 _b_"),
                gauge("weekly", 300, 10_080, resets_at=NOW + timedelta(hours=2), plan="gpt-5.5 _b_"),
            ),
        ),
        (
            {
                "x-codex-primary-used-percent": "0.01",
                "x-codex-primary-window-minutes": "299",
                "x-codex-secondary-used-percent": "1001",
                "x-codex-secondary-window-minutes": "10079",
            },
            (gauge("5h", 1, 299),),
        ),
        (
            {
                "anthropic-ratelimit-unified-5h-utilization": "much",
                "anthropic-ratelimit-unified-7d-utilization": "NaN",
                "x-codex-primary-used-percent": "-1",
                "x-codex-primary-window-minutes": "300",
                "x-codex-secondary-used-percent": "1",
                "x-codex-secondary-window-minutes": "0",
            },
            (),
        ),
        (
            {
                "anthropic-ratelimit-unified-5h-utilization": "0.1",
                "anthropic-ratelimit-unified-5h-reset": "99999999999",
                "x-codex-primary-used-percent": "1",
                "x-codex-primary-window-minutes": "5",
                "x-codex-primary-reset-after-seconds": "99999999999",
            },
            (gauge("5h", 1_000, 300), gauge("primary", 100, 5)),
        ),
    ],
)
def test_gauges(headers: dict[str, str], expected: tuple[GaugeReading, ...]) -> None:
    """As the vendors' headers tell; what cannot be read tells nothing. A length may be off by minutes."""
    assert gauges_of("v", CIMultiDict(headers), {}, NOW) == expected


@pytest.mark.parametrize(
    ("answer", "asked", "account"),
    [
        ({"anthropic-organization-id": "1f2e-a"}, {}, "1f2e-a"),
        ({}, {"chatgpt-account-id": "acc_1", "Authorization": "Bearer secret", "x-api-key": "secret"}, "acc_1"),
        ({"anthropic-organization-id": "<script>"}, {}, ""),
        ({}, {"Authorization": "Bearer secret", "x-api-key": "secret"}, ""),
    ],
)
def test_whose_account_a_gauge_is(answer: dict[str, str], asked: dict[str, str], account: str) -> None:
    """By the vendor's own id; never by a key, nor by anything made from one."""
    told = CIMultiDict({"anthropic-ratelimit-unified-5h-utilization": "0.5", **answer})
    (found,) = gauges_of("v", told, CIMultiDict(asked), NOW)
    assert found.account == account
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("model", "window", "expected"),
    [
        ("gpt-5.5", 1_000_000, 128_000),
        ("gpt-4o-2024-08-06", None, 16_384),
        ("openai/gpt-4.1-mini", None, 32_768),
        ("gemini-2.5-pro", None, 65_536),
        ("somebody-s-model", 32_000, 32_000),
        ("somebody-s-model", None, 1_000_000),
    ],
)
def test_the_longest_answer_of_a_model(model: str, window: int | None, expected: int) -> None:
    """Known, else its context window, else the largest there is."""
    assert longest_answer_of(model, window) == expected


def call(*words: str, model: str = "m", **more: object) -> Call:
    return Call(model, parts=tuple(Part(word) for word in words), **more)  # type: ignore[arg-type]


def test_what_a_prompt_can_be_at_most() -> None:
    """What it was and what is new; or its bytes, where another model, another setting or a new conversation counts differently."""
    known = Conversations()
    long, new = "a" * 98, "b" * 8
    assert known.bound("", call(long, long)) == 200
    known.answered("", call(long, long), 50, 5, ())
    assert known.bound("", call(long, long, new)) == 60
    assert known.bound("", call(long, long, long)) == 150
    assert known.bound("", call(new)) == 10
    assert known.bound("other thread", call(long, long, new)) == 210
    assert known.bound("", call(long, long, new, model="n")) == 210
    assert known.bound("", call(long, long, new, basis=1)) == 210


def test_going_on_from_an_answer_the_vendor_keeps() -> None:
    """Its whole conversation and what is new; an answer that was not seen cannot be bounded."""
    known = Conversations()
    known.answered("", call("x"), 50, 5, ("resp_1",))
    assert known.bound("", call("y", after="resp_1")) == 58
    assert known.bound("", call("y", after="resp_2")) is None
    known.answered("", call("y", after="resp_1"), 58, 5, ("resp_2",))
    assert known.bound("", call("y", after="resp_2")) == 66


def test_memory_is_bounded() -> None:
    """However long a session runs."""
    known = Conversations()
    for number in range(ANSWERS + 10):
        known.answered(f"t{number}", call("x"), 50, 5, (f"r{number}",))
    assert known.bound("", call("y", after="r5")) is None
    assert known.bound(f"t{ANSWERS - THREADS}", call("x")) == 3
    assert known.bound(f"t{ANSWERS}", call("x")) == 50


def test_streams_are_read_in_whatever_pieces_they_come() -> None:
    """Byte by byte, with either line end, a comment, data over several lines, an end without its empty line."""
    from tabstop.beside.proxy.anthropic_messages import AnthropicMessages  # noqa: PLC0415

    stream = (
        b': hello\n\nevent: x\r\ndata: {"type":\r\ndata: "message_start", "message": {"model": "m", "id": "i"}}\r\n\r\n'
        b'data: {"type": "message_delta", "usage": {"input_tokens": 4, "output_tokens": 3}}\n\ndata: nonsense\n\n'
        b'data: {"type": "message_stop"}'
    )
    passing = Passing(AnthropicMessages(), "text/event-stream; charset=utf-8", "")
    assert b"".join(passing.feed(bytes([one])) for one in stream) + passing.end() == stream
    heard = passing.reader.heard
    assert (heard.model, heard.complete) == ("m", True)
    assert heard.tokens is not None
    assert heard.tokens.total == 7


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_streams_that_cannot_be_unpacked_pass_unread(encoding: str) -> None:
    """Their usage is not known then."""
    from tabstop.beside.proxy.openai_chat import OpenAiChat  # noqa: PLC0415

    passing = Passing(OpenAiChat(), "text/event-stream", encoding, lambda _event: True)
    assert passing.feed(b"not packed") == b"not packed"
    assert passing.feed(b"at all") == b"at all"
    assert passing.end() == b""
    assert passing.reader.heard.tokens is None
    assert not passing.events


def record(**more: object) -> Record:
    return Record("s1", NOW, StartRequest(agent=""), **more)  # type: ignore[arg-type]


def test_what_is_learned_is_kept(tmp_path: Path) -> None:
    """The record's empty fields, from the first who asks; and the gauges."""
    folder = create(tmp_path, record())
    told = codex(
        workspaces={
            "/w": {
                "associated_remote_urls": {"origin": "https://github.com/acme/widget"},
                "latest_git_commit_hash": SHA,
            }
        }
    )
    gauge = {"anthropic-ratelimit-unified-5h-utilization": "0.5"}
    with scene(folder=folder, headers=gauge) as on:
        for _ in range(2):
            on.ask("responses", headers={"x-codex-turn-metadata": told})
        on.ask(headers={"X-Claude-Code-Session-Id": "later"})
        assert on.proxy.learning.gauges["openai", "", "5h"].used == 5_000
    learned = folder.record()
    assert learned.start == StartRequest(agent="codex", repository="acme/widget", head_sha=SHA)
    assert (learned.agent_session, learned.cwd) == ("s", "/w")
    assert [one.used for one in read_gauges(folder)] == [5_000, 5_000]
    assert [one.vendor for one in read_gauges(folder)] == ["anthropic", "openai"]


def test_what_the_gate_was_told_stands(tmp_path: Path) -> None:
    """Headers are only claims."""
    start = StartRequest(agent="claude-code", repository="acme/api", head_sha="1" * 40)
    folder = create(tmp_path, replace(record(agent_session="given", cwd="/given"), start=start))
    with scene(folder=folder) as on:
        on.ask(headers={"X-Claude-Code-Session-Id": "other"})
    assert (folder.record().start, folder.record().agent_session) == (start, "given")


def test_a_folder_that_is_gone_does_not_stop_the_agent(tmp_path: Path) -> None:
    """What cannot be kept is known in memory."""
    with scene(
        folder=SessionFolder(tmp_path / "gone"), headers={"anthropic-ratelimit-unified-5h-utilization": "0.5"}
    ) as on:
        assert on.ask(headers={"X-Claude-Code-Session-Id": "s"}).status_code == 200
        assert on.proxy.learning.gauges


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
