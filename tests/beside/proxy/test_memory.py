"""What the proxy remembers from call to call, within bounds: the longest answers, prompts, streams in pieces, what it learned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tabstop.beside.gauge_file import read_gauges
from tabstop.beside.proxy.call import Call, Part
from tabstop.beside.proxy.conversations import ANSWERS, THREADS, Conversations
from tabstop.beside.proxy.longest_answers import longest_answer_of
from tabstop.beside.proxy.streams import Passing
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.wire import StartRequest
from tests.beside.proxy.scene import scene
from tests.beside.proxy.turn_metadata import SHA, codex

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


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
