"""At a terminal: the agent has it while it runs; Ctrl-C, Ctrl-Z, a question and the status line do what people expect."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tabstop.beside.exit_codes import ExitCode
from tests.beside.wrapper.wrapped import PROGRAM, Place, alive
from tests.support.waiting import until


class AtTerminal:
    """`tabstop …` with a terminal of its own, as its session's leader."""

    def __init__(self, place: Place, *arguments: str, **environ: str) -> None:
        self.pid, self.terminal = os.forkpty()
        if not self.pid:
            os.chdir(place.path / "work")
            environ = {**place.environ, "TERM": "xterm", **environ}
            os.execve(sys.executable, [sys.executable, "-c", PROGRAM, *arguments], environ)  # noqa: S606 - ours
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.text = ""
        self.code: int | None = None

    def read(self, seconds: float = 0.1) -> str:
        """What it shows, so far."""
        while select.select([self.terminal], [], [], seconds)[0]:
            try:
                part = os.read(self.terminal, 65536)
            except OSError:
                break
            if not part:
                break
            self.text += part.decode("utf-8", "replace")
        return self.text

    def shows(self, text: str) -> None:
        """Wait until it does."""
        until(lambda: text in self.read(0.05), 30)

    def finds(self, pattern: str) -> str:
        """Wait until it shows this; its first group."""
        until(lambda: re.search(pattern, self.read(0.05)), 30)
        found = re.search(pattern, self.text)
        assert found is not None
        return found[1]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """`tabstop` itself looks at nothing; what it started goes on."""
        os.kill(self.pid, signal.SIGSTOP)
        yield
        os.kill(self.pid, signal.SIGCONT)

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def end(self) -> int:
        """Its exit code."""

        def gone() -> bool:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
            return bool(pid)

        until(gone, 40)
        self.read()
        assert self.code is not None
        return self.code

    def close(self) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)


@pytest.fixture
def opened() -> Iterator[list[AtTerminal]]:
    terminals: list[AtTerminal] = []
    yield terminals
    for one in terminals:
        one.close()


def at_terminal(opened: list[AtTerminal], place: Place, *arguments: str, **environ: str) -> AtTerminal:
    opened.append(AtTerminal(place, *arguments, **environ))
    return opened[-1]


def test_the_terminal_is_the_agents(place: Place, opened: list[AtTerminal]) -> None:
    """All three are the terminal, it is in the foreground, and what is typed reaches it."""
    script = (
        "import os, sys; print([os.isatty(n) for n in range(3)], os.tcgetpgrp(0) == os.getpgrp());"
        "print('read', input('> '))"
    )
    one = at_terminal(opened, place, "run", "--", sys.executable, "-c", script)
    one.shows("> ")
    one.type("hello\n")
    assert one.end() == 0
    assert "[True, True, True] True" in one.text
    assert "read hello" in one.text


def test_ctrl_c_is_the_agents(place: Place, opened: list[AtTerminal]) -> None:
    """It may take it as it likes; one that is ended by it gives its own code."""
    script = (
        "import time\n"
        "try:\n print('ready', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt: print('once', flush=True)\n"
        "time.sleep(60)"
    )
    one = at_terminal(opened, place, "run", "--", sys.executable, "-c", script)
    one.shows("ready")
    one.type("\x03")
    one.shows("once")
    one.type("\x03")
    assert one.end() == 130


def test_ctrl_z_gives_the_terminal_back_until_fg(place: Place, opened: list[AtTerminal]) -> None:
    """We stop with it, so that a shell takes over; brought back, both go on."""
    script = "import time; print('ready', flush=True); time.sleep(0.5); print(input('> '))"
    one = at_terminal(opened, place, "run", "--", sys.executable, "-c", script)
    one.shows("ready")
    one.type("\x1a")
    assert os.WIFSTOPPED(os.waitpid(one.pid, os.WUNTRACED)[1])
    os.kill(one.pid, signal.SIGCONT)
    one.shows("> ")
    one.type("again\n")
    assert one.end() == 0
    assert "\r\nagain" in one.text


def test_the_status_line_leaves_the_output_alone(place: Place, opened: list[AtTerminal]) -> None:
    """It has the last row to itself, and gives it back; the agent's lines are whole."""
    one = at_terminal(opened, place, "run", "--", "claude", "-p", "x", FAKE_SECONDS="1.2")
    assert one.end() == 0
    assert re.search(r"tabstop \$[\d.]+/min · \$0\.0[48]/\$10\.00 · [12]0k/10M tokens · [12]/200 calls", one.text)
    drawn = re.sub(r"\x1b7.*?\x1b8", "", one.text, flags=re.DOTALL)
    assert all(f"answer {number}\r\n" in drawn for number in range(3))
    assert one.text.count("\x1b7") == one.text.count("\x1b8")
    assert one.text.rindex("\x1b[r") > one.text.rindex(";23r")


def test_no_status_line_where_the_agent_has_the_screen(place: Place, opened: list[AtTerminal]) -> None:
    """An interactive agent's screen is its own: what there is to say comes after it."""
    one = at_terminal(opened, place, "run", "--cost", "0.045", "--", "claude", FAKE_SECONDS="0.5")
    one.end()
    assert "\x1b" not in one.text
    assert one.text.index("answer 1") < one.text.index("warning:")


def test_an_interactive_agent_is_not_interrupted_by_a_limit(place: Place, opened: list[AtTerminal]) -> None:
    """Its hooks end the turn; it exits by itself, and its end is ours."""
    one = at_terminal(opened, place, "run", "--cost", "0.07", "--", "claude")
    assert one.end() == ExitCode.LIMIT
    assert "interrupted" not in one.text


@pytest.mark.parametrize(("typed", "code", "answers"), [("y", 0, 5), ("y\x04", 0, 5), ("n", ExitCode.LIMIT, 4)])
def test_a_question_at_the_terminal(
    place: Place, opened: list[AtTerminal], typed: str, code: int, answers: int
) -> None:
    """The agent waits while somebody thinks; yes goes on, no ends it."""
    place.policy("session:\n  on_limit: ask\n")
    one = at_terminal(opened, place, "run", "--no-hooks", "--cost", "0.14", "--", "claude", "-p", "x", FAKE_ANSWERS="5")
    one.shows("allow another $0.07? [y/N, no after ")
    time.sleep(1.0)
    assert place.session.state.totals.iterations == 4
    one.type(typed + "\n")
    assert one.end() == code
    assert place.session.state.totals.iterations == answers


def test_a_question_that_is_answered_elsewhere(place: Place, opened: list[AtTerminal]) -> None:
    """An overdrive from another terminal is a yes."""
    place.policy("session:\n  on_limit: ask\n")
    one = at_terminal(opened, place, "run", "--cost", "0.07", "--", "claude", "-p", "x", FAKE_SECONDS="0.6")
    one.shows("[y/N")
    assert place.tabstop("overdrive", place.session.record.id, "1").code == 0
    assert one.end() == 0
    assert "answered elsewhere" in one.text


@pytest.mark.parametrize("hooks", [True, False])
@pytest.mark.parametrize(("typed", "code"), [("y", 0), ("n", ExitCode.SUSPENDED)])
def test_the_retry_brake_is_released_at_the_terminal(
    place: Place, opened: list[AtTerminal], typed: str, code: int, hooks: bool
) -> None:
    """The agent waits while somebody looks; yes goes on where it was, no suspends the session as without a terminal."""
    place.policy("throttle:\n  retry: [1s]\n")
    options = [] if hooks else ["--no-hooks"]
    agent = {"FAKE_FAILURES": "2", "FAKE_ANSWERS": "5", "FAKE_SECONDS": "0.6"}
    one = at_terminal(opened, place, "run", *options, "--", "claude", "-p", "x", **agent)
    one.shows("A person has to look. Release it? [y/N, no after 10 min] ")
    before = place.session.state.totals.iterations
    time.sleep(1.0)
    assert place.session.state.totals.iterations == before
    one.type(typed + "\n")
    assert one.end() == code
    assert ("finished" in one.text, one.text.count("Release it?")) == (typed == "y", 1)
    assert ("released the session; it goes on" in one.text) is (typed == "y")
    assert ("To resume: " in one.text) is (typed == "n")


def test_a_release_after_the_agent_has_ended(place: Place, opened: list[AtTerminal]) -> None:
    """A yes says how to resume. The agent ended by itself, so the exit code is its own."""
    place.policy("throttle:\n  retry: [1s]\n")
    go = place.path / "go"
    agent = {"FAKE_FAILURES": "2", "FAKE_ANSWERS": "3", "FAKE_SECONDS": "0", "FAKE_AFTER": str(go)}
    one = at_terminal(opened, place, "run", "--no-hooks", "--", "claude", "-p", "x", **agent)
    pid = int(one.finds(r"process (\d+) waits"))
    with one.paused():  # so that it sees the failures and the end at once
        go.touch()
        until(lambda: not alive(pid))
    one.shows("Release it?")
    one.type("y\n")
    assert one.end() == 0
    assert "released. To resume: tabstop run --session claude-" in one.text
    assert place.session.state.stopped is None


@pytest.mark.parametrize(("typed", "says"), [("y", "released"), ("n", "To resume: ")])
def test_an_answer_as_the_agent_ends(place: Place, opened: list[AtTerminal], typed: str, says: str) -> None:
    """What is typed in the moment in which the held agent is gone is taken, by this question or by the one after the end."""
    place.policy("throttle:\n  retry: [1s]\n")
    go = place.path / "go"
    go.touch()
    agent = {"FAKE_FAILURES": "2", "FAKE_ANSWERS": "5", "FAKE_SECONDS": "1", "FAKE_AFTER": str(go)}
    one = at_terminal(opened, place, "run", "--no-hooks", "--", "claude", "-p", "x", **agent)
    pid = int(one.finds(r"process (\d+) waits"))
    one.shows("Release it?")
    with one.paused():
        os.kill(pid, signal.SIGKILL)
        one.type(typed + "\n")
    assert one.end() == 128 + signal.SIGKILL
    assert says in one.text
    assert (place.session.state.stopped is None) is (typed == "y")


def test_a_terminal_that_goes_away_takes_the_agent_with_it(place: Place, opened: list[AtTerminal]) -> None:
    """As it does without us."""
    script = "import pathlib, os, time; pathlib.Path('pid').write_text(str(os.getpid())); print('ready', flush=True); time.sleep(60)"
    one = at_terminal(opened, place, "run", "--", sys.executable, "-c", script)
    one.shows("ready")
    pid = int((place.path / "work" / "pid").read_text())
    os.close(one.terminal)
    one.terminal = os.open(os.devnull, os.O_RDWR)
    until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2])
    until(lambda: os.waitpid(one.pid, os.WNOHANG)[0] == one.pid)
    one.code = 0
