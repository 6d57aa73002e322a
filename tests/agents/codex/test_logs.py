"""Codex's rollouts read whole: each response once over forks, resumes and archives, where it was made, and what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from tabstop.agents.claude_code.responses import each_once
from tabstop.agents.codex import packed
from tabstop.agents.codex.logs import COPIED, discover, read
from tabstop.agents.homes import Homes
from tabstop.agents.log_files import LogFile, LogReading
from tabstop.evidence import Evidence
from tabstop.usage import Grain, Tokens
from tests.support.samples import SAMPLES

BEGUN = datetime(2026, 6, 1, 12, tzinfo=UTC)
PARENT, CHILD = "019e0000-0000-7000-8000-000000000001", "019e9000-0000-7000-8000-000000000002"
OLD_TURN, NEW_TURN = "019e1000-0000-7000-8000-000000000003", "019e9001-0000-7000-8000-000000000004"


def sample(name: str) -> LogReading:
    (reading,) = read(LogFile("codex", SAMPLES / "codex" / name))
    return reading


def written(path: Path, rows: Iterable[dict[str, Any]]) -> LogReading:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (reading,) = read(LogFile("codex", path))
    return reading


def row(kind: str, payload: dict[str, Any], after: float = 0.0) -> dict[str, Any]:
    return {"timestamp": (BEGUN + timedelta(seconds=after)).isoformat(), "type": kind, "payload": payload}


def meta(name: str, after: float = 0.0, **more: Any) -> dict[str, Any]:
    at = (BEGUN + timedelta(seconds=after)).isoformat()
    return row("session_meta", {"id": name, "timestamp": at, "cwd": "/w", **more}, after)


def turn(name: str, after: float = 0.0, cwd: str = "/w") -> dict[str, Any]:
    return row("turn_context", {"turn_id": name, "model": "gpt-5.5", "cwd": cwd}, after)


def counter(total: int, last: int, after: float = 0.0) -> dict[str, Any]:
    """A running total, all of it input, and what the last answer used."""
    info = {
        name: {"input_tokens": n, "total_tokens": n}
        for name, n in (("total_token_usage", total), ("last_token_usage", last))
    }
    return row("event_msg", {"type": "token_count", "info": info}, after)


def counts(reading: LogReading) -> list[int]:
    return [usage.tokens.input for usage in reading.usages]


def test_a_session_its_fork_and_its_resumption_are_each_call_once() -> None:
    """As the real client left them: seven calls in the parent's file, one in the fork's, none of them twice."""
    parent, fork = sample("rollout-branched.jsonl"), sample("rollout-forked.jsonl")
    assert (len(parent.usages), len(fork.usages)) == (7, 1)
    assert len(each_once([*parent.usages, *fork.usages])) == 8
    assert parent.session != fork.session
    assert parent.skip_reasons == fork.skip_reasons == {}
    assert sum((usage.tokens for usage in parent.usages), Tokens()).total == 58_231  # the client's own count


@pytest.mark.parametrize("records", [True, False])
def test_a_subagent_that_was_given_its_parents_history(records: bool, tmp_path: Path) -> None:
    """As the real client left them: its file begins with the parent's head and turn. The same without records, as older versions wrote."""
    read_from = []
    for name in ("rollout-spawning.jsonl", "rollout-spawned.jsonl"):
        rows = [json.loads(line) for line in (SAMPLES / "codex" / name).read_text(encoding="utf-8").splitlines()]
        kept = [one for one in rows if records or one["type"] != "token_usage_record"]
        read_from.append(written(tmp_path / name, kept))
    parent, child = read_from
    assert [usage.tokens.total for usage in parent.usages] == [8_160, 8_261, 8_362, 8_463]
    assert [usage.tokens.total for usage in child.usages] == [8_160, 8_261]
    assert (child.session, child.skip_reasons) == (parent.session, {})
    assert {usage.thread for usage in child.usages}.isdisjoint(usage.thread for usage in parent.usages)
    assert len(each_once([*parent.usages, *child.usages])) == 6


def test_calls_lie_on_the_branch_they_were_made_on() -> None:
    """Where the session began, until git itself says that it went on elsewhere."""
    reading = sample("rollout-branched.jsonl")
    assert {usage.evidence.repository for usage in reading.usages} == {"acme/widget"}
    assert {usage.evidence.folder for usage in reading.usages} == {"/home/dev/widget"}
    assert [usage.evidence.branch for usage in reading.usages] == ["feature/one"] * 6 + ["feature/two"]
    assert [(made.branch, len(made.sha)) for made in reading.commits] == [("feature/one", 40), ("feature/two", 7)]
    assert reading.commits[0].sha == reading.usages[4].evidence.commit


def test_a_turn_in_another_folder_is_not_of_the_first_ones_branch(tmp_path: Path) -> None:
    """What git said of the first folder does not hold there, and holds again when it comes back."""
    git = {"branch": "main", "repository_url": "git@github.com:acme/widget.git", "commit_hash": "1234567"}
    rows = [meta(PARENT, git=git)]
    for number, folder in enumerate(("/w", "/other", "/w"), start=1):
        rows += [turn(f"t{number}", number, folder), counter(number * 10, 10, number)]
    told = [usage.evidence for usage in written(tmp_path / "r.jsonl", rows).usages]
    here = Evidence("acme/widget", "main", "1234567", "/w")
    assert told == [here, Evidence(folder="/other"), here]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(10, 10), (10, 10), (25, 15)], [10, 15]),  # written twice
        ([(10, 10), (45, 20)], [10, 35]),  # a row between was lost
        ([(10, 10), (0, 0), (7, 7)], [10, 7]),  # counts from nothing again
        ([(10, 10), (10, 3_000)], [10]),  # the context was estimated anew
        ([(50, 20)], [20]),  # the beginning is missing
    ],
)
def test_without_records_a_call_is_what_the_total_grew_by(
    rows: list[tuple[int, int]], expected: list[int], tmp_path: Path
) -> None:
    """Versions before records wrote only a running total."""
    reading = written(
        tmp_path / "r.jsonl", [meta(PARENT), turn("t"), *(counter(*one, n + 2) for n, one in enumerate(rows))]
    )
    assert counts(reading) == expected
    lost = [usage for usage in reading.usages if usage.grain is Grain.AGGREGATE]
    assert [usage.tokens.input for usage in lost] == [35 for one in expected if one == 35]


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize(
    "named",
    [
        {"forked_from_id": PARENT},
        {"parent_thread_id": PARENT},
        {"source": {"subagent": {"thread_spawn": {"parent_thread_id": PARENT, "depth": 1}}}},
    ],
)
@pytest.mark.parametrize(("old_turn", "new_turn"), [(OLD_TURN, NEW_TURN), ("", "")])
def test_a_replayed_history_counts_where_it_was_made(
    named: dict[str, Any], old_turn: str, new_turn: str, embedded: bool, tmp_path: Path
) -> None:
    """However the file names its parent, with or without the parent's own head, with turns named by time or not at all."""
    replay = [meta(PARENT)] if embedded else []
    replay += [turn(old_turn, 0.1), counter(100, 100, 0.1), counter(300, 200, 0.2)]
    rows = [meta(CHILD, **named), *replay, turn(new_turn, 5), counter(350, 50, 6), counter(420, 70, 7)]
    reading = written(tmp_path / "child.jsonl", rows)
    assert counts(reading) == [50, 70]
    assert reading.skip_reasons == {COPIED: 2}
    assert {usage.thread for usage in reading.usages} == {CHILD}


def test_turns_named_by_time_cut_a_replay_however_late_it_was_written(tmp_path: Path) -> None:
    """A large history takes longer than a second to copy."""
    rows = [
        meta(CHILD, forked_from_id=PARENT),
        turn(OLD_TURN, 9),
        counter(100, 100, 9),
        turn(NEW_TURN, 10),
        counter(130, 30, 11),
    ]
    assert counts(written(tmp_path / "child.jsonl", rows)) == [30]


def test_a_child_that_counts_on_from_its_parent_without_a_replay(tmp_path: Path) -> None:
    """Its first total is mostly the parent's; what its first answer used is told beside it."""
    rows = [meta(CHILD, forked_from_id=PARENT), turn(NEW_TURN, 3), counter(1_000_050, 50, 4), counter(1_000_080, 30, 5)]
    assert counts(written(tmp_path / "child.jsonl", rows)) == [50, 30]


def test_records_that_tell_no_tokens(tmp_path: Path) -> None:
    """An answer that used nothing is none; a usage that says nothing is told as not read."""
    nothing = row("token_usage_record", {"response_id": "r1", "usage": {"input_tokens": 0, "output_tokens": 0}}, 1)
    untold = row("token_usage_record", {"response_id": "r2", "usage": {}}, 2)
    reading = written(tmp_path / "r.jsonl", [meta(PARENT), turn("t"), nothing, untold])
    assert reading.usages == ()
    assert [(one.line, one.reason) for one in reading.skipped] == [(4, "an answer without id or usage")]


def test_copied_records_are_the_parents(tmp_path: Path) -> None:
    """The same response under the same key, named as the parent's, wherever it was copied to."""
    record = {"thread_id": PARENT, "session_id": PARENT, "response_id": "resp_1", "usage": {"input_tokens": 5}}
    parent = written(tmp_path / "a.jsonl", [meta(PARENT), turn(OLD_TURN), row("token_usage_record", record)])
    child = written(
        tmp_path / "b.jsonl", [meta(CHILD, forked_from_id=PARENT), turn(OLD_TURN), row("token_usage_record", record, 9)]
    )
    assert child.copied_from == {PARENT}
    assert parent.copied_from == frozenset()
    assert [usage.thread for usage in each_once([*parent.usages, *child.usages])] == [PARENT]


def test_a_subagents_rollout_works_for_its_session(tmp_path: Path) -> None:
    """Both count as one session, its calls under its own thread."""
    record = {"thread_id": CHILD, "session_id": PARENT, "response_id": "resp_2", "usage": {"input_tokens": 5}}
    reading = written(
        tmp_path / "b.jsonl",
        [
            meta(CHILD, session_id=PARENT, parent_thread_id=PARENT),
            turn(NEW_TURN, 2),
            row("token_usage_record", record, 3),
        ],
    )
    assert (reading.session, reading.usages[0].thread, reading.copied_from) == (PARENT, CHILD, frozenset())


def test_every_rollout_is_found_packed_and_archived(tmp_path: Path) -> None:
    """In both folders, in a stable order; other files, and links that lead elsewhere, are left alone."""
    day = tmp_path / "sessions" / "2026" / "11" / "22"
    archive = tmp_path / "archived_sessions"
    for folder in (day, archive):
        folder.mkdir(parents=True)
        for name in ("rollout-a.jsonl", "rollout-b.jsonl.zst", "notes.jsonl", "rollout-c.txt"):
            (folder / name).write_bytes(b"")
    (tmp_path / "sessions" / "link").symlink_to(archive)
    names = [str(file.path.relative_to(tmp_path)) for file in discover(Homes(codex=(tmp_path,)))]
    assert names == [
        "sessions/2026/11/22/rollout-a.jsonl",
        "sessions/2026/11/22/rollout-b.jsonl.zst",
        "archived_sessions/rollout-a.jsonl",
        "archived_sessions/rollout-b.jsonl.zst",
    ]
    assert list(discover(Homes(codex=(tmp_path / "nothing",)))) == []


def test_a_packed_rollout_is_the_same_rollout(tmp_path: Path) -> None:
    """Until where it was cut off; that it was is told with its line."""
    plain = SAMPLES / "codex" / "rollout-resumed.jsonl"
    whole = zstd.compress(plain.read_bytes())
    path = tmp_path / "rollout-x.jsonl.zst"
    path.write_bytes(whole)
    (reading,) = read(LogFile("codex", path))
    assert reading.usages == sample("rollout-resumed.jsonl").usages
    for content in (whole[: len(whole) // 2], b"no zstd at all"):
        path.write_bytes(content)
        (cut,) = read(LogFile("codex", path))
        assert list(cut.skip_reasons) == ["cannot be unpacked from here on"]


def test_a_file_made_to_fill_the_machine_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gigabyte of spaces packs into kilobytes, in many lines or in one."""
    monkeypatch.setattr(packed, "_SMALL", 1 << 20)
    path = tmp_path / "rollout-x.jsonl.zst"
    path.write_bytes(zstd.compress(b" " * 1_000 + b"\n") + zstd.compress((b" " * 4_000_000 + b"\n") * 8))
    (reading,) = read(LogFile("codex", path))
    assert list(reading.skip_reasons) == ["becomes larger than a log when unpacked"]
    path.write_bytes(zstd.compress(b" " * 32_000_000) + b"read no further")
    (reading,) = read(LogFile("codex", path))
    assert list(reading.skip_reasons) == ["becomes larger than a log when unpacked"]


def test_without_zstd_a_packed_rollout_is_skipped_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The action runs on whatever Python the machine has."""
    monkeypatch.setattr(packed, "ZSTD", ())
    path = tmp_path / "rollout-x.jsonl.zst"
    path.write_bytes(zstd.compress(b"{}\n"))
    (reading,) = read(LogFile("codex", path))
    assert reading.skip_reasons == {packed.NO_ZSTD: 1}


def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    """The rest of the file counts."""
    path = tmp_path / "rollout-x.jsonl"
    lines = (SAMPLES / "codex" / "rollout.jsonl").read_bytes().splitlines(keepends=True)
    lines[12] = b'{"type": "token_usage_record", "timestamp": "2026-11-21T21:22:04Z", "payload": {"usage": 7}}\n'
    lines[18] = b"{broken\n"
    path.write_bytes(b"".join(lines[:-2]) + lines[-2][:40])
    (reading,) = read(LogFile("codex", path))
    assert [(one.line, one.reason) for one in reading.skipped] == [
        (13, "an answer without id or usage"),
        (19, "not JSON"),
        (38, "half-written"),
    ]
    assert len(reading.usages) == 3


@pytest.mark.parametrize(
    ("asked", "printed"),
    [
        ({"type": "function_call", "arguments": '{"cmd": "git commit -am x"}'}, "[fix 1234567] x"),
        (
            {"type": "function_call", "arguments": '{"command": ["bash", "-lc", "git commit -am x"]}'},
            "Output:\n[fix 1234567] x",
        ),
        (
            {"type": "function_call", "arguments": {"cmd": "git commit -am x"}},
            [{"type": "input_text", "text": "[fix 1234567] x"}, 7],
        ),
        (
            {"type": "local_shell_call", "action": {"command": ["git", "commit", "-am", "x"]}},
            {"content": "[fix 1234567] x"},
        ),
    ],
)
def test_commits_in_every_form_of_a_command(asked: dict[str, Any], printed: object, tmp_path: Path) -> None:
    """The client's tools changed their names and shapes."""
    call = row("response_item", {"call_id": "c", **asked})
    output = row("response_item", {"type": "function_call_output", "call_id": "c", "output": printed}, 1)
    reading = written(tmp_path / "r.jsonl", [meta(PARENT), call, output, turn("t", 2), counter(5, 5, 3)])
    assert [made.sha for made in reading.commits] == ["1234567"]
    assert reading.usages[0].evidence.branch == "fix"


@pytest.mark.parametrize(
    ("asked", "printed"),
    [
        ({"arguments": '{"cmd": "git commit -am x", "workdir": "/other"}'}, "[fix 1234567] x"),
        ({"arguments": "{"}, "[fix 1234567] x"),
        ({"arguments": '{"cmd": "git commit -am x"}'}, 7),
    ],
)
def test_commands_that_say_nothing_of_where_the_session_is(
    asked: dict[str, Any], printed: object, tmp_path: Path
) -> None:
    """In another folder, or unreadable."""
    call = row("response_item", {"type": "function_call", "call_id": "c", **asked})
    output = row("response_item", {"type": "function_call_output", "call_id": "c", "output": printed}, 1)
    reading = written(tmp_path / "r.jsonl", [meta(PARENT), call, output, turn("t", 2), counter(5, 5, 3)])
    assert reading.usages[0].evidence.branch == ""


def test_a_command_that_names_the_sessions_own_folder(tmp_path: Path) -> None:
    """Codex's models say with nearly every command where it runs, and that is mostly where the session is."""
    here = {"cmd": "git commit -am x", "workdir": "/w"}
    call = row("response_item", {"type": "function_call", "call_id": "c", "arguments": json.dumps(here)})
    output = row("response_item", {"type": "function_call_output", "call_id": "c", "output": "[fix 1234567] x"}, 1)
    reading = written(tmp_path / "r.jsonl", [meta(PARENT), call, output, turn("t", 2), counter(5, 5, 3)])
    assert reading.usages[0].evidence.branch == "fix"


def test_commands_whose_output_never_came_are_forgotten(tmp_path: Path) -> None:
    """A client that was killed a thousand times over leaves no growing memory."""
    calls = [
        row("response_item", {"type": "function_call", "call_id": f"c{n}", "arguments": '{"cmd": "git commit -am x"}'})
        for n in range(1_002)
    ]
    outputs = [
        row("response_item", {"type": "function_call_output", "call_id": f"c{n}", "output": f"[b{n} 1234567] x"})
        for n in (0, 1_001)
    ]
    assert [made.branch for made in written(tmp_path / "r.jsonl", [meta(PARENT), *calls, *outputs]).commits] == [
        "b1001"
    ]


def test_a_count_without_its_total_and_one_without_a_time(tmp_path: Path) -> None:
    """Told with their lines; how full the vendor's windows are is no count."""
    rows = [
        meta(PARENT),
        row("event_msg", {"type": "token_count", "info": None}),
        row("event_msg", {"type": "token_count", "info": {"last_token_usage": {}}}),
    ]
    reading = written(tmp_path / "r.jsonl", rows)
    assert [(one.line, one.reason) for one in reading.skipped] == [(3, "a count without its total")]
    timeless = [{"type": "token_usage_record", "payload": {"response_id": "r", "usage": {"input_tokens": 1}}}]
    assert written(tmp_path / "s.jsonl", timeless).skip_reasons == {"an answer without time": 1}
