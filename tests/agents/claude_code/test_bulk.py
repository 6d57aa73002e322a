"""The quick reader of transcripts: the thorough reader's answer about every file, in columns, with bounded memory."""

import io
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench import dense_transcripts
from tabstop.agents.claude_code.bulk import read_bulk
from tabstop.agents.claude_code.client_count import Counts
from tabstop.agents.claude_code.rows import LONGEST_ROW, MOST_TOKENS, lines_of
from tabstop.agents.claude_code.transcript import read_transcript
from tabstop.agents.log_files import LogReading
from tabstop.agents.log_table import LogTable, log_table
from tests.support.samples import SAMPLES

SAMPLE_FILES = sorted(SAMPLES.rglob("*.jsonl"))
SESSION = "11111111-1111-4111-8111-111111111111"
AT = "2026-11-21T12:00:00.000Z"


class Answer(NamedTuple):
    """What must be equal of two log tables, in an order of its own."""

    calls: list[tuple[object, ...]]
    about: tuple[object, ...]
    checkpoints: list[tuple[Counts, object]]


def answer(table: LogTable) -> Answer:
    calls = [(usage.keys, usage, usage.tokens, usage.evidence) for _, usage in table.calls.usages("")]
    about = (table.session, table.pull_requests, table.commits, table.copied_from, table.skipped, table.skip_reasons)
    return Answer(
        sorted(calls, key=lambda one: repr(one[0])), about, [(one.counts, one.after) for one in table.checkpoints]
    )


def quick(body: bytes, piece: int = 4_096) -> Answer:
    return answer(read_bulk(io.BytesIO(body), piece=piece))


def thorough(body: bytes) -> Answer:
    part = read_transcript(lines_of(io.BytesIO(body)))
    reading = LogReading(
        session=part.session,
        usages=part.usages,
        pull_requests=part.pull_requests,
        commits=part.commits,
        copied_from=part.copied_from,
        checkpoints=part.checkpoints,
        skipped=part.skipped,
        skip_reasons=part.skip_reasons,
    )
    return answer(log_table(reading))


def an_answer(request: str = "req_1", **changes: Any) -> dict[str, Any]:
    message = {
        "id": changes.pop("id", f"msg_{request}"),
        "model": changes.pop("model", "claude-opus-5-5"),
        "usage": changes.pop("usage", {"input_tokens": 10, "output_tokens": 5}),
    }
    row = {"type": "assistant", "sessionId": SESSION, "requestId": request, "timestamp": AT, "message": message}
    return row | {"cwd": "/home/dev/widget", "gitBranch": "feature/x"} | changes


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: str(path.relative_to(SAMPLES)))
def test_every_sample(path: Path) -> None:
    """Transcripts, and streams of all agents as something strange, whole and cut anywhere near their end."""
    body = path.read_bytes()
    assert quick(body) == thorough(body)
    for cut in range(1, 40, 7):
        assert quick(body[:-cut]) == thorough(body[:-cut])


def test_a_dense_session(tmp_path: Path) -> None:
    """The bench's own transcripts."""
    dense_transcripts.write(tmp_path, files=2, answers=40)
    for path in tmp_path.rglob("*.jsonl"):
        assert quick(path.read_bytes()) == thorough(path.read_bytes())
        assert len(quick(path.read_bytes()).calls) == 40


MUTATED = {path.stem: path.read_bytes() for path in SAMPLE_FILES if path.parent.name == "-home-dev-widget"}
JUNK = [
    b"",
    b"\x00",
    b"\xff",
    b"\n",
    b"\r\n",
    b'"',
    b"}",
    b"{}",
    b"[",
    b"\\",
    b"null",
    b"-1",
    b"1e999",
    b"true",
    b"\xef\xbb\xbf",
    b"\\ud800",
    b"9" * 25,
]
"""What bytes are replaced by."""


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_files(data: st.DataObject) -> None:
    """Any bytes of a real transcript replaced, dropped, doubled or swapped: both readers say the same of it."""
    body = bytearray(MUTATED[data.draw(st.sampled_from(sorted(MUTATED)))])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body)))
        end = min(len(body), at + data.draw(st.sampled_from([0, 1, 1, 3, 40, 900])))
        new = data.draw(st.sampled_from([*JUNK, bytes(body[at : at + 200]), bytes([data.draw(st.integers(0, 255))])]))
        body[at:end] = new
    assert quick(bytes(body)) == thorough(bytes(body))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 3),
    st.sampled_from(
        [
            MOST_TOKENS,
            MOST_TOKENS + 1,
            10**30,
            1.0,
            0.5,
            "",
            "x",
            "req_1",
            "msg_1",
            "HEAD",
            AT,
            "2026-11-21T14:00:00+02:00",
            [],
            {},
        ]
    ),
)
FIELDS = ["type", "timestamp", "sessionId", "cwd", "gitBranch", "requestId", "requestSessionId", "agentId", "isApiErrorMessage", "message", "toolUseResult", "modelUsage", "prNumber", "prRepository"]  # fmt: skip
USED = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "server_tool_use", "speed", "service_tier", "inference_geo"]  # fmt: skip
ODD_ROWS = st.builds(
    lambda kind, row, message, used: an_answer(type=kind, **message, usage=used) | row,
    st.sampled_from(["assistant"] * 6 + ["user", "cost-state", "pr-link"]),
    st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=2),
    st.dictionaries(st.sampled_from(["id", "model"]), ODD, max_size=1),
    st.one_of(ODD, st.dictionaries(st.sampled_from(USED), ODD, max_size=4)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(ODD_ROWS, ODD), max_size=8))
@example([an_answer("req_1", id=None), an_answer("req_1", id="msg_1"), an_answer("req_2", requestId=None, id="msg_1")])
@example([an_answer("req_1", requestId=None), an_answer("req_1"), an_answer("req_2", requestId=None, id=None)])
@example([an_answer("req_1", model="<synthetic>"), an_answer("req_2", isApiErrorMessage=True)])
@example([an_answer("req_1", id=None), an_answer("req_2", id="msg_1"), an_answer("req_1", id="msg_1")])
def test_odd_rows(rows: list[object]) -> None:
    """Fields of any type, ids that join answers late, rows that are no objects."""
    assert quick(lines(*rows)) == thorough(lines(*rows))


@pytest.mark.parametrize("length", [LONGEST_ROW - 1, LONGEST_ROW, LONGEST_ROW + 1, LONGEST_ROW + 300_000])
@pytest.mark.parametrize("ended", [True, False])
def test_a_row_that_is_too_long(length: int, ended: bool) -> None:
    """It is skipped with its number, and what comes after it is read."""
    row = lines(an_answer())[:-1]
    long = row[:-1] + b" " * (length - len(row)) + b"}"
    body = lines(an_answer("req_0")) + long + (b"\n" + lines(an_answer("req_2")) if ended else b"")
    assert quick(body, 256 * 1024) == thorough(body)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_file_that_grows(data: st.DataObject) -> None:
    """Read in two goes, at the end of any line, it tells what it tells at once."""
    body = MUTATED[data.draw(st.sampled_from(sorted(MUTATED)))]
    body = body[: body.rfind(b"\n") + 1]
    ends = [place + 1 for place, byte in enumerate(body) if byte == 10]
    cut = data.draw(st.sampled_from(ends))
    first = read_bulk(io.BytesIO(body[:cut]))
    second = read_bulk(io.BytesIO(body), first)
    whole = read_bulk(io.BytesIO(body))
    assert (first.size, second.size, second.lines) == (cut, len(body), whole.lines)
    told = {key for table in (first, second) for call in answer(table).calls for key in call[:1]}
    assert told == {call[0] for call in answer(whole).calls}
    both = (*first.checkpoints, *second.checkpoints)
    assert [(one.counts, one.after) for one in both] == answer(whole).checkpoints
    assert (second.session, second.branch, second.latest) == (whole.session, whole.branch, whole.latest)


def test_blank_lines() -> None:
    """Are no rows, and none was skipped; they count as lines."""
    body = b"\n \n" + lines(an_answer()) + b"\r\n"
    assert quick(body) == thorough(body)
    table = read_bulk(io.BytesIO(body))
    assert (table.lines, table.skip_reasons) == (4, {})


@pytest.mark.parametrize(
    "odd",
    [
        b"%b%b\n",
        b"%b%b\n\n",
        b"%b %b\n\n",
        b'{"type":\n"user"}\n%b%b\n',
        b'{"type":[{}\n,{}]}\n%b%b\n',
        b'{"said":"{}\n{}"}%b%b\n',
        b"%b\n[]\n%b\n",
        b"\n%b\n%b\n",
        b"%b\r\n%b\n",
        b"%b\n%b",
        b"%b\n%b}\n",
        b"\n%b%b",
    ],
)
def test_lines_and_objects(odd: bytes) -> None:
    """A line is one object: where one goes over two lines, or two stand on one, both readers skip the same lines."""
    one, two = (lines(an_answer(name)).strip() for name in ("req_1", "req_2"))
    body = lines(an_answer("req_3")) + odd % (one, two)
    assert quick(body) == thorough(body)


def test_what_is_being_written_is_read_again() -> None:
    """A file whose last row has no end yet is not gone on with."""
    assert read_bulk(io.BytesIO(lines(an_answer())[:-1])).size == 0
    assert read_bulk(io.BytesIO(lines(an_answer())[:-9])).size == 0


@pytest.mark.parametrize("ended", [True, False])
def test_memory_is_bounded(tmp_path: Path, ended: bool) -> None:
    """200 MB in one line need some 20 MB."""
    path = tmp_path / "long.jsonl"
    with path.open("wb") as stream:
        stream.write(lines(an_answer("req_0")))
        stream.truncate(200_000_000)  # a hole: no disk is used
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n" + lines(an_answer("req_1")) if ended else b"")
    tracemalloc.start()
    try:
        with path.open("rb") as opened:
            table = read_bulk(opened)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(table.calls) == 1 + ended
    assert table.skip_reasons == {"longer than 8 MiB": 1}
    assert most < 40_000_000
