"""`tabstop sync` over real HTTP: what the logs have reaches the books once, from wherever and however often it is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.ledger.books import SessionRow
from app.registry import PullRequest
from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.gauge_file import keep_gauges, machine_gauges
from tabstop.beside.sync.passed import Passed
from tabstop.beside.sync.run import AlreadyRunningError, NobodyToTellError, Wanted, sync
from tabstop.beside.transport import NoAnswerError, Request, Response, UrllibTransport
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.usage import Billing
from tests.beside.test_working_tree import git
from tests.web.test_laptop_sessions import Laptop, laptop

__all__ = ["laptop"]

SESSION = "11111111-1111-4111-8111-111111111111"
SECRETS = ("PROMPT-SECRET", "ANSWER-SECRET", "TOOL-SECRET", "RESULT-SECRET", "TITLE-SECRET", "/home/secret-folder")


@dataclass
class Wire:
    """The real transport, which keeps what it sends. away: nobody answers."""

    sent: list[Request] = field(default_factory=list)
    away: bool = False

    def send(self, request: Request, timeout: float) -> Response:
        if self.away:
            raise NoAnswerError("no route to host")
        self.sent.append(request)
        return UrllibTransport().send(request, timeout)

    def bodies(self) -> str:
        """Everything that left the machine, but for the bearer."""
        return "\n".join(f"{one.url} {(one.body or b'').decode()}" for one in self.sent)


@dataclass
class Machine:
    """A laptop with Claude Code's logs, logged in for acme."""

    laptop: Laptop
    home: Path
    wire: Wire = field(default_factory=Wire)

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": str(self.home), "TABSTOP_STATE": str(self.home / "state")}

    @property
    def now(self) -> datetime:
        return self.laptop.bench.clock.now

    def log_in(self) -> None:
        token = self.laptop.bench.engineer_token("alice", "start", "read")
        Credentials(self.home / ".config" / "tabstop" / "credentials.json").keep(
            Login(self.laptop.url, "acme", "alice", token)
        )

    def sync(self, environ: Mapping[str, str] | None = None, **wanted: Any) -> Passed:
        """One pass."""
        chosen = {**self.environ, **(environ or {})}
        (passed,) = sync(chosen, Wanted(**wanted), self.now, lambda _seconds: None, self.wire)
        return passed

    def write(self, name: str, *rows: dict[str, Any], session: str = SESSION) -> Path:
        """A transcript, or more of one."""
        path = self.home / ".claude" / "projects" / "p" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as stream:
            for row in rows:
                stream.write(json.dumps({"sessionId": session, **row}) + "\n")
        return path

    def answer(
        self, key: str, *, ago: int = 60, folder: Path | None = None, branch: str = "fix", output: int = 1_000
    ) -> dict[str, Any]:
        """An answer of so many seconds ago, beside everything that must stay here."""
        at = (self.now - timedelta(minutes=ago)).isoformat().replace("+00:00", "Z")
        content = [
            {"type": "text", "text": "ANSWER-SECRET"},
            {"type": "tool_use", "id": f"toolu_{key}", "name": "Bash", "input": {"command": "echo TOOL-SECRET"}},
        ]
        usage = {"input_tokens": 0, "output_tokens": output}
        return {
            "type": "assistant", "requestId": f"req_{key}", "timestamp": at, "gitBranch": branch,
            "cwd": str(folder or self.laptop.checkout), "slug": "TITLE-SECRET",
            "message": {"id": f"msg_{key}", "model": "claude-sonnet-4-5", "content": content, "usage": usage},
        }  # fmt: skip

    def rows(self) -> list[SessionRow]:
        """Every session the server has, oldest first."""
        with self.laptop.bench.world.store.look(self.laptop.bench.organization.id) as books:
            found = {
                row.id: row
                for branch in ("fix", "feature", "main")
                if (tab := books.tab_of_branch(self.laptop.bench.repository.id, branch)) is not None
                for row in books.sessions_of_tab(tab.id)
            }
        return sorted(found.values(), key=lambda row: row.admitted_at)

    def spent(self) -> int:
        """Of all sessions, nano-dollars."""
        return sum(row.spent.nano for row in self.rows())


@pytest.fixture
def machine(laptop: Laptop, tmp_path: Path) -> Machine:
    """See `Machine`."""
    found = Machine(laptop, tmp_path / "home")
    found.home.mkdir()
    found.log_in()
    return found


PROMPT = {
    "type": "user",
    "message": {"content": "PROMPT-SECRET, see /home/secret-folder"},
    "toolUseResult": "RESULT-SECRET",
}
A_CALL = 15_000_000
"""Nano-dollars of a thousand output tokens of claude-sonnet-4-5."""


def test_what_the_logs_have_is_told_once(machine: Machine) -> None:
    """A session after the fact, ended since it is quiet; a second pass sends nothing at all, a file that grew only what is new."""
    machine.write("a", PROMPT, machine.answer("1"), machine.answer("2", ago=50))
    passed = machine.sync()
    assert (passed.sent.sessions, passed.sent.calls, passed.sent.new, passed.problem) == (1, 2, 2, "")
    (row,) = machine.rows()
    assert (row.unadmitted, row.agent, row.outcome, row.spent.nano) == (True, "claude-code", "finished", 2 * A_CALL)
    machine.wire.sent.clear()
    again = machine.sync()
    assert (again.sent.calls, again.read.files, machine.wire.sent) == (0, 0, [])
    machine.write("a", machine.answer("3", ago=40))
    assert machine.sync().sent.calls == 1
    assert [row.id for row in machine.rows()] == [row.id]
    assert machine.spent() == 3 * A_CALL


def test_a_lost_state_and_a_second_machine_change_nothing(machine: Machine, tmp_path: Path) -> None:
    """The same logs, sent anew: the same session, nothing new; also long after the session's token has run out."""
    machine.write("a", machine.answer("1"), machine.answer("2"))
    machine.sync()
    shutil.rmtree(machine.home / "state")
    machine.laptop.bench.clock.pass_by(days=3)
    again = machine.sync()
    assert (again.sent.calls, again.sent.new, again.problem) == (2, 0, "")
    other = replace(machine, home=tmp_path / "other")
    shutil.copytree(machine.home / ".claude", other.home / ".claude")
    other.log_in()
    assert other.sync().sent.new == 0
    assert (len(machine.rows()), machine.spent()) == (1, 2 * A_CALL)


def test_a_call_that_cannot_have_been_is_said(machine: Machine) -> None:
    """More tokens than its model can have, or a time to come: what the server makes of each is told, and sent once."""
    machine.write("a", machine.answer("1"), machine.answer("2", output=900_000_000), machine.answer("3", ago=-600))
    sent = machine.sync().sent
    assert (sent.calls, sent.new) == (3, 2)
    too_many, ahead = sorted(sent.doubted, reverse=True), sorted(sent.doubted)
    assert sum(sent.doubted.values()) == len(sent.doubted) == 2
    assert "not counted" in " ".join(too_many)
    assert "in the future, by the server's clock" in " ".join(ahead)
    assert machine.sync().sent.doubted == {}


def test_content_stays_here(machine: Machine) -> None:
    """Neither what was asked, answered, run or read, nor folders, leave the machine; what leaves is on a list."""
    machine.write("a", PROMPT, machine.answer("1"), {"type": "not known", "text": "PROMPT-SECRET"}, session="s-1")
    (machine.home / ".claude" / "projects" / "p" / "b.jsonl").write_text("RESULT-SECRET\n")
    machine.sync()
    told = machine.wire.bodies()
    for secret in (*SECRETS, str(machine.home), str(machine.laptop.checkout)):
        assert secret not in told
    names = {name for one in machine.wire.sent if one.body for name in names_of(json.loads(one.body))}
    assert names <= ALLOWED, names - ALLOWED


ALLOWED = {
    "agent", "repository", "branch", "head_sha", "pull_request", "model", "purpose", "billing", "billing_evidence",
    "unadmitted_since", "run_id", "run_attempt", "version", "calls", "client_totals", "trips", "events", "gauges",
    "pull_requests", "commits", "keys", "tokens", "occurred_at", "thread", "web_searches", "grain", "cache_split_known",
    "tool_calls", "name", "arguments_hmac", "failed", "commit", "input", "cache_read", "cache_write_5m", "cache_write_1h",
    "output", "outcome", "detail", "duration_seconds", "skipped", "number", "at", "sha",
}  # fmt: skip


def names_of(data: Any) -> set[str]:
    """Every field's name in it."""
    if isinstance(data, dict):
        return set(data) | {name for one in data.values() for name in names_of(one)}
    return {name for one in data for name in names_of(one)} if isinstance(data, list) else set()


def test_what_was_reported_live_counts_once(machine: Machine) -> None:
    """The session that a wrapper or hooks reported and the one its log tells of meet in their calls' keys."""
    live = machine.laptop
    with live.governor() as g:
        g.answered({"model": "claude-sonnet-4-5", "id": "msg_1", "usage": {"input_tokens": 0, "output_tokens": 1_000}})
    before = machine.spent()
    assert before == A_CALL
    machine.write("a", machine.answer("1"), machine.answer("2"))
    passed = machine.sync()
    assert (passed.sent.calls, passed.sent.new) == (2, 1)
    assert machine.spent() == 2 * A_CALL


def test_each_call_where_it_was_made(machine: Machine, tmp_path: Path) -> None:
    """By the folder's remote and the call's own branch; other people's repositories, and folders without one, are not even named."""
    diary = tmp_path / "diary"
    diary.mkdir()
    git(diary, "init", "-q")
    git(diary, "remote", "add", "origin", "https://github.com/alice/diary.git")
    machine.write(
        "a",
        machine.answer("1"),
        machine.answer("2", branch="feature"),
        machine.answer("3", folder=diary),
        machine.answer("4", folder=tmp_path / "gone"),
    )
    passed = machine.sync()
    assert (passed.sent.calls, passed.elsewhere.calls, passed.nowhere.calls) == (2, 1, 1)
    assert (passed.elsewhere.cost, passed.elsewhere.unpriced, len(passed.elsewhere.sessions)) == (A_CALL, 0, 1)
    assert "diary" not in machine.wire.bodies()
    shutil.rmtree(machine.laptop.checkout)
    machine.write("a", machine.answer("5"))
    assert machine.sync().sent.calls == 1, "a folder that is gone is remembered"


def test_a_repository_the_server_does_not_have(machine: Machine, tmp_path: Path) -> None:
    """Its calls wait; the others are sent all the same."""
    gadget = tmp_path / "gadget"
    gadget.mkdir()
    git(gadget, "init", "-q")
    git(gadget, "remote", "add", "origin", "git@github.com:Acme/gadget.git")
    machine.write("a", machine.answer("1", folder=gadget, ago=90), machine.answer("2"))
    passed = machine.sync()
    [(why, left)] = passed.kept.items()
    assert why.startswith("Tabstop is not installed on Acme/gadget. The organization has the App, but")
    assert (left.calls, passed.waiting, passed.sent.calls) == (1, 1, 1)


def test_a_forks_pull_request(machine: Machine) -> None:
    """Work in an engineer's own fork is told to the organization it was forked from, and lies on the fork's pull request."""
    laptop, bench = machine.laptop, machine.laptop.bench
    git(laptop.checkout, "remote", "set-url", "origin", "git@github.com:alice/widget.git")
    git(laptop.checkout, "remote", "add", "upstream", "git@github.com:acme/widget.git")
    with bench.world.store.open(bench.organization.id) as books:
        tab = books.open_tab(bench.repository.id, "alice:fix", machine.now - timedelta(days=1))
        seen = PullRequest(
            0, bench.repository.id, 9, tab.id, "head", "alice:fix", "main", 1, "Fix", "open", False, machine.now
        )
        books.save_pull_request(seen)
    machine.write("a", machine.answer("1"), machine.answer("2", branch="never-opened"))
    assert machine.sync().sent.new == 2
    with bench.world.store.look(bench.organization.id) as books:
        spent = [one.spent.nano for one in books.budgets_of_tab(tab.id, machine.now)]
        other = books.tab_of_branch(bench.repository.id, "fix")
    assert spent == [A_CALL]
    assert other is None, "the fork's branch is not the repository's branch of that name"


def test_windows_reach_their_engineer(machine: Machine) -> None:
    """How full the plan's windows are, as the status line heard, is told with the newest session."""
    week = GaugeReading("anthropic", "", "weekly", 9_100, machine.now, GaugeSource.STATUS_LINE, minutes=10_080)
    heard = machine_gauges(machine.environ)
    heard.path.mkdir(parents=True, exist_ok=True)
    keep_gauges(heard, [week])
    machine.write("a", machine.answer("1"))
    machine.sync()
    bench = machine.laptop.bench
    with bench.world.store.look(bench.organization.id) as books:
        assert [one for _, one in books.all_gauges()] == [week]


def test_what_the_client_counted_more(machine: Machine) -> None:
    """Compaction is in no row: the client's own total brings it, once, and calls after it are added to it."""
    counted = {"claude-sonnet-4-5": {"inputTokens": 0, "outputTokens": 3_000, "costUSD": 0.045}}
    machine.write("a", machine.answer("1"), {"type": "cost-state", "modelUsage": counted})
    machine.sync()
    assert machine.spent() == 3 * A_CALL
    machine.write("a", machine.answer("2", ago=30))
    machine.sync()
    assert machine.spent() == 4 * A_CALL
    machine.wire.sent.clear()
    machine.sync()
    assert not machine.wire.sent


def test_many_calls_go_in_several_batches(machine: Machine) -> None:
    """At most two hundred in one; links and commits of the session's repository go along, others' stay."""
    link = {"type": "pr-link", "prNumber": 7, "prRepository": "acme/widget", "timestamp": machine.now.isoformat()}
    other = {**link, "prRepository": "alice/diary"}
    machine.write("a", *(machine.answer(str(number), ago=100, output=1) for number in range(450)), link, other)
    assert machine.sync().sent.new == 450
    sizes = [len(json.loads(one.body or b"")["calls"]) for one in machine.wire.sent if one.url.endswith("/usage")]
    assert sizes == [200, 200, 50]
    assert "diary" not in machine.wire.bodies()


def test_off_line_it_waits(machine: Machine) -> None:
    """And is sent by a later pass, though the client has removed its log by then."""
    path = machine.write("a", machine.answer("1"))
    machine.wire.away = True
    passed = machine.sync()
    assert (passed.waiting, passed.problem) == (1, f"{machine.laptop.url} could not be asked (no route to host).")
    path.unlink()
    machine.wire.away = False
    assert machine.sync().sent.new == 1


def test_a_token_that_is_good_no_more(machine: Machine) -> None:
    """Says what to do; what was read waits."""
    machine.write("a", machine.answer("1"))
    with machine.laptop.bench.world.store.open(machine.laptop.bench.organization.id) as books:
        for one in books.engineer_tokens():
            books.revoke_engineer_token(one.id, machine.now)
    passed = machine.sync()
    assert "unknown or revoked. Log in again with `tabstop login`" in passed.problem
    assert passed.waiting == 1


def test_of_long_ago_nothing(machine: Machine) -> None:
    """The server dates nothing further back than 35 days; `--since` is nearer."""
    machine.write("a", machine.answer("1", ago=60 * 24 * 40), machine.answer("2", ago=60 * 24 * 2))
    assert machine.sync(since=machine.now - timedelta(days=1), dry=True).waiting == 0
    shutil.rmtree(machine.home / "state")
    assert machine.sync().sent.new == 1


def test_by_the_environments_token(machine: Machine) -> None:
    """The server is asked for whose organization it is; how the tokens are paid is told where people say."""
    machine.write("a", machine.answer("1"))
    passed = machine.sync(
        {**machine.laptop.environ, "TABSTOP_STATE": str(machine.home / "s2")}, billing=Billing.SUBSCRIPTION
    )
    assert (passed.organizations, passed.sent.new) == (("acme",), 1)
    (row,) = machine.rows()
    assert (row.billing, row.billing_evidence) == ("subscription", "said by the engineer")


def test_nobody_to_tell(machine: Machine) -> None:
    """Who is not logged in, or wants no server, is told so; two at once do not work against each other."""
    with pytest.raises(NobodyToTellError, match="TABSTOP_SERVER=off"):
        machine.sync({"TABSTOP_SERVER": "off"})
    with pytest.raises(NobodyToTellError, match="has to be https"):
        machine.sync({"TABSTOP_SERVER": "http://tabstop.example", "TABSTOP_TOKEN": "t"})
    with pytest.raises(NobodyToTellError, match="`tabstop login --server URL`"):
        machine.sync({"HOME": str(machine.home / "nobody")})

    class Nested(Wire):
        def send(self, request: Request, timeout: float) -> Response:
            with pytest.raises(AlreadyRunningError):
                machine.sync()
            return super().send(request, timeout)

    machine.write("a", machine.answer("1"))
    nested = Nested()
    sync(machine.environ, Wanted(), machine.now, lambda _seconds: None, nested)
    assert nested.sent
