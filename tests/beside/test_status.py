"""The status line's effects: where the client works, the tab that is kept, the gauges, and that nothing makes it fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tabstop.beside import status as status_module
from tabstop.beside.gauge_file import read_gauges
from tabstop.beside.hook_records import name_of
from tabstop.beside.plan_sessions import mark_plan_session, plan_sessions
from tabstop.beside.session_folder import SessionFolder, sessions_root
from tabstop.beside.status import status_line
from tabstop.beside.status_windows import earlier_windows, keep_windows
from tabstop.beside.tab_file import is_due, keep_tabs, make_tabs, read_tab, tab_file
from tabstop.money import dollars
from tabstop.report.placing import place
from tabstop.report.tally import Plans
from tabstop.status_line import Tab
from tests.beside.test_local_git import git
from tests.beside.wrapper.wrapped import MEASURING
from tests.report.groups import a_month, group, link, linked
from tests.support.waiting import until
from tests.test_status_line import LIMITS, payload

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A home with a repository in it, on a branch."""
    tree = tmp_path / "src" / "widget"
    (tree / "src").mkdir(parents=True)
    git(tree, "init", "-q", "-b", "feature/login")
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}


def given(environ: dict[str, str], **more: Any) -> bytes:
    """What the client gives in a folder of that repository."""
    folder = f"{environ['HOME']}/src/widget/src"
    found = payload(cwd=folder, **more)
    found["workspace"] = {**found["workspace"], "current_dir": folder}
    return json.dumps(found).encode()


def keep_month(environ: dict[str, str]) -> Path:
    path = tab_file(environ)
    assert path is not None
    groups, links, facts = a_month()
    keep_tabs(path, place(groups, links, facts), Plans())
    return path


def test_the_branchs_tab(environ: dict[str, str]) -> None:
    """From the kept file; nothing is left to be done while it is young."""
    path = keep_month(environ)
    text, rest = status_line(given(environ), environ, NOW, colour=False)
    assert text == "feature/login #41 $16.35 · session $1.20, $2.40/h"
    assert rest is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_tabs_that_are_kept(environ: dict[str, str]) -> None:
    """What is not known is not zero; what a plan pays is apart; a repository's letters do not matter."""
    path = tab_file(environ)
    assert path is not None
    groups = [
        group(branch="a"),
        group(None, branch="b", session="s2"),
        group("3", branch="c", session="s3", agent="codex"),
        group(None, branch="e", session="s4", agent="codex"),
        group("3", branch="f", session="s5", agent="codex"),
        group(None, branch="f", session="s6", agent="codex"),
        group(None, branch="f", session="s7"),
    ]
    keep_tabs(path, place(groups, linked(link(7, "a")), a_month()[2]), Plans(frozenset({"codex"})))
    assert read_tab(path, "Acme/Widget", "a") == Tab(dollars(1), pull_request=7)
    assert read_tab(path, "acme/widget", "b") == Tab(None, unpriced=10)
    assert read_tab(path, "acme/widget", "c") == Tab(0, notional=dollars(3))
    assert read_tab(path, "acme/widget", "e") == Tab(0, notional=None, notional_unpriced=10)
    assert read_tab(path, "acme/widget", "f") == Tab(None, 10, dollars(3), 10)
    assert read_tab(path, "acme/widget", "d") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"tabs": 1}',
        b'{"tabs": {"acme/widget": {"a": [1]}}}',
        b'{"tabs": {"acme/widget": {"a": [1, 0, "x", 0, null]}}}',
        b'{"version": 1, "tabs": {"acme/widget": {"a": [1, 0, 0, null]}}}',
        b"[" * 100_000,
    ],
)
def test_a_broken_tab_file(content: bytes, tmp_path: Path) -> None:
    """Is as good as none."""
    (tmp_path / "tabs.json").write_bytes(content)
    assert read_tab(tmp_path / "tabs.json", "acme/widget", "a") is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000, b" " * (status_module.LONGEST_PAYLOAD + 1)]
)
def test_what_cannot_be_read_is_a_plain_line(content: bytes, environ: dict[str, str]) -> None:
    """And nothing else happens."""
    assert status_line(content, environ, NOW, colour=False) == ("tabstop: what the client told could not be read", None)


@pytest.mark.parametrize("folder", ["", "relative", "/nowhere/at/all", "/" + "x" * 5000, "/a\0b"])
def test_odd_folders(folder: str, environ: dict[str, str]) -> None:
    """Are no reason to fail."""
    text, _ = status_line(json.dumps(payload(cwd=folder, workspace={})).encode(), environ, NOW, colour=False)
    assert text == "session $1.20, $2.40/h"


def test_a_repository_without_a_remote(environ: dict[str, str]) -> None:
    """Is named as `tabstop cost` names it, in its worktrees too."""
    tree = Path(environ["HOME"], "src", "widget")
    git(tree, "commit", "-q", "--allow-empty", "-m", "one")
    git(tree, "worktree", "add", "-q", "-b", "fix/a", str(tree.parent / "wt"))
    path = tab_file(environ)
    assert path is not None
    keep_tabs(path, place([group("4", repository="~/src/widget", branch="fix/a")], {}, a_month()[2]), Plans())
    text, _ = status_line(json.dumps({"cwd": str(tree.parent / "wt")}).encode(), environ, NOW, colour=False)
    assert text == "fix/a $4.00"


def test_gauges_are_kept_where_reports_find_them(environ: dict[str, str]) -> None:
    """In the session's own folder and for the machine; once, until they change."""
    keep_month(environ)
    own = SessionFolder(sessions_root(environ) / name_of("claude-code", "s1"))
    own.path.mkdir(parents=True)
    text, rest = status_line(given(environ, rate_limits=LIMITS), environ, NOW, colour=False)
    assert text.startswith("feature/login #41 $16.35 · session ≈ $1.20, $2.40/h · 5h 42 % until ")
    assert rest is not None
    rest()
    machine = SessionFolder(sessions_root(environ).parent)
    assert [(one.window, one.used) for one in read_gauges(own)] == [("5h", 4270), ("weekly", 9100)]
    assert read_gauges(machine) == read_gauges(own)
    assert plan_sessions(environ) == {("claude-code", "s1")}
    assert status_line(given(environ, rate_limits=LIMITS), environ, NOW, colour=False)[1] is None
    fuller = {**LIMITS, "seven_day": {"used_percentage": 92}}
    later = status_line(given(environ, rate_limits=fuller), environ, NOW + timedelta(minutes=1), colour=False)[1]
    assert later is not None
    later()
    assert [one.used for one in read_gauges(machine)] == [4270, 9200]


def test_a_plans_session_stays_one(environ: dict[str, str]) -> None:
    """Resumed, it tells of no windows before its first answer: what it costs is the plan's all the same. Another one is not its like."""
    paid = status_line(given(environ, rate_limits=LIMITS), environ, NOW, colour=False)[1]
    assert paid is not None
    paid()
    again, _ = status_line(given(environ), environ, NOW, colour=False)
    other, _ = status_line(given(environ, session_id="another"), environ, NOW, colour=False)
    assert ("session ≈ $" in again, "session $" in other) == (True, True)


def test_the_rate_is_of_the_recent_past(environ: dict[str, str]) -> None:
    """From what was told before, to any session of this machine; on average where nothing was."""
    keep_month(environ)

    def at_once(minutes: int, percent: float) -> str:
        five = {"five_hour": {**LIMITS["five_hour"], "used_percentage": percent}}
        told = given(environ, rate_limits=five, session_id=f"s{minutes}")
        text, rest = status_line(told, environ, NOW + timedelta(minutes=minutes), colour=False)
        assert rest is not None
        rest()
        return text.rpartition(" until ")[2].partition(", ")[2]

    assert at_once(0, 50) == "ø 20 %/h"
    assert at_once(10, 52) == "ø 19 %/h"
    assert at_once(40, 60).startswith("+16 %/h")
    assert at_once(60, 80).startswith("+60 %/h, full ")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b'[["5h"]]',
        b'[["5h", 300, 1, 1e30, null]]',
        b'[["5h", 300, "x", 1, null]]',
        b"[" * 100_000,
        b" " * 70_000,
    ],
)
def test_windows_that_cannot_be_read(content: bytes, environ: dict[str, str]) -> None:
    """Are none; the next ones take their place."""
    keep_month(environ)
    path = Path(environ["HOME"], ".local", "state", "tabstop", "windows.json")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert earlier_windows(environ) == ()
    _, rest = status_line(given(environ, rate_limits=LIMITS), environ, NOW, colour=False)
    assert rest is not None
    rest()
    assert [(one.window, one.used) for one in earlier_windows(environ)] == [("5h", 4270), ("weekly", 9100)]
    assert path.stat().st_mode & 0o777 == 0o600


def test_without_a_plan_only_the_tabs_are_made(environ: dict[str, str]) -> None:
    """Who pays by the token has no windows to keep."""
    _, rest = status_line(given(environ), environ, NOW, colour=False)
    assert rest is not None
    rest()
    path = tab_file(environ)
    assert path is not None
    assert path.exists()
    assert not Path(environ["HOME"], ".local").exists()


def test_the_governed_session_that_runs_it(environ: dict[str, str]) -> None:
    """Under `tabstop run` the session has a name of its own; one that is not there hurts nobody."""
    root = sessions_root(environ)
    (root / "cc-other").mkdir(parents=True)
    (root / "cc-other" / "record.json").write_text("{}", encoding="utf-8")
    for name, found in (("cc-other", 2), ("cc-nobody", 0)):
        _, rest = status_line(
            given(environ, rate_limits=LIMITS, session_id=name), {**environ, "TABSTOP_SESSION": name}, NOW, colour=False
        )
        assert rest is not None
        rest()
        assert len(read_gauges(SessionFolder(root / name))) == found


def test_without_a_home() -> None:
    """Nothing is kept, and the line is written."""
    text, rest = status_line(
        json.dumps(payload(cwd="/", workspace={}, rate_limits=LIMITS)).encode(), {}, NOW, colour=False
    )
    assert text.startswith("session ≈ $1.20")
    assert rest is None
    assert tab_file({}) is None
    assert plan_sessions({}) == frozenset()
    assert earlier_windows({}) == ()
    keep_windows({}, [])
    make_tabs({})


def test_plan_sessions_are_names_only(environ: dict[str, str]) -> None:
    """A session's id is never a path."""
    mark_plan_session(environ, "claude-code", "../../x", "")
    mark_plan_session({}, "claude-code", "s1", "")
    mark_plan_session({"HOME": "/dev/null"}, "claude-code", "s1", "")
    assert plan_sessions(environ) == frozenset()


def test_tabs_are_made_by_one_at_a_time(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds somebody at it leaves it; what a dead one left is taken over."""
    path = tab_file(environ)
    assert path is not None
    assert is_due(path, time.time())
    lock = path.with_suffix(".lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    make_tabs(environ)
    assert not path.exists()
    os.utime(lock, (1, 1))
    make_tabs(environ)
    assert json.loads(path.read_bytes()) == {"version": 2, "tabs": {}}
    assert not lock.exists()
    assert not is_due(path, time.time())
    assert is_due(path, time.time() + 61)


def run(environ: dict[str, str], content: bytes, *command: str) -> subprocess.CompletedProcess[bytes]:
    given_to_it = {**environ, **MEASURING}
    return subprocess.run(
        [sys.executable, *command], input=content, capture_output=True, env=given_to_it, cwd=ROOT, check=False
    )


@pytest.mark.parametrize(
    "command", [("-I", "tabstop/beside/status_start.py"), ("-m", "tests.cli.run_tabstop", "statusline")]
)
def test_the_command(environ: dict[str, str], command: tuple[str, ...]) -> None:
    """Both ways to start it; the tabs are made behind it, and nobody waits for them."""
    limits = {"five_hour": {"used_percentage": 80}}
    done = run({**environ, "NO_COLOR": "1"}, given(environ, rate_limits=limits), *command)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == "feature/login · session ≈ $1.20, $2.40/h · 5h 80 %\n"
    assert b"\x1b[33m5h 80 %" in run(environ, given(environ, rate_limits=limits), *command).stdout
    path = tab_file(environ)
    assert path is not None
    until(path.exists)
    until(lambda: not path.with_suffix(".lock").exists())


def test_an_error_is_a_plain_line(environ: dict[str, str]) -> None:
    """A client that gives it no input to read from is told what is wrong, in one line."""
    words = (sys.executable, "-m", "tests.cli.run_tabstop", "statusline")
    closed = ("sh", "-c", 'exec "$0" "$@" <&-', *words)
    done = subprocess.run(closed, capture_output=True, env={**environ, **MEASURING}, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"tabstop: AttributeError\n", b"")


def test_nothing_makes_it_fail(environ: dict[str, str]) -> None:
    """A home that is a file, and no input at all."""
    broken = {**environ, "HOME": str(ROOT / "README.md")}
    for content in (b"", given(environ, rate_limits=LIMITS)):
        done = run(broken, content, "-I", "tabstop/beside/status_start.py")
        assert (done.returncode, done.stderr, done.stdout.count(b"\n")) == (0, b"", 1)
