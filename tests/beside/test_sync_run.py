"""One pass of `tabstop sync` over the logs of a home folder: what it reads and tells of them, how often, and what waits or is kept."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tabstop.agents.log_files import LogFile
from tabstop.beside.gauge_file import keep_gauges, machine_gauges, read_gauges
from tabstop.beside.spool import Undelivered, pending, put, spool_root
from tabstop.beside.sync.reading import identity
from tabstop.beside.sync.run import AlreadyRunningError
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.wire import EndRequest, StartRequest, UsageBatch
from tests.beside.synced_home import ADDRESS, NOW, Home, ago, an_answer, home
from tests.beside.test_working_tree import git
from tests.support.samples import SAMPLES

__all__ = ["home"]


def test_files_that_cannot_be_read(home: Home) -> None:
    """Are named with the reason, and the others are read; lines that cannot be used are counted, by file."""
    clone = home.clone("widget", origin="acme/widget")
    home.log("s1", an_answer("1", clone))
    bad = home.path / ".claude" / "projects" / "p" / "s2.jsonl"
    bad.symlink_to(home.path / "gone")
    broken = home.path.joinpath(".claude", "projects", "p", "s3.jsonl")
    broken.write_text("{broken\n")
    passed = home.sync()
    assert passed.sent.calls == 1
    assert passed.read.missed == ((bad, "No such file or directory"),)
    assert passed.unread == {str(broken): 1}


def test_a_database_that_cannot_be_read(home: Home) -> None:
    """Is named by every pass until it can be: what is in it goes nowhere. Then its calls are sent."""
    clone = home.clone("widget", origin="acme/widget")
    there = home.path / ".local" / "share" / "opencode" / "opencode.db"
    there.parent.mkdir(parents=True)
    rows = (SAMPLES / "opencode" / "database.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(there)) as database:
        database.executescript(rows.replace("/home/dev/widget", str(clone)))
    whole = there.read_bytes()
    there.write_bytes(whole[:16] + bytes(4_096))
    for _ in range(2):
        passed = home.sync()
        assert passed.read.missed == ((there, "a damaged database"),)
        assert (passed.sent.calls, passed.unread) == (0, {})
    there.write_bytes(whole)
    passed = home.sync(after=timedelta(days=4))
    assert passed.read.missed == ()
    assert passed.sent.calls == 10


def test_a_database_changes_beside_itself(tmp_path: Path) -> None:
    """OpenCode's newest calls lie in a file of their own until SQLite moves them."""
    path, beside = tmp_path / "opencode.db", tmp_path / "opencode.db-wal"
    path.touch()
    file = LogFile("opencode", path, (beside,))
    before = identity(file)
    assert identity(file) == before
    beside.touch()
    assert identity(file) != before
    path.unlink()
    with pytest.raises(FileNotFoundError):
        identity(file)


def test_what_the_client_counted_more(home: Home) -> None:
    """Is told once; not of a session that began before `--since`, whose count holds what is left out."""
    clone = home.clone("widget", origin="acme/widget")
    counted = {"claude-sonnet-4-5": {"inputTokens": 0, "outputTokens": 3_000, "costUSD": 0.045}}
    state = {"type": "cost-state", "modelUsage": counted}
    home.log("s1", an_answer("1", clone, 60 * 5), an_answer("2", clone, 40), state)
    home.log("s2", an_answer("3", clone, 50), state)
    for _ in range(2):
        home.sync(since=NOW - timedelta(hours=1))
    totals = [(one.thread, one.tokens.output) for batch in home.server.batches for one in batch.client_totals]
    assert totals == [("s2", 3_000)]
    assert [key for key, _ in home.told] == ["3", "2"]


def test_what_the_client_counted_elsewhere(home: Home) -> None:
    """Is taken off its count for the session; what it has not counted yet is put to it."""
    clone, diary = home.clone("widget", origin="acme/widget"), home.clone("diary", origin="alice/diary")
    counted = {"claude-sonnet-4-5": {"inputTokens": 0, "outputTokens": 7_000, "costUSD": 0.105}}
    home.log("s1", an_answer("1", clone), an_answer("2", diary, 55), {"type": "cost-state", "modelUsage": counted})
    home.log("s1", an_answer("3", clone, 30), an_answer("4", diary, 20))
    home.sync()
    assert [one.tokens.output for batch in home.server.batches for one in batch.client_totals] == [7_000]


def test_one_at_a_time(home: Home) -> None:
    """Two would do the same work twice."""
    home.log("s1", an_answer("1", home.clone("widget", origin="acme/widget")))

    def meanwhile(_what: str, _body: dict[str, object]) -> int:
        with pytest.raises(AlreadyRunningError, match="Another `tabstop sync` of yours is running"):
            home.sync()
        return 0

    home.server.fault = meanwhile
    assert home.sync().sent.calls == 1


WEEK = GaugeReading("anthropic", "", "weekly", 9_100, NOW, GaugeSource.STATUS_LINE, NOW + timedelta(days=3), 10_080)


def test_the_status_lines_windows_are_told(home: Home) -> None:
    """What Claude Code's status line kept for the machine goes up with its newest session; what has begun anew does not."""
    clone = home.clone("widget", origin="acme/widget")
    home.log("s1", an_answer("1", clone))
    machine = machine_gauges(home.environ)
    machine.path.mkdir(parents=True)
    keep_gauges(machine, [WEEK, replace(WEEK, window="5h", resets_at=NOW - timedelta(minutes=1))])
    home.sync()
    assert [one.gauges for one in home.server.batches if one.gauges] == [(WEEK,)]


def test_codexs_windows_are_told(home: Home) -> None:
    """Its logs tell of them: the newest is kept for the machine, and told once."""
    clone = home.clone("widget", origin="acme/widget")
    path = home.path / ".codex" / "sessions" / "rollout-1.jsonl"
    path.parent.mkdir(parents=True)
    sample = Path(__file__).parents[1] / "samples" / "codex" / "rollout.jsonl"
    rows = [json.loads(line) for line in sample.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        if row["payload"].get("type") == "token_count":
            primary = {"used_percent": 7.0, "window_minutes": 300, "resets_in_seconds": 600}
            row["payload"]["rate_limits"] = {"primary": primary, "secondary": None, "plan_type": "plus"}
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text.replace("/home/dev/widget", str(clone)), encoding="utf-8")
    begun = datetime.fromisoformat(rows[0]["timestamp"])
    for _ in range(2):
        home.sync(after=begun - NOW + timedelta(minutes=1))
    (told,) = [one.gauges for one in home.server.batches if one.gauges]
    assert [(one.vendor, one.window, one.used, one.plan) for one in told] == [("openai", "5h", 700, "plus")]
    assert read_gauges(machine_gauges(home.environ)) == told


def test_a_session_that_is_not_taken_is_named(home: Home) -> None:
    """With the server's reason, how many sessions and calls; an end that is refused has no calls left to keep."""
    clone = home.clone("widget", origin="acme/widget")
    home.log("s1", an_answer("1", clone), an_answer("2", clone))
    home.log("s2", an_answer("3", clone, 50))
    home.server.fault = lambda what, body: 400 if body.get("thread") == "s1" else 410 if what == "end" else 0
    passed = home.sync()
    kept = {why: (left.calls, len(left.sessions)) for why, left in passed.kept.items()}
    assert kept == {"It is not taken. Fault of sessions.": (2, 1), "It is not taken. Fault of end.": (0, 1)}
    assert (passed.waiting, passed.problem) == (2, "")


def test_earlier_reports_are_brought_along(home: Home) -> None:
    """What a session on this machine could not deliver arrives with the next pass."""
    start, end = StartRequest("claude-code", "acme/widget"), EndRequest("finished")
    put(spool_root(home.environ), Undelivered(ADDRESS, start, NOW, end, (UsageBatch(),), key="k" * 16))
    home.sync()
    assert (len(home.server.ends), pending(spool_root(home.environ))) == (1, ())


def test_what_was_never_sent_in_time(home: Home) -> None:
    """Is said once, and forgotten: the server takes nothing older."""
    clone = home.clone("widget", origin="acme/widget")
    home.log("s1", an_answer("1", clone), {"type": "cost-state", "modelUsage": {}, "timestamp": ago(59)})
    assert home.sync(dry=True).waiting == 1
    late = home.sync(after=timedelta(days=36))
    assert (late.too_late, late.waiting, home.told) == (1, 0, [])
    assert home.sync(after=timedelta(days=36)).too_late == 0


def test_a_call_is_of_the_branch_that_gits_log_tells(home: Home) -> None:
    """Where the agent does not note it with every call: somebody may have switched in another window."""
    folder = home.clone("widget", origin="acme/widget")
    (folder / "x").write_text("x")
    for words in (
        ("checkout", "-q", "-b", "main"),
        ("add", "."),
        ("commit", "-qm", "one"),
        ("checkout", "-q", "-b", "fix"),
    ):
        git(folder, *words)
    log = folder / ".git" / "logs" / "HEAD"
    began = int((NOW - timedelta(hours=3)).timestamp())
    lines = log.read_text().splitlines()
    times = (re.sub(r"> \d+ ", f"> {began + hours * 3600} ", line) for hours, line in enumerate(lines))
    log.write_text("\n".join(times) + "\n")
    chats = home.path / ".gemini" / "tmp" / "widget" / "chats"
    chats.mkdir(parents=True)
    (chats.parent / ".project_root").write_text(str(folder))
    used: dict[str, Any] = {"type": "gemini", "model": "gemini-2.5-pro", "tokens": {"input": 5, "output": 5}}
    rows: list[dict[str, Any]] = [{"sessionId": "s"}]
    rows += [{**used, "id": f"a{n}", "timestamp": (NOW - timedelta(hours=n)).isoformat()} for n in (2.5, 1.0)]
    (chats / "session-1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    home.sync()
    branches = {call.keys[0]: call.branch for one in home.server.batches for call in one.calls}
    assert branches == {"google:chat:s/a2.5": "main", "google:chat:s/a1.0": "fix"}
