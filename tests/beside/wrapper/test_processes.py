"""Real processes under the wrapper: exit codes, signals, output, and that nothing is ever left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.wrapper import processes
from tests.beside.wrapper.wrapped import PROGRAM, Place, alive
from tests.support.waiting import until

PIDS = "import os, pathlib; pathlib.Path('pids').open('a').write(f'{os.getpid()}\\n'); "


def pids(place: Place) -> list[int]:
    path = place.path / "work" / "pids"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("code", [0, 3, 70, 255])
def test_its_own_exit_code_is_kept(place: Place, code: int) -> None:
    """Whatever it is, where it ended by itself."""
    done = place.python(script=f"import sys; print('out'); print('err', file=sys.stderr); sys.exit({code})")
    assert (done.code, done.out) == (code, "out\n")
    assert "err\n" in done.err
    assert place.runs()[0]["outcome"] == ("finished" if code == 0 else "failed")


def test_a_signal_of_its_own_is_128_and_its_number(place: Place) -> None:
    """As a shell has it."""
    done = place.python(script="import os; os.kill(os.getpid(), 9)")
    assert (done.code, place.runs()[0]["outcome"]) == (137, "cancelled")


def test_output_passes_untouched(place: Place) -> None:
    """A flood of bytes that are no text, through a pipe, byte for byte."""
    script = "import os; [os.write(1, bytes(range(256)) * 256) for _ in range(64)]"
    command = [sys.executable, "-c", PROGRAM, "run", "--", sys.executable, "-c", script]
    done = subprocess.run(command, cwd=place.path / "work", env=place.environ, capture_output=True, check=True)
    assert done.stdout == bytes(range(256)) * 256 * 64


def test_a_reader_that_leaves_ends_the_writer(place: Place) -> None:
    """As without us: the agent hears of it, and nobody waits for ever."""
    script = "import os\nwhile True: os.write(1, b'x' * 4096)"
    with place.start("run", "--", sys.executable, "-c", script) as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        process.wait(30)
    assert process.returncode in {1, 128 + signal.SIGPIPE}


def test_standard_input_and_files_are_its_own(place: Place) -> None:
    """What is redirected to a file is that file to the agent."""
    with (place.path / "out").open("wb") as out:
        script = "import os, sys; print(os.path.samestat(os.fstat(1), os.stat(sys.argv[1])), sys.stdin.read())"
        arguments = ["run", "--", sys.executable, "-c", script, str(place.path / "out")]
        os.set_inheritable(out.fileno(), True)
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", PROGRAM, *arguments],
            place.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1), (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
        )
        assert os.waitpid(pid, 0)[1] == 0
    assert (place.path / "out").read_text() == "True \n"


@pytest.mark.parametrize(("ignored", "signals"), [("", "INT"), ("SIGINT", "INT TERM"), ("SIGINT SIGTERM", "INT TERM")])
def test_the_wall_clock_ends_it_whatever_it_ignores(place: Place, ignored: str, signals: str) -> None:
    """SIGINT, SIGTERM, SIGKILL; also what it started in its own session, and that one's child, are gone."""
    script = PIDS + (
        "import signal, subprocess, sys, time\n"
        "seen = open('seen', 'a')\n"
        "def note(number, frame):\n"
        "    seen.write(signal.Signals(number).name[3:] + ' '); seen.flush()\n"
        f"    if signal.Signals(number).name not in {ignored.split()!r}: sys.exit(0)\n"
        "signal.signal(signal.SIGINT, note); signal.signal(signal.SIGTERM, note)\n"
        f"inner = {PIDS + 'import time; time.sleep(300)'!r}\n"
        f"outer = {PIDS!r} + 'import subprocess, sys, time; subprocess.Popen([sys.executable, \"-c\", ' + repr(inner) + ']); time.sleep(300)'\n"
        "subprocess.Popen([sys.executable, '-c', outer], start_new_session=True)\n"
        "while True: time.sleep(0.1)\n"
    )
    done = place.python("--wall-clock", "5s", "--grace", "2s", script=script)
    assert done.code == ExitCode.WATCHDOG
    assert (place.path / "work" / "seen").read_text().split() == signals.split()
    assert len(pids(place)) == 3
    assert not [pid for pid in pids(place) if alive(pid)]
    assert place.session.standing == "stopped: wall clock"


@pytest.mark.parametrize("takes", ["SIG_DFL", "SIG_IGN"])
def test_what_it_leaves_in_its_group_is_ended_with_it(place: Place, takes: str) -> None:
    """Nobody would bound it any more; whether it takes SIGTERM or not."""
    child = f"import signal, time; signal.signal(signal.SIGTERM, signal.{takes}); " + PIDS + "time.sleep(300)"
    script = (
        f"import os, subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "while not (os.path.exists('pids') and os.path.getsize('pids')): time.sleep(0.02)"
    )
    assert place.python(script=script).code == 0
    assert len(pids(place)) == 1
    assert not [pid for pid in pids(place) if alive(pid)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_our_signals_are_the_agents(place: Place, number: signal.Signals, code: int) -> None:
    """Who ends us ends it, and gets its code."""
    with place.start(
        "run",
        "--",
        sys.executable,
        "-c",
        "import signal, time; signal.signal(2, signal.SIG_DFL); " + PIDS + "time.sleep(300)",
    ) as process:
        until(lambda: pids(place))
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == code
    assert not alive(pids(place)[0])
    assert place.runs()[0]["outcome"] == "cancelled"


def test_a_dismissed_agent_that_stays_is_killed(place: Place) -> None:
    """The one who sent us SIGTERM will not wait for ever either."""
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); " + PIDS + "time.sleep(300)"
    with place.start("run", "--grace", "1s", "--", sys.executable, "-c", script) as process:
        until(lambda: pids(place))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 137
    assert not alive(pids(place)[0])


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux")
def test_when_we_are_killed_it_ends_too(place: Place) -> None:
    """An agent that nobody watches any more would be unbounded."""
    with place.start("run", "--", sys.executable, "-c", PIDS + "import time; time.sleep(300)") as process:
        until(lambda: pids(place))
        process.kill()
        process.communicate(timeout=60)
    until(lambda: not alive(pids(place)[0]))


def test_an_agent_that_somebody_else_stops_is_waited_for(place: Place) -> None:
    """Without a terminal there is no shell to give it back to: brought back, it goes on."""
    with place.start("run", "--", sys.executable, "-c", PIDS + "import time; time.sleep(2)") as process:
        until(lambda: pids(place))
        os.kill(pids(place)[0], signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(pids(place)[0], signal.SIGCONT)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_where_there_is_no_proc_ps_tells_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on macOS."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]) as child:
        assert child.pid in processes.family(os.getpid())
        monkeypatch.setattr(processes, "_PROC", tmp_path)
        assert child.pid in processes.family(os.getpid())
        child.kill()


def test_orphans_are_adopted_on_linux_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere there is no such call, and no fault either."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", None)
    processes.adopt_orphans()


def test_silence_ends_a_command_whose_output_is_seen(place: Place) -> None:
    """It said something, then nothing any more."""
    done = place.python("--silence", "4s", script="import time; print('begun', flush=True); time.sleep(300)")
    assert (done.code, done.out) == (ExitCode.WATCHDOG, "begun\n")
    assert "the agent showed nothing for 4 s" in done.err
    assert place.runs()[0]["outcome"] == "silent"


def test_what_talks_is_not_silent(place: Place) -> None:
    """A word a second is a sign of life."""
    script = "import time\nfor _ in range(7): print('x', flush=True); time.sleep(0.7)"
    assert place.python("--silence", "4s", script=script).code == 0


def test_what_is_no_program_is_not_started(place: Place) -> None:
    """Said before anything is made, with a shell's code."""
    done = place.run(command=("no-such-thing",))
    assert (done.code, done.err) == (127, "tabstop: no-such-thing was not found. Nothing was started.\n")
    (place.path / "bin" / "notes").write_text("buy milk\n")
    for command in ("notes", "../bin/notes", "../bin"):
        done = place.run(command=(command,))
        assert (done.code, "or not marked as a program (chmod +x). Nothing was started." in done.err) == (126, True)
    assert place.sessions == []
    (place.path / "bin" / "broken").write_text("#!/no/such/interpreter\n")
    (place.path / "bin" / "broken").chmod(0o755)
    assert place.run(command=("broken",)).code == 127


def test_where_nothing_can_be_kept_nothing_is_started(place: Place) -> None:
    """A full disk, or a state folder that is none: a sentence, and the code for what could not be bounded."""
    done = place.run(TABSTOP_STATE="/dev/null/state")
    assert (done.code, done.out) == (ExitCode.UNBOUNDED, "")
    assert done.err.startswith(
        "tabstop: the agent was not started, or was ended, because what bounds it cannot be kept: Not a"
    )
    assert "set TABSTOP_STATE to a folder that has some" in done.err
