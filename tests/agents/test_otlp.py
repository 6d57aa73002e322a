"""What telemetry tells: each event's table of records and what they mean, and what is never taken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.web.otlp_body import JSON, PROTOBUF, records_in
from tabstop.agents.claude_code.rows import RowError
from tabstop.agents.gemini.logs import read
from tabstop.agents.log_files import LogFile
from tabstop.agents.otlp import ALLOWED, event_named, heard
from tabstop.agents.telemetry import Heard, LogRecord, counted
from tabstop.alike import NEAR
from tabstop.evidence import NOWHERE, CommitMade, Evidence
from tabstop.usage import Tokens, Usage
from tests.support.otlp import as_protobuf, sent_by

AT = datetime(2026, 11, 21, 21, 21, 45, 501_000, tzinfo=UTC)
SHA, OTHER = "4543a44b1a7873eedc8daa0fc4898234ad6911b3", "0123456789012345678901234567890123456789"
CALL: dict[str, Any] = {
    "session.id": "s",
    "request_id": "req_1",
    "model": "claude-opus-5-5",
    "input_tokens": 1,
    "output_tokens": 2,
}
RESPONSE: dict[str, Any] = {
    "session.id": "s",
    "model": "gemini-2.5-pro",
    "input_token_count": 10,
    "output_token_count": 3,
}


def told(event: str, attributes: dict[str, Any], resource: dict[str, Any] | None = None) -> Heard:
    """What one record tells."""
    found = heard(LogRecord(event, AT, attributes, resource or {}))
    assert found is not None
    return found


def call(changes: dict[str, Any], resource: dict[str, Any] | None = None) -> Usage:
    """A call of Claude Code, with changes; a value of None leaves an attribute out."""
    values = {name: value for name, value in {**CALL, **changes}.items() if value is not None}
    usage = told("claude_code.api_request", values, resource).usage
    assert usage is not None
    return usage


@pytest.mark.parametrize(
    ("changes", "tokens", "split_known"),
    [
        ({}, Tokens(1, 0, 0, 0, 2), True),
        ({"input_tokens": "7", "output_tokens": 9.0}, Tokens(7, 0, 0, 0, 9), True),
        ({"cache_read_tokens": 5}, Tokens(1, 5, 0, 0, 2), True),
        (
            {"cache_creation_tokens": 9, "cache_creation_5m_tokens": 4, "cache_creation_1h_tokens": 5},
            Tokens(1, 0, 4, 5, 2),
            True,
        ),
        ({"cache_creation_tokens": 9}, Tokens(1, 0, 9, 0, 2), False),
        ({"cache_creation_tokens": 9, "cache_creation_1h_tokens": 5}, Tokens(1, 0, 4, 5, 2), False),
    ],
)
def test_tokens_of_claude_code(changes: dict[str, Any], tokens: Tokens, split_known: bool) -> None:
    """Numbers or texts; cache writes by how long they live, where that is told."""
    found = call(changes)
    assert (found.tokens, found.cache_split_known) == (tokens, split_known)


@pytest.mark.parametrize(
    ("changes", "keys", "model", "thread"),
    [
        ({}, ("anthropic:req:req_1",), "claude-opus-5-5", "s"),
        ({"agent_id": "a1"}, ("anthropic:req:req_1",), "claude-opus-5-5", "a1"),
        ({"speed": "fast"}, ("anthropic:req:req_1",), "claude-opus-5-5[fast]", "s"),
        ({"speed": "normal"}, ("anthropic:req:req_1",), "claude-opus-5-5", "s"),
        ({"request_id": None}, ("anthropic:otel:s/1795296105501.0",), "claude-opus-5-5", "s"),
        (
            {"request_id": "", "event.sequence": 31},
            ("anthropic:otel:s/1795296105501.31",),
            "claude-opus-5-5",
            "s",
        ),
    ],
)
def test_which_call_it_is(changes: dict[str, Any], keys: tuple[str, ...], model: str, thread: str) -> None:
    """By the API's request id, as in transcripts; another cloud's answer has none."""
    found = call(changes)
    assert (found.keys, found.model, found.thread, found.occurred_at) == (keys, model, thread, AT)


@pytest.mark.parametrize(
    ("event", "attributes"),
    [
        ("claude_code.api_request", {**CALL, "session.id": ""}),
        ("claude_code.api_request", {**CALL, "model": "a model\nwith lines"}),
        ("claude_code.api_request", {**CALL, "input_tokens": -1}),
        ("claude_code.api_request", {**CALL, "input_tokens": True}),
        ("claude_code.api_request", {**CALL, "input_tokens": float("inf")}),
        ("claude_code.api_request", {**CALL, "input_tokens": 10**11}),
        ("claude_code.api_request", {**CALL, "input_tokens": "1e3"}),
        ("gemini_cli.api_response", {**RESPONSE, "model": ""}),
        ("gemini_cli.api_response", {**RESPONSE, "output_token_count": "9" * 16}),
    ],
)
def test_calls_that_cannot_be_read(event: str, attributes: dict[str, Any]) -> None:
    """Are said to be none, without quoting them."""
    with pytest.raises(RowError, match=r"^(a call without|\w+ is not a count)"):
        heard(LogRecord(event, AT, attributes))
    with pytest.raises(RowError):
        heard(LogRecord(event, None, CALL if "claude" in event else RESPONSE))


@pytest.mark.parametrize(
    ("resource", "evidence"),
    [
        ({}, NOWHERE),
        ({"vcs.repository.url.full": "https://x:secret@github.com/acme/widget.git"}, Evidence("acme/widget")),
        ({"vcs.repository.url.full": "git@github.com:acme/widget"}, Evidence("acme/widget")),
        ({"vcs.repository.url.full": "what is this"}, NOWHERE),
        ({"vcs.ref.head.name": "refs/heads/fix", "vcs.ref.head.revision": SHA}, Evidence("", "fix", SHA)),
        ({"vcs.ref.head.name": "v1", "vcs.ref.head.type": "tag"}, NOWHERE),
        ({"vcs.ref.head.name": 7}, NOWHERE),
    ],
)
def test_where_it_was_made(resource: dict[str, Any], evidence: Evidence) -> None:
    """As the resource says, in OpenTelemetry's own words."""
    assert call({}, resource).evidence == evidence


@pytest.mark.parametrize(
    ("attributes", "resource", "commit"),
    [
        ({}, {}, None),
        ({"vcs.ref.head.revision": SHA, "vcs.ref.head.name": "fix"}, {}, CommitMade(SHA, "", "fix", AT)),
        (
            {"vcs.ref.head.revision": SHA, "vcs.ref.head.name": "fix", "vcs.ref.head.type": "branch"},
            {"vcs.ref.head.revision": OTHER, "vcs.repository.url.full": "https://github.com/acme/widget"},
            CommitMade(SHA, "acme/widget", "fix", AT),
        ),
        ({"vcs.ref.head.revision": SHA}, {"vcs.ref.head.revision": SHA}, None),
        (
            {"vcs.ref.head.revision": SHA, "vcs.ref.head.name": "v1", "vcs.ref.head.type": "tag"},
            {},
            CommitMade(SHA, at=AT),
        ),
        ({"vcs.ref.head.revision": "HEAD"}, {}, None),
    ],
)
def test_commits(attributes: dict[str, Any], resource: dict[str, Any], commit: CommitMade | None) -> None:
    """A tool's result names the commit it made. What the client merely repeats of its resource is none."""
    found = heard(LogRecord("claude_code.tool_result", AT, {"session.id": "s", **attributes}, resource))
    assert (found.commit if found else None) == commit
    assert heard(LogRecord("claude_code.tool_result", AT, attributes, resource)) is None


def test_geminis_counts() -> None:
    """What was cached is in the input, thoughts stand beside the output; the session may be named by the resource alone."""
    more = {"cached_content_token_count": 8, "thoughts_token_count": 4, "tool_token_count": "1"}
    values = {name: value for name, value in {**RESPONSE, **more}.items() if name != "session.id"}
    found = told("gemini_cli.api_response", values, {"session.id": "s"})
    assert found.usage is not None
    assert (found.session, found.usage.tokens) == ("s", Tokens(3, 8, 0, 0, 7))


TOLD = "2026-11-21T21:21:45.501Z"

BEHIND: dict[str, Any] = {
    "session.id": "s",
    "event.timestamp": TOLD,
    "gen_ai.response.id": "abc",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 3,
}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({}, "google:resp:abc"),
        ({"session.id": "other"}, f"google:said:s/{TOLD}/10.3"),
        ({"event.timestamp": "2026-11-21T21:21:46.000Z"}, f"google:said:s/{TOLD}/10.3"),
        ({"gen_ai.usage.output_tokens": 4}, f"google:said:s/{TOLD}/10.3"),
        ({"gen_ai.response.id": ""}, f"google:said:s/{TOLD}/10.3"),
        (None, f"google:said:s/{TOLD}/10.3"),
    ],
)
def test_geminis_response_is_named_by_the_record_behind(changes: dict[str, Any] | None, key: str) -> None:
    """Where that is of the same call. By itself it tells none, and a call without it is known by when and what it told."""
    details = "gen_ai.client.inference.operation.details"
    behind = None if changes is None else LogRecord(details, AT, {**BEHIND, **changes})
    found = heard(LogRecord("gemini_cli.api_response", AT, {**RESPONSE, "event.timestamp": TOLD}), behind)
    assert found is not None
    assert found.usage is not None
    assert found.usage.keys == (key,)
    if behind is not None:
        assert heard(behind) is None


def test_a_time_that_is_none_names_no_call() -> None:
    """Whatever a client puts there would be kept in the call's key."""
    usage = told("gemini_cli.api_response", {**RESPONSE, "event.timestamp": "rename the heading"}).usage
    assert usage is not None
    assert usage.keys == (f"google:said:s/{int(AT.timestamp() * 1000)}/10.3",)


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
def test_a_resource_is_read_once(kind: str) -> None:
    """However many records it sends: each of them with all of its attributes would take hours."""
    resource = {"attributes": [{"key": "vcs.ref.head.name", "value": {"stringValue": "fix"}}]}
    record = {"eventName": "gemini_cli.api_response"}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record] * 3}]}]}
    found = records_in(json.dumps(body).encode() if kind == JSON else as_protobuf(body), kind)
    assert [one.resource for one in found] == [{"vcs.ref.head.name": "fix"}] * 3
    assert len({id(one.resource) for one in found}) == 1


def test_geminis_response_without_a_record_behind_it() -> None:
    """Another event's, or none that tells its own time: the record's stands for it."""
    response = LogRecord("gemini_cli.api_response", AT, RESPONSE)
    found = heard(response, response)
    assert found is not None
    assert found.usage is not None
    assert found.usage.keys == ("google:said:s/1795296105501/10.3",)


def test_a_real_chat_and_its_telemetry_are_the_same_calls(tmp_path: Path) -> None:
    """One for one."""
    chat = tmp_path / "chats" / "session-1.jsonl"
    chat.parent.mkdir()
    chat.write_bytes((Path(__file__).parents[1] / "samples" / "gemini" / "chat.jsonl").read_bytes())
    (reading,) = read(LogFile("gemini-cli", chat))
    sent = [record for body in sent_by("gemini") for record in records_in(json.dumps(body).encode(), JSON)]
    pairs = zip(sent, (*sent[1:], None), strict=True)
    calls = [told.usage for record, behind in pairs if (told := heard(record, behind)) is not None and told.usage]
    assert len(calls) == len(reading.usages) == 5
    assert all(call.keys[0].startswith("google:resp:") for call in calls)
    for one, other in zip(reading.usages, calls, strict=True):
        assert (one.tokens, one.thread) == (other.tokens, other.thread)
        assert abs(one.occurred_at - other.occurred_at) < NEAR / 10


@pytest.mark.parametrize("client", ["claude", "gemini", "codex"])
def test_both_encodings_say_the_same(client: str) -> None:
    """And only what the list allows comes out of either."""
    for body in sent_by(client):
        found = records_in(json.dumps(body).encode(), JSON)
        if client == "claude":
            assert found == records_in(as_protobuf(body), PROTOBUF)
        for record in found:
            assert {*record.attributes, *record.resource} <= ALLOWED[record.name]
        assert bool(found) == (client != "codex")


@pytest.mark.parametrize(
    ("scope", "names", "event"),
    [
        ("", ("claude_code.api_request",), "claude_code.api_request"),
        ("com.anthropic.claude_code.events", ("", "api_request"), "claude_code.api_request"),
        ("somebody.else", ("api_request",), ""),
        ("", ("codex.api_request", "gemini_cli.api_response"), "gemini_cli.api_response"),
        ("", ("claude_code.user_prompt",), ""),
        ("", (), ""),
    ],
)
def test_which_events_are_read(scope: str, names: tuple[str, ...], event: str) -> None:
    """By the body, the attribute or the field that names it, whichever a client's version uses."""
    assert event_named(scope, *names) == event


def test_a_missing_count_is_none() -> None:
    """Nothing was read from a cache that is not told of."""
    assert counted(LogRecord("claude_code.api_request"), "cache_read_tokens") == 0
