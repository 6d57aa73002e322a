"""The resident governor as a process: it begins, is one, answers hooks, ends when nobody asks, and knows all after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime

from tabstop.beside import governor_process
from tabstop.beside.governor_call import end_session, governor_command, governor_socket, is_running, start_governor
from tabstop.beside.governor_process import Governor
from tabstop.beside.hook_records import name_of
from tabstop.beside.session_folder import Record, create, sessions_root
from tabstop.governor.settings import Settings
from tabstop.session import Limits
from tabstop.wire import StartRequest
from tests.action.fake_tabstop import FakeTabstop, Known, LoopbackTabstop
from tests.beside.hook_machine import Machine, machine
from tests.support.hook_payloads import SESSION, payload, tool

__all__ = ["machine"]


def now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Stands still between a test's steps. looks: how often it was read."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.seconds


def test_a_hook_starts_it_and_a_kill_loses_nothing(machine: Machine) -> None:
    """Killed in the middle of a session, it is started again by the next hook and knows what was used."""
    greeting = machine.hook(payload("SessionStart", source="startup"))
    assert "2 tool calls" in greeting["systemMessage"]
    assert machine.hook(tool("PreToolUse")) is None
    first = machine.process()
    machine.end(signal.SIGKILL)
    assert machine.hook(tool("PreToolUse")) is None
    assert machine.process() != first
    machine.end(signal.SIGKILL)
    stopped = machine.hook(tool("PreToolUse"))
    assert stopped is not None, machine.log + machine.hook_log
    assert stopped["continue"] is False
    (machine.folder / "governor.command").unlink()
    machine.end(signal.SIGTERM)
    assert machine.hook(tool("PreToolUse")) == stopped
    assert len(list((machine.state / "hooks" / "waiting").iterdir())) == 1


def test_a_second_one_hands_on_what_the_first_watches(machine: Machine) -> None:
    """A shell with another TMPDIR starts one of its own; the session that the first still holds stops at its limit all the same."""
    machine.hook(payload("SessionStart", source="startup"))
    assert machine.hook(tool("PreToolUse")) is None
    first = machine.process()
    (machine.folder / "other").mkdir()
    machine.environ["TMPDIR"] = str(machine.folder / "other")
    assert machine.hook(tool("PreToolUse")) is None
    assert machine.hook(tool("PreToolUse"))["continue"] is False
    assert machine.process() != first
    for process in (machine.process(), first):
        os.kill(process, signal.SIGTERM)
    until = time.monotonic() + 60
    while is_running({}) or machine.log.count("ended") < 2:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_gate_starts_it_without_installed_packages(machine: Machine) -> None:
    """On a runner there is the standard library only: defaults bind, since nobody can read the policy."""
    assert start_governor(machine.environ, governor_command(with_packages=False))
    assert start_governor(machine.environ)
    said = machine.hook(payload("SessionStart"))["systemMessage"]
    assert "PyYAML is not installed" in said
    assert "500 tool calls" in said
    assert machine.log.count("began") == 1


def test_one_that_does_not_begin_is_said(machine: Machine) -> None:
    """The caller learns it in time."""
    assert not start_governor(machine.environ, ["/bin/false"], seconds=0.3)


def test_there_is_one(machine: Machine) -> None:
    """A second one sees the first and ends at once, without touching its socket."""
    assert start_governor(machine.environ)
    done = subprocess.run(governor_command(), env=machine.environ, check=False, timeout=30)
    assert done.returncode == 0
    assert is_running({})


def test_it_ends_when_nobody_asks(machine: Machine) -> None:
    """What hooks kept while it was away is taken in first, and whenever it looks again."""
    machine.hook(payload("SessionStart"))
    machine.end(signal.SIGTERM)
    waiting = machine.state / "hooks" / "waiting"
    waiting.mkdir(exist_ok=True)

    def keep() -> None:
        body = json.dumps(tool("PreToolUse")).encode()
        line = f"hook claude-code PreToolUse - {len(body)}\n".encode()
        (waiting / f"{time.time_ns():020d}-1").write_bytes(line + body)

    keep()
    clock = Clock()
    governor = Governor(machine.environ, now, idle_seconds=60.0, tick_seconds=0.05, monotonic=clock)
    running = threading.Thread(target=governor.run)
    running.start()
    for _ in range(2):
        while list(waiting.iterdir()):
            time.sleep(0.02)
        keep()
    while list(waiting.iterdir()):
        time.sleep(0.02)
    clock.seconds = 61.0
    running.join()
    journal = machine.state / "sessions" / name_of("claude-code", SESSION) / "journal.jsonl"
    assert journal.read_text(encoding="utf-8").count("ToolStarted") == 3


def test_being_asked_keeps_it_awake(machine: Machine) -> None:
    """Hooks count, its own clock does not; told to end it ends."""
    clock = Clock()
    governor = Governor(machine.environ, now, idle_seconds=60.0, tick_seconds=0.05, monotonic=clock)
    codes: list[int] = []
    running = threading.Thread(target=lambda: codes.append(governor.run()))
    running.start()
    while not is_running({}):
        time.sleep(0.02)
    for _ in range(3):
        clock.seconds += 40.0
        machine.hook(payload("UserPromptSubmit"))
        looks = clock.looks
        while running.is_alive() and clock.looks < looks + 2:
            time.sleep(0.02)
    assert running.is_alive()
    governor.end()
    running.join()
    assert codes == [governor_process.EXIT_OK]


def test_where_it_cannot_listen_it_says_so(machine: Machine) -> None:
    """A folder of somebody else's, or a socket that cannot be made: a line in the log and an exit code."""
    governor_socket({}).parent.parent.mkdir(exist_ok=True)
    governor_socket({}).parent.symlink_to(machine.folder)
    assert Governor(machine.environ, now).run() == governor_process.EXIT_FAULT
    assert "cannot begin" in machine.log
    governor_socket({}).parent.unlink()
    governor_socket({}).mkdir(parents=True)
    governor_socket({}).parent.chmod(0o700)
    assert Governor(machine.environ, now).run() == governor_process.EXIT_FAULT
    assert "cannot listen" in machine.log


def test_its_log_does_not_grow_without_end(machine: Machine) -> None:
    """It begins anew when it is full."""
    (machine.state / "hooks").mkdir(parents=True)
    (machine.state / "hooks" / "governor.log").write_bytes(b"x" * 2_000_000)
    Governor(machine.environ, now).log("a line")
    assert len(machine.log) < 100


def test_a_prepared_session_is_reported_live_and_let_go_of(machine: Machine) -> None:
    """What the gate left has a server: it hears of a stop at once. Told that the session is over, the governor ends with it."""
    fake = FakeTabstop()
    fake.sessions["s1"] = known = Known(StartRequest("claude-code"), "token")
    machine.environ["TABSTOP_SESSION"] = "s1"
    with LoopbackTabstop(fake) as server:
        settings = Settings(session="s1", limits=Limits(tool_calls=2))
        record = Record("s1", now(), known.start, settings, server=server.address, server_session="s1", token="token")
        create(sessions_root(machine.environ), record)
        governor = Governor(machine.environ, now)
        codes: list[int] = []
        running = threading.Thread(target=lambda: codes.append(governor.run()))
        running.start()
        replies = [machine.hook(tool("PreToolUse")) for _ in range(3)]
        assert replies[-1]["continue"] is False
        machine.hook(payload("SessionEnd"))
        assert end_session(machine.environ, "s1")
        running.join()
    assert codes == [governor_process.EXIT_OK]
    assert "stop" in [event.kind for batch in known.batches for event in batch.events]
    assert known.end is None
    assert not end_session(machine.environ, "s1")


def test_it_goes_on_while_it_watches_another(machine: Machine) -> None:
    """Two sessions of one job: the first settled leaves the other bound."""
    assert start_governor(machine.environ)
    machine.hook(payload("SessionStart"))
    assert end_session(machine.environ, "s1")
    assert is_running({})
