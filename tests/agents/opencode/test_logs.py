"""OpenCode's database and exports: each answer once over forks, subagents with their sessions, and what cannot be read."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tabstop.agents.claude_code.responses import each_once
from tabstop.agents.homes import Homes
from tabstop.agents.log_files import LogFile, LogReading
from tabstop.agents.opencode import database as database_reader
from tabstop.agents.opencode.logs import discover, read
from tabstop.agents.opencode.messages import Messages, Place
from tabstop.usage import Tokens, Usage
from tests.agents.opencode.database import build
from tests.support.samples import SAMPLES


def readings(path: Path) -> list[LogReading]:
    return list(read(LogFile("opencode", path)))


def usages(path: Path) -> tuple[Usage, ...]:
    return each_once(usage for reading in readings(path) for usage in reading.usages)


def message(**changed: Any) -> dict[str, Any]:
    tokens = {"input": 5, "output": 2, "reasoning": 1, "cache": {"read": 3, "write": 0}}
    told = {
        "role": "assistant",
        "modelID": "gpt-5.5",
        "providerID": "openai",
        "time": {"created": 1_795_000_000_000},
        "tokens": tokens,
    }
    return {**told, **changed}


def added(name: str, told: object, session: str = "ses_new") -> str:
    data = told if isinstance(told, str) else json.dumps(told)
    quoted = data.replace("'", "''")
    return f"INSERT INTO message VALUES('{name}', '{session}', 1, 1, '{quoted}');"


NEW = "INSERT INTO session(id, project_id, slug, directory, title, version, time_created, time_updated) VALUES('ses_new', 'p', 's', '/w', 't', 'v', 9e12, 1);"


def of_new(path: Path) -> LogReading:
    return next(one for one in readings(path) if one.session == "ses_new")


def test_forks_and_subagents_are_each_call_once(tmp_path: Path) -> None:
    """As the real client left them: five answers copied under new ids by a fork, one of its own, and a subagent with its session."""
    path = build(tmp_path / "opencode.db")
    found = readings(path)
    assert [len(one.usages) for one in found] == [5, 6, 2, 2]
    assert sum((usage.tokens for usage in usages(path)), Tokens()) == Tokens(
        input=112, cache_read=48_540, cache_write_5m=32_540, output=1_620
    )  # the vendor's invoice of these calls; it also has two for the titles, which the client notes nowhere
    first, fork, parent, sub = found
    assert fork.copied_from == {first.session}
    assert [usage.thread == first.session for usage in fork.usages] == [True] * 5 + [False]
    assert parent.session == sub.session
    assert {usage.thread for usage in sub.usages} != {usage.thread for usage in parent.usages}


def test_what_is_told_of_each_call(tmp_path: Path) -> None:
    """Its folder; that nobody knows how long a cache write lives; keys of OpenCode's own, one that a fork's copy has too, and its tool's."""
    first = readings(build(tmp_path / "opencode.db"))[0].usages[0]
    assert (first.model, first.agent, first.evidence.folder) == ("claude-sonnet-4-5", "opencode", "/home/dev/widget")
    assert not first.cache_split_known
    assert [key.split(":")[:2] for key in first.keys] == [["opencode", kind] for kind in ("call", "msg", "tool")]


@pytest.mark.parametrize(
    ("tool", "named"),
    [
        ("toolu_01AbCdEfGhIjKlMnOpQr", True),
        ("call_AbCdEfGhIjKlMnOpQrStUv", True),
        ("call_0", False),
        ("functions.bash:0", False),
        (7, False),
    ],
)
def test_an_answer_is_known_by_the_vendors_ids_of_its_tools(tool: object, named: bool) -> None:
    """The proxy saw them too. Ids that count, or that OpenCode made up, name nothing."""
    part = {"type": "tool", "tool": "read", "callID": tool, "state": {"time": {"start": 1_795_296_200_000}}}
    (usage,) = Messages("ses_1", Place()).take("msg_1", message(), [part])
    assert ("opencode:tool:ses_1/" in " ".join(usage.keys)) == named


def test_an_answer_was_made_when_its_first_tool_began() -> None:
    """Not when the last one had ended; what began before it is none of its own."""
    made = message(time={"created": 1_000_000, "completed": 9_000_000})
    starts = [{"type": "tool", "state": {"time": {"start": start}}} for start in (500_000, 3_000_000, 2_000_000, None)]
    (usage,) = Messages("ses_1", Place()).take("msg_1", made, starts)
    assert usage.occurred_at.timestamp() == 2_000


def test_other_tools_in_the_database_tell_their_id_alone(tmp_path: Path) -> None:
    """However much they gave back; a row that is no JSON tells nothing, and hides nothing."""
    tool = json.dumps(
        {"type": "tool", "tool": "read", "callID": "toolu_01AbCdEfGhIjKlMnOpQr", "state": {"output": "x" * 99}}
    )
    rows = (tool, '{"callID": ', tool.replace("toolu_01", "toolu_02"))
    parts = "".join(
        f"INSERT INTO part VALUES('prt_{n}', 'msg_1', 'ses_new', 1, 1, '{row}');" for n, row in enumerate(rows)
    )
    path = build(tmp_path / "opencode.db", NEW + added("msg_1", message()) + parts)
    (usage,) = of_new(path).usages
    assert sum(key.startswith("opencode:tool:ses_new/toolu_0") for key in usage.keys) == 2


def test_a_client_that_runs_is_read_and_not_disturbed(tmp_path: Path) -> None:
    """What it wrote a moment ago lies beside the database only; it goes on writing while somebody reads."""
    path = build(tmp_path / "opencode.db", "PRAGMA journal_mode = WAL;")
    with closing(sqlite3.connect(path)) as client:
        client.executescript(NEW + added("msg_1", message()))
        client.commit()
        (file,) = discover(Homes(opencode=(tmp_path,)))
        assert file.beside == (tmp_path / "opencode.db-wal",)
        half_read = iter(read(file))
        next(half_read)
        client.executescript(added("msg_2", message()))
        client.commit()
        assert len([one for one in half_read if one.session == "ses_new"]) == 1


def test_reading_a_client_that_has_ended_makes_no_files(tmp_path: Path) -> None:
    """Nothing is left beside its database, not even where SQLite would lock."""
    path = build(tmp_path / "opencode.db", "PRAGMA journal_mode = WAL;")
    before = path.read_bytes()
    assert readings(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_an_older_message_of_several_steps_is_several_calls(tmp_path: Path) -> None:
    """Its own count is its last step's."""
    steps = [{"type": "step-finish", "tokens": {"input": number, "output": 1}} for number in (10, 20)]
    parts = "".join(
        f"INSERT INTO part VALUES('prt_{number}', 'msg_1', 'ses_new', 1, 1, '{json.dumps(step)}');"
        for number, step in enumerate(steps)
    )
    reading = of_new(build(tmp_path / "o.db", NEW + added("msg_1", message()) + parts))
    assert [(usage.tokens.input, usage.keys) for usage in reading.usages] == [
        (10, ("opencode:msg:msg_1",)),
        (20, ("opencode:msg:msg_1/2",)),
    ]


def test_commits_that_a_tool_made(tmp_path: Path) -> None:
    """The call that asked for it was made before."""
    state = {
        "input": {"command": "git commit -am x"},
        "output": "[feature/x 00abbe4] Change\n",
        "time": {"end": 1_795_000_000_500},
    }
    part = json.dumps({"type": "tool", "tool": "bash", "state": state})
    later = message(time={"created": 1_795_000_001_000})
    path = build(
        tmp_path / "o.db",
        NEW + added("msg_1", message()) + added("msg_2", later),
        f"INSERT INTO part VALUES('prt_1', 'msg_1', 'ses_new', 1, 1, '{part}');".replace("\n", ""),
    )
    reading = of_new(path)
    assert [usage.evidence.branch for usage in reading.usages] == ["", "feature/x"]
    assert [made.sha for made in reading.commits] == ["00abbe4"]


def test_a_workspaces_branch(tmp_path: Path) -> None:
    """Where a session works in one."""
    path = build(
        tmp_path / "o.db",
        NEW + added("msg_1", message()),
        "INSERT INTO workspace(id, type, branch, project_id, time_used) VALUES('wrk', 'worktree', 'feature/x', 'p', 1);"
        "UPDATE session SET workspace_id = 'wrk' WHERE id = 'ses_new';",
    )
    assert of_new(path).usages[0].evidence.branch == "feature/x"


def test_what_cannot_be_read_is_told_with_its_number(tmp_path: Path) -> None:
    """The messages around it count."""
    bad = [
        "{",
        "[]",
        message(modelID=""),
        message(time={}),
        message(time={"created": "now"}),
        message(tokens={"input": True}),
        message(tokens={}),
        {"role": "user"},
    ]
    told = "".join(added(f"msg_{number}", one) for number, one in enumerate(bad))
    reading = of_new(build(tmp_path / "o.db", NEW + told + added("msg_9", message())))
    assert [(one.line, one.reason) for one in reading.skipped] == [
        (1, "not JSON"),
        (2, "not a JSON object"),
        (3, "an answer without id, model or time"),
        (4, "an answer without id, model or time"),
        (5, "an answer without id, model or time"),
        (6, "input is not a count"),
        (7, "an answer that is not finished or was broken off: what it used is not told"),
    ]
    assert len(reading.usages) == 1


def test_a_database_of_another_kind_or_broken(tmp_path: Path) -> None:
    """One problem, no error; what was read before it counts."""
    path = tmp_path / "opencode.db"
    another = LogReading(problem="a database of another kind, or of a version that is not known")
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE message(id)")
    assert readings(path) == [another]
    for statement in ("ALTER TABLE message RENAME TO messages;", "ALTER TABLE session RENAME COLUMN directory TO dir;"):
        path.unlink()
        assert readings(build(path, statement)) == [another]
    path.unlink()
    whole = build(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert readings(path)[-1] == LogReading(problem="a damaged database")
    for damaged in (whole[:16] + bytes(4_096), whole[:16] + bytes(range(256)) * 16):
        path.write_bytes(damaged)
        assert readings(path) == [LogReading(problem="a damaged database")]


def test_a_database_that_its_client_keeps_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a problem that another time may not have."""
    monkeypatch.setattr(database_reader, "_PATIENCE", 0.01)
    path = build(tmp_path / "opencode.db")
    with closing(sqlite3.connect(path)) as client:
        client.execute("BEGIN EXCLUSIVE")
        path.with_name("opencode.db-wal").write_bytes(b"by which a client that runs is known")
        assert readings(path) == [LogReading(problem="its client keeps it locked", passing=True)]
    assert len(readings(path)) == 4


def test_a_database_made_to_never_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column may be computed, and a computation may be endless."""
    endless = "CREATE TABLE message(id, session_id, time_created, data AS (hex(zeroblob(100000))));"
    path = build(tmp_path / "o.db", f"DROP TABLE message; {endless}")
    with closing(sqlite3.connect(path)) as database:
        (session,) = database.execute("SELECT id FROM session ORDER BY time_created LIMIT 1").fetchone()
        database.executemany("INSERT INTO message VALUES(?, ?, 1)", [(str(n), session) for n in range(2_000)])
        database.commit()
    monkeypatch.setattr(database_reader, "_STEPS", 100)
    monkeypatch.setattr(database_reader, "_MOST_STEPS", 10)
    began = time.monotonic()
    assert readings(path)[-1] == LogReading(problem="a database whose queries do not end", passing=True)
    assert time.monotonic() - began < 5


def test_sessions_that_name_each_other_as_parents(tmp_path: Path) -> None:
    """Nothing goes round for ever."""
    path = build(
        tmp_path / "o.db",
        "UPDATE session SET parent_id = (SELECT max(id) FROM session);",
    )
    assert len(readings(path)) == 4


def test_an_export_is_the_session(tmp_path: Path) -> None:
    """Under the same keys as the database has them."""
    (reading,) = readings(SAMPLES / "opencode" / "export.json")
    assert len(reading.usages) == 5
    assert sum(usage.tokens.total for usage in reading.usages) == 49_910
    path = tmp_path / "export.json"
    path.write_bytes(b"Exporting session: x\n" + (SAMPLES / "opencode" / "export.json").read_bytes())
    assert readings(path)[0].usages == reading.usages
    neither = "neither a database nor an export of OpenCode"
    broken = [b"", b"no export", b'{"info": {}', bytes(range(256)), b'{"type": "a"}\n{"type": "b"}\n']
    others = [b"{}", b'{"info": 7, "messages": []}', b'{"sessionId": "a Gemini chat", "messages": [{"id": 1}]}']
    for content in broken:
        path.write_bytes(content)
        assert readings(path) == [LogReading(problem=f"{neither} (not JSON)")]
    for content in others:
        path.write_bytes(content)
        assert readings(path) == [LogReading(problem=neither)]
    path.write_bytes((SAMPLES / "opencode" / "export.json").read_bytes()[:-400])
    (cut,) = readings(path)
    assert cut.usages == reading.usages[:4]
    assert cut.skip_reasons == {"half-written": 1}
    path.write_bytes(json.dumps({"info": {"id": "ses_1"}, "messages": [7, {"info": message(tokens=7)}]}).encode())
    assert [one.line for one in readings(path)[0].skipped] == [2]


def test_texts_that_are_none(tmp_path: Path) -> None:
    """Bytes where text should be, another encoding, nothing at all, and too much of it."""
    path = build(
        tmp_path / "o.db",
        NEW + added("msg_9", message()),
        "INSERT INTO message VALUES('msg_1', 'ses_new', 0, 1, x'7b7d');"
        "INSERT INTO message VALUES('msg_2', 'ses_new', 0, 1, CAST(x'fffe' AS TEXT));"
        "INSERT INTO message VALUES('msg_3', 'ses_new', 0, 1, printf('%9000000s', 'x'));"
        "INSERT INTO part VALUES('prt_1', 'msg_9', 'ses_new', 0, 1, '{\"step-finish\"');"
        "UPDATE session SET directory = x'00' WHERE id = 'ses_new';",
    )
    reading = of_new(path)
    assert [(one.line, one.reason) for one in reading.skipped] == [
        (1, "not JSON"),
        (2, "not JSON"),
        (3, "longer than 8 MiB"),
    ]
    assert len(reading.usages) == 1
    assert reading.usages[0].evidence.folder == ""


def test_databases_without_workspaces(tmp_path: Path) -> None:
    """Versions before them, and after them."""
    for statement in ("DROP TABLE workspace;", "ALTER TABLE workspace DROP COLUMN branch;"):
        path = build(tmp_path / f"{len(statement)}.db", statement)
        assert len(usages(path)) == 10


def test_an_export_beside_the_database(tmp_path: Path) -> None:
    """Of a container's session, say: it is found, and what the database tells too counts once. The client's own settings are no log."""
    build(tmp_path / "opencode.db")
    (tmp_path / "opencode-ses.json").write_bytes((SAMPLES / "opencode" / "export.json").read_bytes())
    for other in ("opencode.json", "auth.json", "opencode.db.bak"):
        (tmp_path / other).write_text("{}")
    (tmp_path / "opencode-old.db").mkdir()
    files = list(discover(Homes(opencode=(tmp_path,))))
    assert [file.path.name for file in files] == ["opencode-ses.json", "opencode.db"]
    both = [usage for file in files for reading in read(file) for usage in reading.usages]
    known = {key for usage in usages(tmp_path / "opencode.db") for key in usage.keys}
    assert {key for usage in both for key in usage.keys} >= known
    assert list(discover(Homes(opencode=(tmp_path / "nothing",)))) == []


def test_an_export_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is held whole while its messages are read."""
    monkeypatch.setattr("tabstop.agents.opencode.export.LONGEST_EXPORT", 100)
    (reading,) = readings(SAMPLES / "opencode" / "export.json")
    assert reading == LogReading(problem="larger than 64 MiB")


def test_a_message_that_works_elsewhere(tmp_path: Path) -> None:
    """Its folder is its own."""
    path = build(tmp_path / "o.db", NEW + added("msg_1", message(path={"cwd": "/other"})))
    assert of_new(path).usages[0].evidence.folder == "/other"
