"""One transcript: what its rows say, and that no bytes can break the reading."""

import hashlib
import hmac
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.agents.claude_code.rows import MOST_TOKENS, lines_of
from tabstop.agents.claude_code.transcript import TranscriptPart, read_transcript
from tabstop.evidence import Evidence, PullRequestLink
from tabstop.usage import Tokens, ToolCall
from tests.support.samples import CLAUDE, SAMPLES

TRANSCRIPTS = sorted(CLAUDE.glob("*/projects/**/*.jsonl"))
SESSION = "11111111-1111-4111-8111-111111111111"
AT = "2026-11-21T12:00:00.000Z"


def an_answer(request: str = "req_1", **changes: Any) -> dict[str, Any]:
    """A row of one content block; `usage`, `content` and `model` go into the message."""
    message = {
        "id": f"msg_{request}",
        "model": changes.pop("model", "claude-opus-5-5"),
        "content": changes.pop("content", []),
        "usage": changes.pop("usage", {"input_tokens": 10, "output_tokens": 5}),
    }
    row = {"type": "assistant", "sessionId": SESSION, "requestId": request, "timestamp": AT, "message": message}
    return row | changes


def results(*ids: str, failed: bool = False, **changes: Any) -> dict[str, Any]:
    """A user row with tool results."""
    content = [{"type": "tool_result", "tool_use_id": one, "content": "…", "is_error": failed} for one in ids]
    return {"type": "user", "sessionId": SESSION, "message": {"content": content}} | changes


def a_tool(call: str, name: str = "Bash", arguments: object = None) -> dict[str, Any]:
    return {"type": "tool_use", "id": call, "name": name, "input": {} if arguments is None else arguments}


def read(*rows: object, hmac_key: bytes = b"") -> TranscriptPart:
    return read_transcript([json.dumps(row).encode() + b"\n" for row in rows], hmac_key=hmac_key)


def test_content_blocks_are_one_response() -> None:
    """One row per block with the same ids; early ones may be unfinished, and the fullest counts."""
    early = an_answer(usage={"input_tokens": 10, "output_tokens": 1})
    late = an_answer(usage={"input_tokens": 10, "output_tokens": 150}, timestamp="2026-11-21T12:00:03.000Z")
    for rows in ((early, late), (late, early), (early, late, late, early)):
        (usage,) = read(*rows).usages
        assert usage.tokens == Tokens(input=10, output=150)
        assert usage.occurred_at == datetime(2026, 11, 21, 12, 0, 3, tzinfo=UTC)
        assert usage.keys == ("anthropic:msg:msg_req_1", "anthropic:req:req_1")


@pytest.mark.parametrize("missing", ["requestId", "id"])
def test_one_id_is_enough(missing: str) -> None:
    """Some clouds send no request id; either finds the response again."""
    whole, part = an_answer(), an_answer()
    (part if missing == "requestId" else part["message"]).pop(missing)
    assert len(read(part).usages) == 1
    assert read(part, whole).usages == read(whole, part).usages == read(whole).usages


def test_a_row_with_both_ids_joins_two_with_one_each() -> None:
    """Three reports, one response."""
    by_request, by_message = an_answer(), an_answer()
    del by_request["message"]["id"]
    del by_message["requestId"]
    assert len(read(by_request, by_message, an_answer()).usages) == 1


@pytest.mark.parametrize(
    ("usage", "tokens", "known"),
    [
        ({"input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 3}, Tokens(1, 2, output=3), True),
        (
            {
                "cache_creation_input_tokens": 900,
                "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 300},
            },
            Tokens(0, 0, 600, 300),
            True,
        ),
        ({"cache_creation_input_tokens": 900}, Tokens(cache_write_5m=900), False),
        (
            {"cache_creation_input_tokens": 900, "cache_creation": {"ephemeral_1h_input_tokens": 300}},
            Tokens(0, 0, 600, 300),
            False,
        ),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 300}}, Tokens(cache_write_1h=300), True),
        ({"input_tokens": None, "cache_creation": None}, Tokens(), True),
        ({}, Tokens(), True),
    ],
)
def test_tokens_by_kind(usage: dict[str, Any], tokens: Tokens, known: bool) -> None:
    """Kinds do not overlap; a write without a lifetime is one of 5 minutes that says so."""
    (one,) = read(an_answer(usage=usage)).usages
    assert (one.tokens, one.cache_split_known) == (tokens, known)


@pytest.mark.parametrize(
    ("usage", "model"),
    [
        ({"speed": "standard", "service_tier": "standard", "inference_geo": ""}, "claude-opus-5-5"),
        ({"speed": "fast"}, "claude-opus-5-5[fast]"),
        ({"service_tier": "batch"}, "claude-opus-5-5[batch]"),
        ({"service_tier": "priority"}, "claude-opus-5-5[priority]"),
        ({"inference_geo": "us"}, "claude-opus-5-5[us]"),
        ({"inference_geo": "global", "service_tier": ["odd"], "speed": {}}, "claude-opus-5-5"),
    ],
)
def test_how_it_was_served_is_part_of_the_model(usage: dict[str, Any], model: str) -> None:
    """Fast mode costs twice as much; a price that ignored it would be wrong by half."""
    (one,) = read(an_answer(usage=usage)).usages
    assert one.model == model


def test_web_searches_are_counted() -> None:
    """They are billed by request."""
    (one,) = read(an_answer(usage={"server_tool_use": {"web_search_requests": 2}})).usages
    assert one.web_searches == 2


def test_what_a_fork_copied_does_not_know_its_branch() -> None:
    """The client writes the branch that was checked out when it copied the row. The row itself, in its own file, knows better."""
    own = an_answer(gitBranch="one", cwd="/w")
    copied = an_answer(gitBranch="two", cwd="/w", sessionId="2222", requestSessionId=SESSION)
    assert [usage.evidence for usage in read(copied).usages] == [Evidence(folder="/w")]
    for rows in ((own, copied), (copied, own)):
        assert [usage.evidence.branch for usage in read(*rows).usages] == ["one"]


@pytest.mark.parametrize(
    ("changes", "thread"),
    [
        ({}, SESSION),
        ({"requestSessionId": "2222"}, "2222"),
        ({"agentId": "a1", "isSidechain": True}, "a1"),
        ({"agentId": "a1", "requestSessionId": "2222"}, "a1"),
    ],
)
def test_the_thread_is_the_one_that_asked(changes: dict[str, Any], thread: str) -> None:
    """A fork's copy says whose request it was; a subagent's row names the agent."""
    (one,) = read(an_answer(**changes)).usages
    assert one.thread == thread


@pytest.mark.parametrize("changes", [{"model": "<synthetic>"}, {"isApiErrorMessage": True}])
def test_the_clients_own_words_are_no_answer(changes: dict[str, Any]) -> None:
    """An API error shown as an answer was billed by nobody, and is nothing skipped either."""
    part = read(an_answer(**changes))
    assert (part.usages, part.skip_reasons) == ((), {})


def test_a_response_reads_the_results_since_the_one_before() -> None:
    """Asked by one response, answered by the machine, read by the next; failures are marked."""
    part = read(
        an_answer("req_1", content=[a_tool("t1"), a_tool("t2", "Read")]),
        results("t1"),
        an_answer("req_1", content=[a_tool("t3", "Edit")]),
        results("t2", failed=True),
        an_answer("req_2", content=[a_tool("t4")]),
        results("t3", "t4", "nobody-asked"),
        an_answer("req_3", timestamp="2026-11-21T12:00:01Z", content=[a_tool("t5", "Grep"), a_tool("t6", "Glob")]),
        results("t5"),
    )
    read_by = {one.keys[1].removeprefix("anthropic:req:"): one.tool_calls for one in part.usages}
    assert read_by == {
        "req_1": (),
        "req_2": (ToolCall("Bash"), ToolCall("Read", failed=True)),
        "req_3": (ToolCall("Edit"), ToolCall("Bash")),
    }
    assert part.unread == (ToolCall("Grep"), ToolCall("Glob"))


def test_a_subagents_tools_are_its_own() -> None:
    """Rows of a subagent between those of the main thread do not mix."""
    part = read(
        an_answer("req_1", content=[a_tool("t1")]),
        an_answer("req_2", agentId="a1", content=[a_tool("t2", "Read")]),
        results("t1"),
        results("t2", agentId="a1"),
        an_answer("req_3"),
        an_answer("req_4", agentId="a1"),
    )
    assert {one.thread: one.tool_calls for one in part.usages if one.tool_calls} == {
        SESSION: (ToolCall("Bash"),),
        "a1": (ToolCall("Read"),),
    }


def test_arguments_are_told_apart_by_an_hmac() -> None:
    """Of their canonical JSON: the order of keys does not matter, the key does."""
    rows = [
        an_answer("req_1", content=[a_tool("t1", arguments={"b": 1, "a": "ü"})]),
        results("t1"),
        an_answer("req_2", content=[a_tool("t2", arguments={"a": "ü", "b": 1})]),
        results("t2"),
        an_answer("req_3"),
    ]
    digests = [tool.arguments_hmac for one in read(*rows, hmac_key=b"k").usages for tool in one.tool_calls]
    assert digests == [hmac.new(b"k", b'{"a":"\\u00fc","b":1}', hashlib.sha256).hexdigest()] * 2
    assert {tool.arguments_hmac for one in read(*rows).usages for tool in one.tool_calls} == {""}


def test_cost_states_stand_between_what_they_count_and_what_they_do_not() -> None:
    """Cumulative, without a time of their own: the latest before them dates them."""
    state = {"type": "cost-state", "modelUsage": {"m": {"inputTokens": 10, "costUSD": 0.117196}}}
    part = read(state, an_answer(), state, an_answer("req_2"))
    first, second = part.checkpoints
    assert (first.after, second.after) == (None, datetime(2026, 11, 21, 12, tzinfo=UTC))
    assert second.counts["m"].cost == 117_196_000
    assert part.since_checkpoint == {"anthropic:req:req_2", "anthropic:msg:msg_req_2"}


def test_pull_requests_are_named_once() -> None:
    """Repository and number; a link that is none is left out."""
    link = {"type": "pr-link", "prNumber": 42, "prRepository": "acme/widget", "prUrl": "https://…"}
    part = read(link, link, link | {"prNumber": True}, link | {"prNumber": "1"}, link | {"prRepository": "\n"})
    assert part.pull_requests == (PullRequestLink("acme/widget", 42),)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{\n", "not JSON"),
        (b"\xff\xfe\n", "not JSON"),
        (b'{"a": NaN}\n', "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}\n", "not JSON"),
        (b"[]\n", "not a JSON object"),
        (b'"assistant"\n', "not a JSON object"),
        (b"[" * 100_000 + b"\n", "nested too deeply"),
        (b'{"type": "assistant", "mess', "half-written"),
    ],
)
def test_a_line_that_is_no_row_is_counted_with_its_number(line: bytes, reason: str) -> None:
    """And the rows around it are read."""
    good = json.dumps(an_answer()).encode() + b"\n"
    part = read_transcript([good, b"\n", line, *([good] if line.endswith(b"\n") else [])])
    assert len(part.usages) == 1
    assert [(one.line, one.reason) for one in part.skipped] == [(3, reason)]
    assert part.skip_reasons == {reason: 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"usage": None}, "an answer without usage"),
        ({"usage": [1]}, "an answer without usage"),
        ({"message": "text"}, "an answer without usage"),
        ({"usage": {"input_tokens": "10"}}, "input_tokens is not a count"),
        ({"usage": {"input_tokens": True}}, "input_tokens is not a count"),
        ({"usage": {"output_tokens": -1}}, "output_tokens is not a count"),
        ({"usage": {"output_tokens": 1.5}}, "output_tokens is not a count"),
        ({"usage": {"output_tokens": MOST_TOKENS + 1}}, "output_tokens is not a count"),
        ({"usage": {"server_tool_use": {"web_search_requests": {}}}}, "web_search_requests is not a count"),
        ({"model": ""}, "an answer without a model"),
        ({"model": 7}, "an answer without a model"),
        ({"model": "a b"}, "an answer without a model"),
        ({"model": "m\ud800"}, "an answer without a model"),
        ({"model": "m" * 201}, "an answer without a model"),
        ({"requestId": 1, "message": {"usage": {}, "model": "m", "id": None}}, "an answer without an id"),
        ({"timestamp": "yesterday"}, "an answer without a time"),
        ({"timestamp": "2026-11-21T12:00:00"}, "an answer without a time"),
        ({"timestamp": "0001-01-01T00:00:00+23:00"}, "an answer without a time"),
        ({"timestamp": 1}, "an answer without a time"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(changes: dict[str, Any], reason: str) -> None:
    """Without quoting it: content does not leave the machine, not even in a complaint."""
    part = read(an_answer(**changes))
    assert part.usages == ()
    assert part.skip_reasons == {reason: 1}


def test_nesting_at_the_edge_of_what_can_be_read() -> None:
    """Deep enough to be read but not to be written again, or too deep for both: never an error."""
    for depth in range(600, 1_010, 3):
        nested = b"[" * depth + b"]" * depth
        row = json.dumps(an_answer(content=[a_tool("t1", arguments="HERE")])).encode().replace(b'"HERE"', nested)
        part = read_transcript([row + b"\n"], hmac_key=b"k")
        assert part.usages or sum(part.skip_reasons.values()) == 1


def test_a_tool_without_an_id_or_a_name_is_passed_over() -> None:
    """Its result could not be told from another's."""
    tools = [a_tool(""), a_tool("t1", ""), {"type": "tool_use"}, "text", None]
    assert read(an_answer(content=tools), results("", "t1"), an_answer("req_2")).unread == ()


def test_a_row_too_long_is_passed_over_without_being_held() -> None:
    """The rest of the file is read; so is a last row without an end."""
    stream = io.BytesIO(b"a" * 10 + b"\n" + b"b" * 5_000_000 + b"\n" + b"c" * 9)
    assert list(lines_of(stream, longest=100)) == [b"a" * 10 + b"\n", None, b"c" * 9]
    assert list(lines_of(io.BytesIO(b"d" * 101), longest=100)) == [None]
    assert list(lines_of(io.BytesIO(b"d" * 100 + b"\n"), longest=100)) == [b"d" * 100 + b"\n"]
    assert read_transcript([None]).skip_reasons == {"longer than 8 MiB": 1}


def test_a_flood_of_bad_lines_is_counted_not_kept() -> None:
    """The first fifty tell enough."""
    part = read_transcript([b"x\n"] * 1000)
    assert part.skip_reasons == {"not JSON": 1000}
    assert len(part.skipped) == 50


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    [
        "type",
        "message",
        "usage",
        "model",
        "id",
        "content",
        "requestId",
        "sessionId",
        "timestamp",
        "agentId",
        "modelUsage",
    ]
)


@given(st.lists(st.dictionaries(names, values | st.sampled_from(["assistant", "user", "cost-state", AT])), max_size=6))
def test_any_json_is_survived(rows: list[dict[str, Any]]) -> None:
    """Fields of every wrong type in every place."""
    read(an_answer(), *rows, *((an_answer() | {"message": row}) for row in rows), hmac_key=b"k")


@settings(max_examples=60)
@given(st.data())
def test_any_damage_is_survived(data: st.DataObject) -> None:
    """Real transcripts with bytes cut out, doubled and changed: rows that are whole keep their counts."""
    path = data.draw(st.sampled_from(TRANSCRIPTS), label="file")
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8), label="damages")):
        at = data.draw(st.integers(0, max(0, len(raw) - 1)))
        match data.draw(st.sampled_from(["flip", "cut", "double", "insert", "end"])):
            case "flip":
                raw[at] ^= data.draw(st.integers(1, 255))
            case "cut":
                del raw[at : at + data.draw(st.integers(1, 500))]
            case "double":
                raw[at:at] = raw[at : at + data.draw(st.integers(1, 3000))]
            case "insert":
                raw[at:at] = data.draw(st.binary(max_size=40))
            case _:
                del raw[at:]
        if not raw:
            break
    part = read_transcript(lines_of(io.BytesIO(bytes(raw))), hmac_key=b"k")
    assert len(part.usages) <= 40
    for usage in part.usages:
        assert usage.keys
        assert usage.tokens == usage.tokens.at_least_zero()
        assert usage.occurred_at.tzinfo is UTC


def test_other_agents_files_are_no_transcripts() -> None:
    """Nothing in them is taken for an answer."""
    for path in SAMPLES.glob("codex/*.jsonl"):
        with path.open("rb") as stream:
            assert read_transcript(lines_of(stream)).usages == ()
