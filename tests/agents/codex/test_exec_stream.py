"""What `codex exec --json` printed: the thread's count, of which a run's part is the difference."""

from __future__ import annotations

from tabstop.agents.codex.exec_stream import ExecStream, read_exec_stream
from tabstop.usage import Tokens
from tests.support.samples import SAMPLES


def stream(name: str) -> ExecStream:
    with (SAMPLES / "codex" / name).open("rb") as lines:
        return read_exec_stream(lines)


def test_a_resumed_run_used_what_its_thread_grew_by() -> None:
    """Its first count holds all that came before: added up, two runs would be nearly twice what they cost."""
    first, resumed = stream("stream.jsonl"), stream("stream-resumed.jsonl")
    assert first.thread == resumed.thread
    assert sum(first.used(), Tokens()).total == 49_910
    assert resumed.used(first.counts[-1]) == (Tokens(input=8_010, output=150),)
    assert sum(resumed.used(), Tokens()).total == 58_070


def test_a_forked_run_begins_where_its_parent_stood() -> None:
    """Another thread, and yet its count holds the parent's."""
    fork = stream("stream-forked.jsonl")
    assert fork.used()[0].total == 49_970
    before = fork.counts[0] - Tokens(input=8_010, output=150)
    assert fork.used(before) == (Tokens(input=8_010, output=150),)


def test_several_turns_and_what_cannot_be_read() -> None:
    """Each turn is a difference; a count that began anew is never negative."""
    lines = [
        b'{"type":"thread.started","thread_id":"t"}\n',
        b'{"type":"turn.completed","usage":{"input_tokens":10,"cached_input_tokens":4,"output_tokens":1}}\n',
        b'{"type":"turn.completed","usage":{"input_tokens":"many"}}\n',
        b'{"type":"turn.completed"}\n',
        None,
        b'{"type":"turn.completed","usage":{"input_tokens":15,"cached_input_tokens":4,"output_tokens":3}}\n',
        b'{"type":"turn.completed","usage":{"input_tokens":2}}\n',
        b'{"type":"turn.comp',
    ]
    read = read_exec_stream(lines)
    assert read.used() == (Tokens(input=6, cache_read=4, output=1), Tokens(input=5, output=2), Tokens())
    assert [(one.line, one.reason) for one in read.skipped] == [
        (3, "input_tokens is not a count"),
        (5, "longer than 8 MiB"),
        (8, "half-written"),
    ]
