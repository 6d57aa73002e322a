"""Governing at the gate and at settle: what is set up, what is said where it cannot be, and how a governed session ended."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from action import session_file
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_installation import install, place_of
from tabstop.beside.hook_records import pricer_of
from tabstop.beside.journal import Journal
from tabstop.beside.session_folder import SessionFolder
from tabstop.governor.facts import ToolFinished, ToolStarted
from tabstop.governor.orders import Event, EventKind, Order
from tabstop.session import Limits
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.wire_json import to_json
from tests.action.fake_tabstop import LIMITS
from tests.action.jobs import AWAY, SERVER, Job, only_session, play
from tests.support.golden import expect


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def settings_of(job: Job) -> Path:
    return job.home / ".claude" / "settings.json"


def folder_of(job: Job, name: str = "s1") -> SessionFolder:
    return SessionFolder(job.temp / "tabstop" / "sessions" / name)


def works(job: Job, answers: int, *, events: Iterable[Event] = ()) -> None:
    """The governor counts so many answers of a hundred tokens, each with a tool call that works."""
    folder = folder_of(job)
    record = folder.record()

    def log(event: Event, _order: Order | None = None) -> None:
        with folder.events.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(to_json(event)) + "\n")

    with Journal(folder.journal) as journal:
        now = job.clock.now
        session = GovernedSession(record.settings, pricer_of(record, now()), now, journal=journal, on_event=log)
        for number in range(answers):
            job.clock.at += timedelta(seconds=20)
            session.answered(Usage((f"k{number}",), "claude-opus-5-5", Tokens(input=100), now()))
            session.tell(ToolStarted(now(), "Bash", f"a{number}", call=f"c{number}"))
            session.tell(ToolFinished(now(), "Bash", f"a{number}", call=f"c{number}"))
    for event in events:
        log(event)


def an_alert(
    job: Job, sentence: str, kind: EventKind = EventKind.ALERT, scope: str = "repeats", cause: str = ""
) -> Event:
    return Event(job.clock.at, kind, Finding(Signal.RUNAWAY, Outcome.WARN, scope, sentence, cause=cause))


def test_an_admitted_session_is_governed(job: Job) -> None:
    """Its record is what settle has too; hooks are in; the governor sees none of the job's secrets, later steps only the id."""
    assert job.run("gate", govern="hooks", github_token="ghs_secret") == 0
    assert job.outputs["enforcement"] == "one call"
    assert json.loads(job.outputs["allowance"])["enforcement"] == "one call"
    assert job.environ["TABSTOP_SESSION"] == "s1"
    record = folder_of(job).record()
    [kept] = session_file.everything(job.temp / "tabstop")
    assert (record.server, record.server_session, record.token) == (SERVER, "s1", "session-token-s1")
    assert (record.key, record.hmac_key) == (kept.session.key, kept.session.hmac_key)
    assert (record.began_at, record.start) == (kept.session.begun_at, kept.session.start)
    assert (record.settings.limits, record.settings.ci) == (LIMITS, True)
    assert (record.settings.session, record.cwd) == ("s1", str(job.workspace))
    assert "hook.py claude-code PreToolUse" in settings_of(job).read_text()
    [environ] = job.governors
    assert set(environ) == {"HOME", "RUNNER_TEMP"}
    assert job.said("warning") == []


def test_a_session_that_nobody_could_be_asked_about_has_the_default_limits(job: Job) -> None:
    """It has a name of its own, and no server to report to: settle reports it after the fact."""
    job.tabstop.fault = lambda _route: (_ for _ in ()).throw(AWAY)
    assert job.run("gate", govern="hooks") == 0
    name = job.environ["TABSTOP_SESSION"]
    record = folder_of(job, name).record()
    assert name.startswith("unasked-")
    assert (record.server, record.server_session, record.token) == ("", "", "")
    assert record.settings.limits.iterations == 200
    assert job.outputs["enforcement"] == "one call"


@pytest.mark.parametrize(
    ("inputs", "file"),
    [
        ({"agent": "gemini-cli"}, ".gemini/settings.json"),
        ({"agent": "codex"}, ".codex/hooks.json"),
        ({"agent": "claude-code", "agent_home": "~/elsewhere"}, "elsewhere/settings.json"),
    ],
)
def test_each_agent_has_its_hooks_where_it_looks(job: Job, inputs: dict[str, str], file: str) -> None:
    """Codex's hooks cannot end a turn, so they are no enforcement."""
    job.run("gate", govern="hooks", **inputs)
    assert "tabstop/hook.py" in (job.home / file).read_text()
    assert job.outputs["enforcement"] == ("none" if inputs["agent"] == "codex" else "one call")
    job.run("settle")
    assert not (job.home / file).exists()


@pytest.mark.parametrize("inputs", [{"govern": "off"}, {"govern": "hooks", "agent": "opencode"}])
def test_without_hooks_flags_alone_bind(job: Job, inputs: dict[str, str]) -> None:
    """No hook is put in, and the word for it is none. `tabstop run` and libraries find what binds the session all the same."""
    job.environ["TABSTOP_SESSION"] = "s0"
    job.run("gate", **inputs)
    assert job.outputs["enforcement"] == "none"
    assert (job.governors, job.environ["TABSTOP_SESSION"]) == ([], "s1")
    assert folder_of(job).record().settings.limits == LIMITS
    assert not settings_of(job).exists()
    assert job.said("warning") == []


FAULTS = ("comments", "switched off", "no governor", "no GITHUB_ENV", "name", "full disk")


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_set_up_is_said_and_fails_no_gate(job: Job, fault: str) -> None:
    """The agent runs, bound by flags; settle goes on as ever, and leaves the machine as it was."""
    settings = settings_of(job)
    settings.parent.mkdir()
    before = {"comments": "{} // mine", "switched off": '{"disableAllHooks": true}'}.get(fault, "{}")
    settings.write_text(before)
    if fault == "no governor":
        job.governor_starts = False
    elif fault == "no GITHUB_ENV":
        job.environ["GITHUB_ENV"] = ""
    elif fault == "full disk":
        (job.temp / "tabstop").mkdir()
        (job.temp / "tabstop" / "sessions").write_text("")
    elif fault == "name":
        job.tabstop.names = "../../s"
    assert job.run("gate", govern="hooks") == 0
    assert (job.outputs["allowed"], job.outputs["enforcement"]) == ("true", "none")
    [warning] = job.said("warning")
    assert "flags alone" in warning.properties["title"]
    assert "enforcement: none" in job.summary
    if fault == "comments":
        expect("action/not-governed.txt", job.page().replace(str(job.temp.parent), ""))
    play(job, "plain")
    assert job.run("settle") == 0
    assert job.outputs["outcome"] == "finished"
    assert settings.read_text() == before


def test_a_hook_stopped_run_ended_by_its_limit(job: Job) -> None:
    """The client says that a hook stopped it; which limit, the governor knows. The page has its findings."""
    job.tabstop.allowance = replace(job.tabstop.allowance, limits=Limits(iterations=3, tokens=1_000_000))
    job.run("gate", govern="hooks")
    alerts = [an_alert(job, f"Alert {number} of seven.") for number in range(7)]
    works(job, 3, events=[*alerts, an_alert(job, "Not here.", cause="not applied", scope="compact")])
    play(job, "hook-stopped")
    assert job.run("settle") == 0
    end = only_session(job).end
    assert end is not None
    assert (end.outcome, end.detail) == (
        "stopped: iterations",
        "The session reached its iteration limit: 3 of 3 used.",
    )
    assert job.ended == ["s1"]
    assert job.environ["TABSTOP_SESSION"] == ""
    expect("action/settled-governed.txt", job.page())


def test_an_agent_that_finished_did_so(job: Job) -> None:
    """Its last answer reached a limit, and it was done by then. Steps that were taken on the way are told."""
    job.tabstop.allowance = replace(job.tabstop.allowance, limits=Limits(iterations=3, tokens=1_000_000))
    job.run("gate", govern="hooks")
    works(job, 3, events=[an_alert(job, "", EventKind.DEGRADE, "no subagents")])
    job.clock.at += timedelta(seconds=1)
    play(job, "plain")
    job.run("settle")
    assert job.outputs["outcome"] == "finished"


def test_an_agent_without_a_word_of_its_own_ended_as_the_governor_says(job: Job) -> None:
    """Gemini CLI exits 0 after a stop, so its step succeeded."""
    job.tabstop.allowance = replace(job.tabstop.allowance, limits=Limits(iterations=2, tokens=1_000_000))
    job.run("gate", govern="hooks", agent="gemini-cli")
    works(job, 2)
    job.run("settle", agent="gemini-cli", agent_outcome="success")
    assert job.outputs["outcome"] == "stopped: iterations"
    known = only_session(job)
    assert set(known.calls) == {("k0",), ("k1",)}
    assert known.end is not None
    assert known.end.skipped == {}


def test_a_session_within_its_limits_ended_as_it_says(job: Job) -> None:
    """Nothing is stopped; the page says that somebody watched, and what was done without."""
    job.run("gate", govern="hooks")
    works(job, 2, events=[an_alert(job, "", EventKind.DEGRADE, "no subagents")])
    play(job, "plain")
    job.run("settle")
    assert job.outputs["outcome"] == "finished"
    assert "| Governor | watched 2 model calls; went on with less: no subagents |" in job.summary


@pytest.mark.parametrize("left", ["nothing", "garbage", "no record"])
def test_hooks_that_never_ran_are_no_enforcement(job: Job, left: str) -> None:
    """The page says so, whatever became of the folder."""
    job.run("gate", govern="hooks")
    if left == "garbage":
        folder_of(job).journal.write_bytes(b'{"fact": "Answer"}\n\xff\n')
        folder_of(job).events.write_bytes(b'{"kind": "stop"}\n\xff\n')
    elif left == "no record":
        (folder_of(job).path / "record.json").write_text("{}")
    play(job, "plain")
    assert job.run("settle") == 0
    assert "none of them ran" in job.summary


def test_hooks_that_were_there_before_stay(job: Job) -> None:
    """The machine's own `tabstop install` is not ours to take out."""
    install(place_of("claude-code", job.environ, None), job.environ)
    before = settings_of(job).read_text()
    job.run("gate", govern="hooks")
    play(job, "plain")
    job.run("settle")
    assert settings_of(job).read_text() == before


def test_hooks_stay_until_the_last_session_of_the_job_is_settled(job: Job) -> None:
    """Two gates, two agents: the first settle leaves the other's hooks alone."""
    job.run("gate", govern="hooks")
    job.clock.at += timedelta(seconds=1)
    job.run("gate", govern="hooks")
    play(job, "plain")
    job.run("settle", session="s1")
    assert "tabstop/hook.py" in settings_of(job).read_text()
    job.run("settle", session="s2")
    assert not settings_of(job).exists()


def test_settings_that_changed_meanwhile_are_left_alone(job: Job) -> None:
    """What we cannot read we do not touch; the log says where hooks stay."""
    job.run("gate", govern="hooks")
    play(job, "plain")
    settings_of(job).write_text("{ // by the agent")
    assert job.run("settle") == 0
    assert "hooks stay in" in job.log


@pytest.mark.parametrize("names", ["s", "../s"])
def test_a_gate_without_hooks_warns_of_none(job: Job, names: str) -> None:
    """Where nothing can be left for others either, later steps are not told of an earlier session."""
    job.tabstop.names = names
    job.environ["TABSTOP_SESSION"] = "s0"
    assert job.run("gate") == 0
    assert job.environ["TABSTOP_SESSION"] == ("s1" if names == "s" else "")
    assert job.said("warning") == []


def test_a_run_under_the_wrapper_is_settled_with_its_governors_word(job: Job) -> None:
    """Without hooks of the gate's, whoever took its session up leaves the same journal."""
    job.run("gate", agent="opencode")
    works(job, 2)
    job.run("settle", agent="opencode", agent_outcome="success")
    assert "watched 2 model calls" in job.summary
