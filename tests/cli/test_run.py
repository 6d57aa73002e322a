"""`tabstop run`, `overdrive`, `release`, `sessions`, `session`: their options, their refusals, and the table of exit codes."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.gauge_file import keep_gauges
from tabstop.beside.journal import Entry, Journal
from tabstop.beside.server import NotAcceptedError, UnreachableError
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.beside.wrapper.opening import Wanted
from tabstop.beside.wrapper.start import Options
from tabstop.cli import overdrive as overdrive_command
from tabstop.cli import run as run_command
from tabstop.cli.main import main
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.governor.facts import Raised, Resumed, ToolFinished
from tabstop.governor.orders import Event, EventKind
from tabstop.governor.settings import Settings
from tabstop.session import Limits
from tabstop.verdict import Verdict
from tabstop.wire import OverdriveAnswer, OverdriveRequest, Problem, StartRequest
from tabstop.wire_json import to_json
from tests.governor.builders import BEGUN, answer, at
from tests.house.source import ROOT
from tests.support.golden import expect


def call(*arguments: str, **environ: str) -> Result:
    return CliRunner(env={"USER": "octocat", **environ}).invoke(main, list(arguments))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where sessions lie."""
    monkeypatch.setenv("TABSTOP_STATE", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "sessions"


def session(home: Path, name: str, limits: Limits | None = None, **more: Any) -> SessionFolder:
    """A session that answered once: 1,200 tokens for a cent."""
    settings = Settings(session=name, limits=limits or Limits(tokens=1_000, cost=10**10))
    record = Record(name, BEGUN, StartRequest("claude-code"), settings, cwd="/home/dev/widget", hmac_key="00", **more)
    made = create(home, record)
    with Journal(made.journal) as journal:
        journal.append(Entry(Resumed(at(0))))
        journal.append(Entry(answer(90, 1_200), ("anthropic:msg:1",)))
    return made


class Started:
    """Takes the place of the agent."""

    def __init__(self) -> None:
        self.argv: tuple[str, ...] = ()
        self.options = Options()

    def __call__(self, argv: tuple[str, ...], options: Options, environ: Mapping[str, str], now: object) -> int:
        self.argv, self.options = argv, options
        return 0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    one = Started()
    monkeypatch.setattr(run_command, "run_agent", one)
    return one


def test_options(started: Started) -> None:
    """Limits as people write them; what is not given is not set; the command's own options are its own."""
    done = call(
        "run", "--cost", "$1.50", "--tokens", "2M", "--wall-clock", "1h30m", "--", "claude", "-p", "--cost", "x"
    )
    assert done.exit_code == 0, done.output
    assert started.argv == ("claude", "-p", "--cost", "x")
    limits = {"cost": 1_500_000_000, "tokens": 2_000_000, "wall_clock_seconds": 5_400}
    assert started.options == Options(Wanted("", limits))
    call("run", "--tool-calls", "unlimited", "--iterations", "5", "--session", "s1", "claude", "--no-hooks")
    assert started.options.wanted == Wanted("s1", {"tool_calls": None, "iterations": 5})
    assert started.options.hooks
    call("run", "--no-hooks", "--proxy", "--silence", "90", "--grace", "3s", "--agent", "codex", "./mine")
    expected = Options(agent="codex", hooks=False, proxy=True, silence=90, grace=3)
    assert started.options == expected
    call("run", "--silence", "unlimited", "claude")
    assert started.options.silence == 0


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--cost=much", "'much' is not an amount of dollars; write `5`, `2.50` or `'$5'`, or `unlimited`."),
        ("--cost=0", "'0': it must be more than zero; write"),
        ("--tokens=-1", "'-1' is not a number of tokens; write `500k` or `2M`, or `unlimited`."),
        ("--tool-calls=1.5", "'1.5' is not a whole number; write `50`, or `unlimited`."),
        ("--wall-clock=soon", "'soon' is not a length of time; write `30m`, `90s` or `2h`, or `unlimited`."),
        ("--grace=unlimited", "'unlimited' is not a length of time; write `30m`, `90s` or `2h`."),
    ],
)
def test_amounts_that_are_none(started: Started, option: str, said: str) -> None:
    """Each says what is allowed."""
    done = call("run", option, "claude")
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_nothing_to_run() -> None:
    """A command is needed."""
    assert call("run").exit_code == 2


def test_overdrive(home: Path) -> None:
    """More of what is named; the totals stay; how to resume."""
    session(home, "claude-1a2b3c4d")
    done = call("overdrive", "claude", "--tokens", "500")
    assert done.output.splitlines() == [
        "Session claude-1a2b3c4d may now use $10.00, 1.5k tokens; what it used so far counts.",
        "To resume: tabstop run --session claude-1a2b3c4d -- claude --continue",
    ]
    less = call("overdrive", "claude", "1").output
    assert "may now use $11.00, 1.5k tokens" in less


def test_an_overdrive_that_is_too_little(home: Path) -> None:
    """Said at once."""
    session(home, "s1")
    assert "It still stands: Task paused" in call("overdrive", "s1", "--tokens", "100").output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("s1",), 2, "Say how much more"),
        (("nothing", "5"), 1, "there is no session nothing"),
        (("s1", "--iterations", "5", "--wall-clock", "5m"), 1, "This session has no limit of iterations, wall clock;"),
        (("s1", "five"), 2, "'five' is not an amount of dollars"),
    ],
)
def test_overdrives_that_cannot_be(home: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    """Nothing is changed, and why is said."""
    made = session(home, "s1")
    before = made.journal.read_bytes()
    done = call("overdrive", *arguments)
    assert (done.exit_code, said in " ".join(done.output.split())) == (code, True), done.output
    assert made.journal.read_bytes() == before


def test_a_session_that_is_watched_elsewhere(home: Path) -> None:
    """And does not answer."""
    made = session(home, "s1")
    with Journal(made.journal):
        done = call("release", "s1")
    assert (done.exit_code, done.output) == (1, done.output)
    assert "Nothing was changed: another process watches this session and does not answer." in done.output


def test_a_journal_that_cannot_be_written(home: Path) -> None:
    """The reason, in the system's words."""
    made = session(home, "s1")
    made.journal.unlink()
    made.journal.mkdir()
    done = call("release", "s1")
    assert (done.exit_code, "the session cannot be written (Is a directory)" in done.output) == (1, True)


def test_release(home: Path) -> None:
    """After a breaker; limits stay."""
    made = session(home, "s1", Limits(tokens=10_000))
    with Journal(made.journal) as journal:
        for second in range(3):
            journal.append(Entry(ToolFinished(at(100 + second), "Bash", str(second), failed=True, unseen=True)))
    assert "stopped: breaker" in call("sessions").output
    assert call("release", "s1").output.splitlines()[0] == "Session s1 is released."
    assert "stopped: breaker" not in call("sessions").output


class RaisingServer:
    """Answers as the real one does."""

    def __init__(self, answer: OverdriveAnswer | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[str, OverdriveRequest, str]] = []

    def __call__(self, address: str, *_: object) -> RaisingServer:
        return self

    def overdrive(self, session: str, request: OverdriveRequest, *, token: str, key: str) -> OverdriveAnswer:
        self.asked.append((session, request, token))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def admitted(home: Path) -> SessionFolder:
    return session(home, "s1", server="https://tabstop.example", server_session="7")


def test_a_session_behind_a_server_is_raised_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limits are the server's; they are not raised twice."""
    admitted(home)
    server = RaisingServer(OverdriveAnswer(Verdict(), 1, Limits(tokens=1_500, cost=10**10), live=True))
    monkeypatch.setattr(overdrive_command, "Server", server)
    done = call("overdrive", "s1", "--tokens", "500", "--why", "nearly done", TABSTOP_TOKEN="t")
    assert done.exit_code == 0, done.output
    assert "may now use $10.00, 1.5k tokens" in done.output
    assert server.asked == [("7", OverdriveRequest(Limits(tokens=500), "nearly done"), "t")]


@pytest.mark.parametrize(
    ("answer", "environ", "why", "said"),
    [
        (None, {}, "x", "no token says who you are. A login raises no limits"),
        (None, {"TABSTOP_TOKEN": "t"}, " ", "add --why 'the reason'"),
        (OverdriveAnswer(Verdict()), {"TABSTOP_TOKEN": "t"}, "x", "a budget above this session has no room"),
        (UnreachableError("no route"), {"TABSTOP_TOKEN": "t"}, "x", "could not be asked: no route. Try again later"),
        (
            NotAcceptedError(403, Problem("You may not raise this session's limits.", "", "Ask @mona.")),
            {"TABSTOP_TOKEN": "t"},
            "x",
            "The server did not raise it: You may not raise this session's limits. Ask @mona.",
        ),
    ],
)
def test_a_server_that_does_not(
    home: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, environ: dict[str, str], why: str, said: str
) -> None:
    """Who may, what to do, and nothing changed here."""
    made = admitted(home)
    before = made.journal.read_bytes()
    monkeypatch.setattr(overdrive_command, "Server", RaisingServer(answer))
    monkeypatch.delenv("TABSTOP_TOKEN", raising=False)
    done = call("overdrive", "s1", "1", "--why", why, XDG_CONFIG_HOME=str(home), **environ)
    assert (done.exit_code, said in " ".join(done.output.split())) == (1, True), done.output
    assert made.journal.read_bytes() == before


def test_it_is_raised_by_whoever_is_logged_in(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """At the session's own server; what a login may not do is said with who may. The environment's token counts before it."""
    admitted(home)
    credentials = Credentials(tmp_path / "config" / "tabstop" / "credentials.json")
    credentials.keep(Login("https://tabstop.example", "acme", "alice", "tabstop_eng_a"))
    credentials.keep(Login("https://another.example", "acme", "alice", "tabstop_eng_b"))
    problem = Problem("This engineer token is not good for `approve`.", "It has: start, read.")
    server = RaisingServer(NotAcceptedError(403, problem))
    monkeypatch.setattr(overdrive_command, "Server", server)
    monkeypatch.delenv("TABSTOP_TOKEN", raising=False)
    logged_in = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = call("overdrive", "s1", "1", "--why", "x", **logged_in)
    assert done.exit_code == 1
    assert (
        "It has: start, read. A login raises no limits: an agent on the same machine could use it. An approver can, on a machine of "
        "their own, with TABSTOP_SERVER=https://tabstop.example and, in TABSTOP_TOKEN, a token of theirs with the scope `approve`: "
        "`tabstop overdrive 7 '$1.00' --why 'the reason'`. So can an operator, at the server: "
        "`python -m app.cli overdrive grant --session 7 --amount '$1.00' --why 'the reason'`."
    ) in " ".join(done.output.split())
    server.answer = NotAcceptedError(409, Problem("It has ended.", "No raise helps."))
    ended = call("overdrive", "s1", "1", "--why", "x", **logged_in, TABSTOP_TOKEN="t")
    assert "It has ended. No raise helps." in ended.output
    assert [token for _, _, token in server.asked] == ["tabstop_eng_a", "t"]


AFAR = {"TABSTOP_SERVER": "https://tabstop.example", "TABSTOP_TOKEN": "t"}


def test_an_approver_raises_a_session_of_another_machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the server's id of it; one that is here is found as ever."""
    until = at(0).replace(hour=17, minute=5)
    answered = OverdriveAnswer(Verdict(), 1, Limits(tokens=1_500, cost=10**10), until, live=True)
    server = RaisingServer(answered)
    monkeypatch.setattr(overdrive_command, "Server", server)
    more = ("1", "--tokens", "500", "--tool-calls", "2", "--wall-clock", "5m", "--why", "nearly done")
    done = call("overdrive", "ses_9", *more, **AFAR)
    assert done.output.splitlines() == [
        f"Session ses_9 may now use $10.00, 1.5k tokens until {until:%Y-%m-%d} 17:05 UTC; what it used so far counts.",
        "One that runs hears of it with its next report; one that was suspended may be resumed where it ran.",
    ]
    server.answer = replace(answered, expires_at=None)
    assert "1.5k tokens; what it used" in call("overdrive", "ses_9", *more, **AFAR).output
    assert {asked for asked, _, _ in server.asked} == {"ses_9"}
    session(home, "s1", server="https://tabstop.example", server_session="ses_9")
    assert "Session s1 may now use" in call("overdrive", "ses_9", "1", "--why", "nearly done", **AFAR).output


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"TABSTOP_SERVER": ""},
            "There is no session ses_9 on this machine. To raise one that runs elsewhere, set TABSTOP_SERVER",
        ),
        ({"TABSTOP_SERVER": "http://tabstop.example"}, "so it has to be https://. Nothing was changed."),
        ({"TABSTOP_SERVER": "off"}, "There is no session ses_9 on this machine."),
        (
            {},
            "--session ses_9 --amount '$1.00' --tokens 500 --iterations 3 --tool-calls 2 --wall-clock 300s --why 'the reason'`.",
        ),
    ],
)
def test_what_raises_nothing_on_another_machine(
    home: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], said: str
) -> None:
    """What to set, or whom to ask, with the command to send them."""
    problem = Problem("This engineer token is not good for `approve`.", "It has: start, read.")
    monkeypatch.setattr(overdrive_command, "Server", RaisingServer(NotAcceptedError(403, problem)))
    more = ("1", "--tokens", "500", "--iterations", "3", "--tool-calls", "2", "--wall-clock", "5m", "--why", "x")
    done = call("overdrive", "ses_9", *more, XDG_CONFIG_HOME=str(home), **{**AFAR, **environ})
    assert (done.exit_code, said in " ".join(done.output.split())) == (1, True), done.output


def test_sessions(home: Path) -> None:
    """Newest first, with its meters; the newest twenty; what cannot be read is left out."""
    expect("run/no-sessions.txt", call("sessions").output)
    session(home, "s1")
    unknown = session(home, "s2", Limits(wall_clock_seconds=60))
    with Journal(unknown.journal) as journal:
        journal.append(Entry(answer(91, 1_000, cost=None)))
    (home / "broken").mkdir()
    (home / "broken" / "record.json").write_text("{")
    for folder, age in (("s1", 3), ("s2", 2), ("broken", 1)):
        os.utime(home / folder, (10**9 - age, 10**9 - age))
    expect("run/two-sessions.txt", call("sessions").output)
    for number in range(20):
        session(home, f"t{number:02}")
    assert "3 older: --all" in call("sessions").output
    assert len(call("sessions", "--all").output.splitlines()) == 23


def test_one_session(home: Path) -> None:
    """Everything people ask about it, also as JSON."""
    made = admitted(home)
    made.write_record(replace(made.record(), agent_session="11111111-1111-4111-8111-111111111111"))
    with Journal(made.journal) as journal:
        journal.append(Entry(answer(91, 1_000, cost=None)))
        journal.append(Entry(Raised(at(92), Limits(tokens=500, cost=5 * 10**9), "octocat")))
    log = [Event(at(92), EventKind.RAISE, by="octocat"), Event(at(93), EventKind.RAISE, by="mona")]
    made.events.write_text("".join(json.dumps(to_json(event)) + "\n" for event in log), encoding="utf-8")
    header = GaugeSource.HEADER
    week = GaugeReading("anthropic", "", "weekly", 10_000, at(90), header, minutes=10_080, status="rejected")
    keep_gauges(made, [week, GaugeReading("anthropic", "", "5h", 8_150, at(90), header, at(9_000), 300)])
    expect("run/one-session.txt", call("session", "s").output)
    told = json.loads(call("session", "s1", "--json").output)
    assert (told["state"], told["used"]["tokens"], told["limits"]["tokens"]) == ("suspended", 2_200, 1_500)
    assert told["stopped"]["ends_as"] == "suspended"
    assert [gauge["used"] for gauge in told["gauges"]] == [8_150, 10_000]
    (more,) = told["raises"]
    assert (more["before"]["tokens"], more["after"]["tokens"]) == (1_000, 1_500)
    assert json.loads(call("sessions", "--json").output)[0]["session"] == "s1"
    missing = call("session", "nothing")
    assert (missing.exit_code, "`tabstop sessions` lists them" in missing.output) == (1, True)


def test_another_programs_session(home: Path) -> None:
    """Nobody knows how it is resumed."""
    made = session(home, "s1")
    made.write_record(replace(made.record(), start=StartRequest("mine")))
    assert "To resume: tabstop run --session s1 -- COMMAND" in call("session", "s1").output


def test_a_librarys_session(home: Path) -> None:
    """The program is started again; the session is named in its code."""
    made = session(home, "nightly")
    made.write_record(replace(made.record(), start=StartRequest("library")))
    assert 'Governor(session="nightly")' in call("session", "nightly").output
    assert 'Governor(session="nightly")' in call("overdrive", "nightly", "--tokens", "5000").output


def test_the_table_of_exit_codes() -> None:
    """docs/running.md has every code with its meaning, word for word."""
    text = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(7\d)` \| (.+) \|$", text, re.MULTILINE)
    assert rows == [(str(int(one)), one.meaning) for one in ExitCode]


def test_the_docs_name_every_option() -> None:
    """And none that does not exist."""
    text = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    options = {name for one in run_command.run.params for name in one.opts if name.startswith("--")}
    assert set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)) == options
