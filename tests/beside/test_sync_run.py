"""One pass of `tabstop sync` over the logs of a home folder: whose server is told of which work, and what stays here."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tabstop.agents.log_files import LogFile
from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.gauge_file import keep_gauges, machine_gauges, read_gauges
from tabstop.beside.spool import Undelivered, pending, put, spool_root
from tabstop.beside.sync.passed import Passed
from tabstop.beside.sync.reading import identity
from tabstop.beside.sync.run import AlreadyRunningError, NobodyToTellError, Wanted, sync
from tabstop.beside.transport import Request, Response
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.wire import EndRequest, StartRequest, UsageBatch
from tests.beside.picky_server import Picky
from tests.beside.test_working_tree import git

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADDRESS = "https://tabstop.example"
A_CALL = 15_000_000
"""Nano-dollars of a thousand output tokens of claude-sonnet-4-5."""


@dataclass
class Home:
    """A home folder with logs, logged in for acme at a server in memory."""

    path: Path
    server: Picky = field(default_factory=Picky)
    organizations: tuple[str, ...] = ("Acme",)

    @property
    def environ(self) -> dict[str, str]:
        for one in self.organizations:
            path = self.path / ".config" / "tabstop" / "credentials.json"
            Credentials(path).keep(Login(ADDRESS, one, "alice", f"token_of_{one.lower()}"))
        return {"HOME": str(self.path), "PATH": os.environ["PATH"]}

    def sync(self, after: timedelta = timedelta(), **wanted: Any) -> Passed:
        """One pass."""
        (passed,) = sync(self.environ, Wanted(**wanted), NOW + after, lambda _seconds: None, self.server)
        return passed

    def clone(self, name: str, **remotes: str) -> Path:
        """A repository with these remotes, each by its `owner/name`."""
        folder = self.path / "src" / name
        folder.mkdir(parents=True)
        git(folder, "init", "-q")
        for remote, repository in remotes.items():
            git(folder, "remote", "add", remote, f"git@github.com:{repository}.git")
        return folder

    def log(self, session: str, *rows: dict[str, Any]) -> Path:
        """Lines of one of Claude Code's transcripts."""
        path = self.path / ".claude" / "projects" / "p" / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps({"sessionId": session, **row}) + "\n" for row in rows)
        return path

    @property
    def told(self) -> list[tuple[str, str]]:
        """Each call's key, and the repository that it says it was made in."""
        return [(call.keys[0].rpartition("_")[2], call.repository) for one in self.server.batches for call in one.calls]


def an_answer(key: str, folder: Path | str, minutes_ago: int = 60, **more: Any) -> dict[str, Any]:
    """A row of a transcript: a thousand output tokens."""
    model = more.pop("model", "claude-sonnet-4-5")
    usage = {"input_tokens": 0, "output_tokens": 1_000}
    return {
        "type": "assistant", "requestId": f"req_{key}", "timestamp": _ago(minutes_ago), "gitBranch": "fix",
        "cwd": str(folder), "message": {"id": f"msg_{key}", "model": model, "content": [], "usage": usage}, **more,
    }  # fmt: skip


def _ago(minutes: int) -> str:
    return (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """See `Home`."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return Home(tmp_path)


@pytest.mark.parametrize(
    ("remotes", "chosen", "told"),
    [
        ({"origin": "acme/widget"}, "", "acme/widget"),
        ({"origin": "alice/widget", "upstream": "Acme/widget"}, "", "Acme/widget"),
        ({"origin": "alice/widget", "theirs": "acme/gadget"}, "remote.theirs.gh-resolved=base", "acme/gadget"),
        ({"origin": "alice/widget"}, "remote.origin.gh-resolved=acme/widget", "acme/widget"),
        ({"origin": "alice/widget"}, "remote.origin.gh-resolved=github.com/acme/widget", "acme/widget"),
        ({"origin": "acme/widget", "upstream": "acme/gadget"}, "", "acme/widget"),
        ({"origin": "acme/widget", "upstream": "others/widget"}, "remote.upstream.gh-resolved=base", "acme/widget"),
        ({"origin": "alice/widget", "upstream": "others/widget"}, "remote.upstream.gh-resolved=base", ""),
        ({"origin": "alice/widget", "theirs": "acme/gadget"}, "remote.origin.gh-resolved=base", ""),
        ({"origin": "alice/widget"}, "remote.gone.gh-resolved=base", ""),
        ({"origin": "alice/widget"}, "remote.origin.gh-resolved=nonsense", ""),
    ],
)
def test_a_fork_of_the_organizations(home: Home, remotes: dict[str, str], chosen: str, told: str) -> None:
    """Work in an engineer's own fork is told to the organization it is for: by `gh repo set-default`, else by `upstream`.

    Each call names the clone itself, so that the server finds the fork's pull request.
    """
    clone = home.clone("widget", **remotes)
    if chosen:
        git(clone, "config", *chosen.split("=", 1))
    home.log("s1", an_answer("1", clone))
    passed = home.sync()
    assert [one.repository for one in home.server.starts] == ([told] if told else [])
    assert home.told == ([("1", remotes["origin"])] if told else [])
    assert passed.elsewhere.calls == (0 if told else 1)


def test_what_is_known_of_a_clone_changes(home: Home) -> None:
    """Calls that wait move once a remote says where they belong; those of a clone that is gone go where it was."""
    clone = home.clone("widget", origin="alice/widget")
    home.log("s1", an_answer("1", clone))
    assert home.sync().elsewhere.calls == 1
    git(clone, "remote", "add", "upstream", "git@github.com:acme/widget.git")
    home.log("s1", an_answer("2", clone, 50))
    assert home.sync().elsewhere.calls == 0
    shutil.rmtree(clone)
    home.log("s1", an_answer("3", clone, 40))
    home.sync()
    assert [key for key, _ in home.told] == ["1", "2", "3"]


def test_a_folder_that_is_another_clone_now(home: Home) -> None:
    """The log's own word of the repository stands."""
    clone = home.clone("widget", origin="alice/diary", upstream="acme/widget")
    home.log("s1", an_answer("1", clone))
    rollout = home.path / ".codex" / "sessions" / "rollout-1.jsonl"
    rollout.parent.mkdir(parents=True)
    sample = Path(__file__).parents[1] / "samples" / "codex" / "rollout.jsonl"
    text = sample.read_text(encoding="utf-8").replace("acme/widget", "bob/notes")
    rollout.write_text(text.replace('"/home/dev/widget"', json.dumps(str(clone))), encoding="utf-8")
    passed = home.sync(after=timedelta(days=2))
    assert home.told == [("1", "alice/diary")]
    assert passed.elsewhere.sessions == {("codex", "01a1fffc-de12-7ef0-bc64-19ec4c76b7c1")}


def test_what_stays_here_is_told_in_dollars(home: Home) -> None:
    """Calls, sessions and what they cost at list prices; an unknown price is counted apart, and never zero."""
    diary, notes = home.clone("diary", origin="alice/diary"), home.clone("notes", origin="alice/notes")
    home.log("s1", an_answer("1", diary), an_answer("2", notes), an_answer("3", "/nowhere"))
    home.log("s2", an_answer("4", diary, model="of-tomorrow"))
    passed = home.sync()
    left = passed.elsewhere
    assert (left.calls, left.cost, left.unpriced) == (3, 2 * A_CALL, 1)
    assert left.sessions == {("claude-code", "s1"), ("claude-code", "s2")}
    assert (passed.nowhere.calls, passed.nowhere.cost) == (1, A_CALL)
    assert home.server.asked == []


def test_commits_and_links_go_where_their_session_worked(home: Home) -> None:
    """A commit in a fork is told with the fork's name to the organization's server; one from nowhere is not told."""
    fork = home.clone("widget", origin="alice/widget", upstream="acme/widget")
    link = {"type": "pr-link", "prNumber": 7, "prRepository": "acme/widget", "timestamp": _ago(55)}
    home.log("s1", an_answer("1", fork), a_commit("abc1234", 58), link)
    home.log("s2", an_answer("2", "/nowhere"), a_commit("def5678", 58))
    home.log("s3", a_commit("aaa5678", 58))
    home.sync()
    (batch,) = home.server.batches
    assert [(one.sha, one.repository) for one in batch.commits] == [("abc1234", "alice/widget")]
    assert [one.number for one in batch.pull_requests] == [7]


def a_commit(sha: str, minutes_ago: int) -> dict[str, Any]:
    """A row of a transcript that says a commit was made."""
    made = {"commit": {"sha": sha, "kind": "committed"}}
    return {"type": "user", "timestamp": _ago(minutes_ago), "toolUseResult": {"gitOperation": made}}


def test_files_that_cannot_be_read(home: Home) -> None:
    """Are named with the reason, and the others are read; lines that cannot be used are counted."""
    clone = home.clone("widget", origin="acme/widget")
    home.log("s1", an_answer("1", clone))
    bad = home.path / ".claude" / "projects" / "p" / "s2.jsonl"
    bad.symlink_to(home.path / "gone")
    home.path.joinpath(".claude", "projects", "p", "s3.jsonl").write_text("{broken\n")
    passed = home.sync()
    assert passed.sent.calls == 1
    assert passed.read.missed == ((bad, "No such file or directory"),)
    assert passed.unread == 1


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
        home.sync(back=timedelta(hours=1))
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


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TABSTOP_SERVER": "off"}, "TABSTOP_SERVER=off says that no server is told of anything."),
        ({"TABSTOP_SERVER": "http://tabstop.example", "TABSTOP_TOKEN": "t"}, "has to be https"),
        ({}, "`tabstop login --server URL` changes that."),
    ],
)
def test_nobody_to_tell(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    """Says what to do."""
    with pytest.raises(NobodyToTellError, match=said):
        sync({"HOME": str(tmp_path), **environ}, Wanted(), NOW, lambda _seconds: None, Picky())


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


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, f"{ADDRESS} did not take it: It is not taken. Fault of sessions."),
        (500, f"{ADDRESS} could not be asked (HTTP 500: It is not taken.)."),
    ],
)
def test_what_goes_wrong_for_one_organization(home: Home, status: int, said: str) -> None:
    """A token that is good no more, a server that falls over its work: it is said, and the other's work is sent."""
    home.organizations = ("Acme", "Umbrella")
    home.log("s1", an_answer("1", home.clone("widget", origin="acme/widget")))
    home.log("s2", an_answer("2", home.clone("gadget", origin="umbrella/gadget"), 50))
    server = home.server

    @dataclass
    class Revoked:
        def send(self, request: Request, timeout: float) -> Response:
            server.fault = lambda *_: status if request.headers["Authorization"] == "Bearer token_of_acme" else 0
            return server.send(request, timeout)

    (passed,) = sync(home.environ, Wanted(), NOW, lambda _seconds: None, Revoked())
    assert passed.problem == said
    assert (passed.waiting, home.told) == (1, [("2", "umbrella/gadget")])


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


@pytest.mark.parametrize("away", [True, False])
def test_the_environments_token(home: Home, away: bool) -> None:
    """Whose organization it speaks for only the server knows: without it nothing is read, so that nothing is taken wrongly."""
    home.log("s1", an_answer("1", home.clone("widget", origin="alice/widget", upstream="acme/widget")))
    home.server.away = away
    environ = {"HOME": str(home.path), "TABSTOP_SERVER": ADDRESS, "TABSTOP_TOKEN": "tabstop_eng_1"}
    (passed,) = sync(environ, Wanted(), NOW, lambda _seconds: None, home.server)
    assert bool(passed.problem) is away
    assert (passed.read.files, passed.organizations) == ((0, ("",)) if away else (1, ("acme",)))
    assert len(home.told) == (0 if away else 1)


def test_a_keyring_that_gives_nothing(home: Home) -> None:
    """Another server's token is no help: what to do is said."""
    environ = home.environ
    path = home.path / ".config" / "tabstop" / "credentials.json"
    rows = json.loads(path.read_text())
    rows["logins"][0]["in_keyring"] = True
    path.write_text(json.dumps(rows))
    with pytest.raises(NobodyToTellError, match="Nobody is logged in"):
        sync(environ, Wanted(), NOW, lambda _seconds: None, home.server)


def test_one_of_two_tokens_is_locked_away(home: Home) -> None:
    """The other one's organization is told."""
    home.organizations = ("Umbrella", "Acme")
    environ = home.environ
    path = home.path / ".config" / "tabstop" / "credentials.json"
    rows = json.loads(path.read_text())
    rows["logins"][1]["in_keyring"] = True
    path.write_text(json.dumps(rows))
    (passed,) = sync(environ, Wanted(), NOW, lambda _seconds: None, home.server)
    assert passed.organizations == ("acme",)


def test_earlier_reports_are_brought_along(home: Home) -> None:
    """What a session on this machine could not deliver arrives with the next pass."""
    start, end = StartRequest("claude-code", "acme/widget"), EndRequest("finished")
    put(spool_root(home.environ), Undelivered(ADDRESS, start, NOW, end, (UsageBatch(),), key="k" * 16))
    home.sync()
    assert (len(home.server.ends), pending(spool_root(home.environ))) == (1, ())


def test_what_was_never_sent_in_time(home: Home) -> None:
    """Is said once, and forgotten: the server takes nothing older."""
    clone = home.clone("widget", origin="acme/widget")
    home.log("s1", an_answer("1", clone), {"type": "cost-state", "modelUsage": {}, "timestamp": _ago(59)})
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
