"""An agent under the wrapper: its limits, its hooks, its last answer, a session that goes on, and what people read of it."""

from __future__ import annotations

import json
import re
import shlex
import signal
import sys
import time
from dataclasses import replace

from tabstop.agents.claude_code.command_line import ClaudeCodeCommand
from tabstop.beside import hook
from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.wrapper.hooks import settings_with_hooks
from tests.beside.wrapper.wrapped import Place
from tests.support.golden import expect
from tests.support.waiting import until


def same(text: str, place: Place) -> str:
    """The text without what differs from run to run."""
    text = text.replace(str(place.path), "/home/dev")
    text = re.sub(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "11111111-1111-4111-8111-111111111111", text
    )
    text = re.sub(r"claude-[0-9a-f]{8}", "claude-1a2b3c4d", text)
    text = re.sub(r"run-[0-9a-f]{8}", "run-1a2b3c4d", text)
    text = re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d(:\d\d)?", "2026-11-02 09:00", text)
    return re.sub(r"\b\d+ s(?=$|/| |,)", "2 s", text, flags=re.MULTILINE)


def test_an_agent_that_keeps_within_its_limits(place: Place) -> None:
    """Its output and its exit code are its own; what it used is told."""
    done = place.run()
    assert (done.code, done.out) == (0, "answer 0\nanswer 1\nanswer 2\nfinished\n")
    expect("run/finished.txt", same(done.err, place))
    totals = place.session.state.totals
    assert (totals.iterations, totals.tool_calls, totals.tokens) == (3, 3, 30_000)
    assert place.run(FAKE_FAILS="1").code == 4


def test_hooks_end_it_at_a_limit(place: Place) -> None:
    """No signal is needed, the client calls it a success, and we do not. The next call is not made."""
    done = place.run("--cost", "0.07")
    assert (done.code, done.out) == (ExitCode.LIMIT, "answer 0\nanswer 1\n")
    expect("run/halted.txt", same(done.err, place))
    assert place.runs()[0]["outcome"] == "stopped: cost"


def test_without_hooks_a_signal_ends_it(place: Place) -> None:
    """At most one call late; its tools are counted from its transcript."""
    done = place.run("--no-hooks", "--cost", "0.07", FAKE_ANSWERS="30")
    assert (done.code, done.out) == (ExitCode.LIMIT, "answer 0\nanswer 1\ninterrupted\n")
    expect("run/halted-without-hooks.txt", same(done.err, place))
    assert place.session.state.totals.tool_calls == 1


def test_it_goes_on_after_an_overdrive(place: Place) -> None:
    """Suspended; refused until somebody allows more; then it goes on with its totals, never with a fresh budget."""
    place.policy("session:\n  on_limit: suspend\n")
    first = place.run("--cost", "0.07")
    assert first.code == ExitCode.SUSPENDED
    expect("run/suspended.txt", same(first.err, place))
    session = place.session
    again = ["claude", "-p", "--resume", session.record.agent_session, "x"]
    refused = place.run("--session", session.record.id, command=again)
    assert (refused.code, refused.out) == (ExitCode.REFUSED, "")
    expect("run/not-started.txt", same(refused.err, place))
    raised = place.tabstop("overdrive", session.record.id[:10], "$0.08", "--why", "nearly done")
    assert raised.code == 0, raised.err
    expect("run/overdrive.txt", same(raised.out, place))
    # The same session is found by the agent's own id, too.
    last = place.run(command=again, FAKE_ANSWERS="1")
    assert last.code == 0
    assert "used so far: $0.08" in last.err
    assert place.session.state.totals.cost == 120_000_000
    assert [run["outcome"] for run in place.runs()] == ["suspended", "finished"]
    told = same(place.tabstop("session", session.record.id).out, place).splitlines(keepends=True)
    # Which of its followers sees an answer first decides the order of what is due near a limit.
    expect("run/session.txt", "".join(line for line in told if "degrade: " not in line and "alert: " not in line))
    expect("run/sessions.txt", same(place.tabstop("sessions").out, place))


def test_an_overdrive_reaches_a_session_that_runs(place: Place) -> None:
    """Over the wrapper's socket: the limit grows before it is reached."""
    with place.start("run", "--cost", "0.10", "--", "claude", "-p", "x", FAKE_ANSWERS="4", FAKE_SECONDS="1") as process:
        until(lambda: bool(place.sessions) and place.session.state.totals.iterations >= 1)
        assert place.session.standing == "running"
        raised = place.tabstop("overdrive", place.session.record.id, "1")
        out, err = process.communicate(timeout=60)
    assert raised.out.splitlines()[-1] == "It goes on now."
    assert (process.returncode, out.splitlines()[-1]) == (0, "finished")
    assert "octocat allowed more; it goes on" in err


def test_without_hooks_the_whole_agent_goes_slower(place: Place) -> None:
    """A failing tool has it wait before it can try again; the wait is said, and is no working time."""
    place.policy("throttle:\n  retry: [3s, 5s]\n")
    begun = time.monotonic()
    done = place.run("--no-hooks", FAKE_ANSWERS="2", FAKE_FAILURES="1", FAKE_SECONDS="0.6")
    assert (done.code, done.out.splitlines()[-1]) == (0, "finished")
    assert "the agent is stopped for 3 s to go slower (no hooks or proxy do it for single calls)" in done.err
    assert time.monotonic() - begun >= 3
    assert place.runs()[0]["seconds"] - place.session.state.totals.wall_clock_seconds >= 2


def test_a_hook_that_cannot_be_heard_is_logged(place: Place) -> None:
    """In the session's folder, for whoever asks why a tool was not counted."""
    assert place.run(command=(sys.executable, "-I", "-S", hook.__file__, "claude-code", "PreToolUse")).code == 0
    assert "a payload that is no JSON" in (place.folder.path / "wrapper.log").read_text()


def test_a_question_nobody_answers(place: Place) -> None:
    """The agent waits; silence means no."""
    place.policy("session:\n  on_limit: ask\n")
    place.run("--cost", "0.07", FAKE_ANSWERS="1")
    record = place.session.record
    soon = replace(record.settings, exhaustion=replace(record.settings.exhaustion, ask_seconds=2))
    place.folder.write_record(replace(record, settings=soon))
    begun = time.monotonic()
    done = place.run("--session", record.id, FAKE_ANSWERS="30", FAKE_SECONDS="0.5")
    assert done.code == ExitCode.LIMIT
    assert time.monotonic() - begun >= 2
    expect("run/asked.txt", same(done.err, place))


def test_in_github_actions(place: Place) -> None:
    """A stop is an annotation; everything is plain lines."""
    done = place.run("--cost", "0.07", CI="true", GITHUB_ACTIONS="true")
    expect("run/github-actions.txt", same(done.err, place))


def test_a_session_that_is_watched_is_not_started_twice(place: Place) -> None:
    """Two wrappers would each see half of it."""
    with place.start("run", "--", "claude", "-p", "x", FAKE_SECONDS="5") as process:
        until(lambda: bool(place.sessions) and place.session.watched)
        second = place.run("--session", place.session.record.id)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert second.code == ExitCode.REFUSED
    assert "another process watches session" in second.err


def test_what_begins_no_session_is_only_run(place: Place) -> None:
    """`claude mcp list` is not our business."""
    claude = place.path / "bin" / "claude"
    claude.write_text('#!/bin/sh\necho "$@"\nexit 5\n')
    done = place.run(command=["claude", "mcp", "list"])
    assert (done.code, done.out, done.err) == (5, "mcp list\n", "")


def test_what_cannot_be_seen_is_not_started(place: Place) -> None:
    """Without a transcript nothing would bound it."""
    done = place.run(command=["claude", "-p", "--no-session-persistence", "x"])
    assert (done.code, done.out) == (ExitCode.UNBOUNDED, "")
    assert "writes no transcript" in done.err
    assert "or add --proxy" in done.err


def test_what_the_proxy_counts_needs_no_transcript(place: Place) -> None:
    """But what goes on after its command has ended is never started."""
    done = place.run("--proxy", command=["claude", "-p", "--no-session-persistence", "x"], FAKE_ANSWERS="1")
    assert done.code != ExitCode.UNBOUNDED
    assert "enforcement: exact" in done.err
    done = place.run("--proxy", command=["claude", "--bg", "x"])
    assert done.code == ExitCode.UNBOUNDED
    assert "add --proxy" not in done.err


def test_the_gates_session(place: Place) -> None:
    """In CI the session that the gate opened is taken up; options may only tighten it."""
    place.run(FAKE_ANSWERS="1")
    folder = place.folder
    record = json.loads((folder.path / "record.json").read_text())
    (folder.path / "record.json").write_text(
        json.dumps(
            {
                **record,
                "server": "https://tabstop.example",
                "server_session": "7",
                "start": {**record["start"], "run_id": "7001"},
            }
        )
    )
    for environ in ({"TABSTOP_SESSION": record["id"]}, {"RUNNER_TEMP": str(place.path / "temp")}):
        if "RUNNER_TEMP" in environ:
            (place.path / "temp").mkdir()
            (place.path / "temp" / "tabstop").symlink_to(place.path / "state")
            environ["TABSTOP_STATE"] = ""
        done = place.run("--cost", "20", "--iterations", "50", FAKE_ANSWERS="1", **environ)
        assert (
            f"session {record['id']}, limits from the gate, tightened by options: $10.00, 10M tokens, 50 model calls"
            in done.err
        )
    unknown = place.run(TABSTOP_SESSION="nothing")
    assert unknown.code == ExitCode.REFUSED
    assert "there is no session nothing" in unknown.err


def test_limits_of_an_earlier_session_are_not_options(place: Place) -> None:
    """A fresh limit at each resume would be no limit."""
    place.run(FAKE_ANSWERS="1")
    done = place.run("--session", place.session.record.id, "--cost", "50")
    assert done.code == ExitCode.REFUSED
    assert "tabstop overdrive" in done.err


def test_hooks_that_are_installed_are_not_put_in_twice(place: Place) -> None:
    """Two would count every tool twice."""
    assert place.tabstop("install", "claude-code").code == 0
    done = place.run("--cost", "0.07")
    assert done.code == ExitCode.LIMIT  # the stand-in reads no settings file, so here a signal ends it
    assert done.out.endswith("interrupted\n")


def test_a_policy_with_problems_says_so(place: Place) -> None:
    """The defaults hold then."""
    place.policy("session:\n  cost: much\n")
    assert "has problems, so the default limits apply" in place.run(FAKE_ANSWERS="1").err


def test_an_agent_inside_a_script_is_bound_by_its_hooks(place: Place) -> None:
    """Installed hooks ask the wrapper, whatever it runs; told not to answer them, it lets them go on."""
    script = place.path / "work" / "agent.sh"
    settings = shlex.quote(settings_with_hooks(ClaudeCodeCommand()))
    script.write_text(f"#!/bin/sh\nexec claude -p x --session-id 11111111 --settings {settings}\n")
    script.chmod(0o755)
    done = place.run("--cost", "0.07", command=["./agent.sh"])
    assert (done.code, done.out) == (ExitCode.LIMIT, "answer 0\nanswer 1\n")
    assert "not seen, except those of an agent in it that has Tabstop's hooks." in done.err
    assert "used $0.08, 20k tokens, 2 model calls, 1 tool call" in done.err
    deaf = place.run("--no-hooks", "--cost", "0.07", command=["./agent.sh"])
    assert (deaf.code, deaf.out.splitlines()[-1]) == (0, "finished")
    assert "tool calls are not seen. Enforcement" in deaf.err
    assert "what it cost is not known" in deaf.err
