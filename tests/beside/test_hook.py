"""The hook itself, run as its agent runs it: it asks, it obeys, and whatever goes wrong it never breaks the agent."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tabstop.beside import hook
from tabstop.beside.governor_call import governor_socket
from tabstop.beside.hook_socket import STILL_HERE, HookAnswer, HookSocket
from tabstop.beside.session_folder import sessions_root
from tabstop.beside.standing_orders import put_unheard
from tests.beside.full_disk import full_disk
from tests.beside.short_folder import short_folder
from tests.support.hook_payloads import SESSION

PAYLOAD = f'{{"session_id":"{SESSION}","prompt":"say \\"session_id\\": \\"other\\""}}'.encode()


class InProcess:
    """The same file as a module of this process, so that its coverage is seen; its patience is shortened."""

    def __init__(self, file: Path, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.lock = threading.Lock()
        patch.setattr(hook, "__file__", str(file))
        patch.setattr(hook, "ANSWER_SECONDS", 0.5)

    def __call__(self, arguments: list[str], payload: bytes, environ: dict[str, str]) -> tuple[int, bytes]:
        with (
            self.lock,
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as printed,
            self.patch.context() as patch,
        ):
            given.write(payload)
            given.seek(0)
            for name in ("TABSTOP_SOCKET", "TABSTOP_SESSION"):
                patch.delenv(name, raising=False)
            for name, value in environ.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", arguments)
            kept = os.dup(0), os.dup(1)
            try:
                os.dup2(given.fileno(), 0)
                os.dup2(printed.fileno(), 1)
                code = hook.main()
            finally:
                for number, descriptor in enumerate(kept):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
            printed.seek(0)
            return code, printed.read()


class Stage:
    """A user's machine: a state folder, a folder for sockets, and the hook's copy, run as a process or in this one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "state" / "hooks"
        self.socket = folder / f"tabstop-{os.getuid()}" / "governor.sock"
        self.hook = folder / "hook.py"
        shutil.copy(hook.__file__, self.hook)
        self.environ = {"TMPDIR": str(folder), "TABSTOP_STATE": str(folder / "state"), "PATH": "/usr/bin:/bin"}
        self.heard: list[tuple[tuple[str, ...], bytes]] = []
        self.here: InProcess | None = None

    def run(self, event: str = "PreToolUse", payload: bytes = PAYLOAD, **environ: str) -> tuple[int, bytes]:
        if self.here is not None:
            return self.here(["hook.py", "claude-code", event], payload, {**self.environ, **environ})
        command = [sys.executable, "-I", "-S", str(self.hook), "claude-code", event]
        done = subprocess.run(
            command, input=payload, capture_output=True, env={**self.environ, **environ}, check=False, timeout=60
        )
        assert done.stderr == b""
        return done.returncode, done.stdout

    def governor(self, answer: HookAnswer | None = None, path: Path | None = None) -> HookSocket:
        def reply(words: tuple[str, ...], body: bytes) -> bytes:
            self.heard.append((words, body))
            return (answer or HookAnswer('{"ok":1}')).encode()

        return HookSocket(path or self.socket, {"hook": reply}, lambda _text: None)

    def stand(self, answer: bytes, event: str = "PreToolUse") -> None:
        folder = self.home / "standing" / f"claude-code-{SESSION}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / event).write_bytes(answer)

    @property
    def log(self) -> str:
        path = self.home / "hook.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def waiting(self) -> list[bytes]:
        folder = self.home / "waiting"
        return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.exists() else []


@pytest.fixture(params=["as a process", "in this one"])
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with short_folder() as folder:
        stage = Stage(folder)
        if request.param == "in this one":
            stage.here = InProcess(stage.hook, monkeypatch)
        yield stage


def raw(stage: Stage, serve: Callable[[socket.socket], None]) -> socket.socket:
    """A governor that does as `serve` says with its first question."""
    stage.socket.parent.mkdir(mode=0o700)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(stage.socket))
    listener.listen()

    def once() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            serve(connection)

    threading.Thread(target=once, daemon=True).start()
    return listener


def test_it_hands_over_and_prints_the_answer(stage: Stage) -> None:
    """The payload as it came, with agent, event and session; the answer with its exit code."""
    with stage.governor(HookAnswer('{"continue": false}', code=2)):
        assert stage.run(TABSTOP_SESSION="claude-1") == (2, b'{"continue": false}')
        assert stage.run() == (2, b'{"continue": false}')
    assert [words for words, _ in stage.heard] == [
        ("claude-code", "PreToolUse", "claude-1"),
        ("claude-code", "PreToolUse", "-"),
    ]
    assert stage.heard[0][1] == PAYLOAD
    assert stage.waiting == []


def test_whoever_runs_the_agent_is_asked_first(stage: Stage) -> None:
    """The wrapper names its socket; when it is gone, the resident governor is asked."""
    own = stage.folder / "wrapper" / "w.sock"
    with stage.governor(HookAnswer("wrapper"), own), stage.governor(HookAnswer("resident")):
        assert stage.run(TABSTOP_SOCKET=str(own))[1] == b"wrapper"
    with stage.governor(HookAnswer("resident")):
        assert stage.run(TABSTOP_SOCKET=str(own))[1] == b"resident"


def test_a_large_payload_is_handed_on(stage: Stage) -> None:
    """A whole conversation of twenty megabytes."""
    big = PAYLOAD + b" " * (20 * 1024 * 1024)
    with stage.governor():
        assert stage.run(payload=big) == (0, b'{"ok":1}')
    assert len(stage.heard[0][1]) == len(big)


def test_it_waits_as_it_is_told(stage: Stage) -> None:
    """Slowing down is waiting in the hook."""
    with stage.governor(HookAnswer("{}", wait=0.5)):
        begun = time.monotonic()
        stage.run()
        assert time.monotonic() - begun >= 0.5


def test_without_a_governor_the_payload_is_kept_and_the_last_order_holds(stage: Stage) -> None:
    """A stopped session stays stopped; one that was not goes on."""
    assert stage.run() == (0, b"")
    stage.stand(HookAnswer('{"continue": false}').encode())
    assert stage.run() == (0, b'{"continue": false}')
    assert stage.run("PostToolUse") == (0, b"")
    assert len(stage.waiting) == 3
    assert stage.waiting[0] == f"hook claude-code PreToolUse - {len(PAYLOAD)}\n".encode() + PAYLOAD
    assert stage.run("SessionStart") == (0, hook.UNBOUND)


def test_what_is_kept_is_bounded(stage: Stage) -> None:
    """In size and in number; the log says what was dropped."""
    stage.run(payload=PAYLOAD + b" " * (2 * 1024 * 1024))
    assert stage.waiting == [b"too long\n"]
    assert "too long to be kept" in stage.log
    for number in range(499):
        (stage.home / "waiting" / f"{number}").touch()
    assert stage.run() == (0, b"")
    assert len(stage.waiting) == 500
    assert "500 wait already" in stage.log


FAULTS: dict[str, Callable[[socket.socket], None]] = {
    "says nothing": lambda connection: None,
    "is cut off": lambda connection: connection.sendall(b"0 0 100\nshort"),
    "says nonsense": lambda connection: connection.sendall(b"\xff\xfe nonsense"),
    "says too much": lambda connection: connection.sendall(b"0 0 0\n" + b"x" * (2 * 1024 * 1024)),
    "hangs": lambda connection: time.sleep(60),
}


SAID = {
    "says nothing": "the governor could not read this payload, or failed over it; governor.log may say why",
    "is cut off": "the answer was cut off",
    "says nonsense": "the governor could not read this payload",
    "says too much": "the answer is too long, or too long in coming",
    "hangs": "the governor cannot be asked: TimeoutError: timed out",
}
"""For people: what to look at, not what the code stumbled over."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_governor_breaks_no_agent(stage: Stage, fault: str) -> None:
    """Exit 0, nothing printed, a line in the log; but what was stopped stays stopped."""

    def serve(connection: socket.socket) -> None:
        connection.recv(1 << 20)
        FAULTS[fault](connection)

    with raw(stage, serve):
        begun = time.monotonic()
        assert stage.run() == (0, b"")
        assert time.monotonic() - begun < 50
    assert f"claude-code PreToolUse: {SAID[fault]}" in stage.log
    stage.socket.unlink()
    shutil.rmtree(stage.socket.parent)
    stage.stand(HookAnswer("stop").encode())
    with raw(stage, serve):
        assert stage.run() == (0, b"stop")
    assert len(stage.waiting) == 2


def test_no_agent_goes_on_for_ever_unheard(stage: Stage) -> None:
    """Once a hundred payloads wait, whatever governor there is takes none: the agent is stopped, and told what to do."""
    put_unheard(stage.hook.parent / "unheard")
    (stage.home / "waiting").mkdir(parents=True)
    for number in range(98):
        (stage.home / "waiting" / f"{number}").touch()
    assert stage.run() == (0, b"")
    code, said = stage.run()
    answer = json.loads(said)
    assert (code, answer["continue"]) == (0, False)
    assert "The governor has not answered for 100 events" in answer["stopReason"]
    assert "Run `tabstop install` again" in answer["stopReason"]


@pytest.mark.parametrize("where", ["no folder can be made", "no file can be made"])
def test_what_cannot_be_kept_is_counted_all_the_same(stage: Stage, where: str) -> None:
    """By session, in the user's temporary folder: the hundredth is the last. What a governor takes begins the count anew."""
    put_unheard(stage.hook.parent / "unheard")
    if where == "no folder can be made":
        (stage.folder / "state").touch()
    else:
        (stage.home).mkdir(parents=True)
        (stage.home / "waiting").symlink_to("/proc/sys/kernel/random")
    room = 100 - (len(list((stage.home / "waiting").iterdir())) if stage.home.exists() else 0)
    assert stage.run() == (0, b"")
    count = stage.socket.parent / f"unheard-{SESSION}"
    assert (count.read_bytes(), count.stat().st_mode & 0o777) == (b".", 0o600)
    count.write_bytes(b"." * (room - 2))
    assert stage.run() == (0, b"")
    assert stage.run(payload=b'{"session_id":"other"}') == (0, b"")
    answer = json.loads(stage.run()[1])
    assert answer["continue"] is False
    assert "state folder cannot be written to" in answer["stopReason"]
    with stage.governor():
        assert stage.run() == (0, b'{"ok":1}')
    assert stage.run() == (0, b"")


@pytest.mark.parametrize("kind", ["a file", "open to others"])
def test_what_can_be_neither_kept_nor_counted_is_stopped(stage: Stage, kind: str) -> None:
    """At its first event: no later one could be told from it."""
    put_unheard(stage.hook.parent / "unheard")
    (stage.folder / "state").touch()
    if kind == "a file":
        stage.socket.parent.touch()
    else:
        stage.socket.parent.mkdir()
        stage.socket.parent.chmod(0o777)
    answer = json.loads(stage.run()[1])
    assert answer["continue"] is False
    assert "or they cannot be counted" in answer["stopReason"]


def test_a_full_disk_keeps_no_stop_from_being_obeyed(stage: Stage) -> None:
    """What it does not take is counted all the same, where a file can be made at all."""
    stage.stand(HookAnswer("stop").encode())
    if stage.here is None:  # in this process the stage's own files are on that disk
        with full_disk(200):
            assert stage.run(payload=PAYLOAD + b" " * 10_000) == (0, b"stop")
        assert len(stage.waiting) == 1
        shutil.rmtree(stage.home / "waiting")
    (stage.home / "waiting").symlink_to("/proc/self")  # where nobody can make a file
    assert stage.run() == (0, b"stop")
    (stage.home / "waiting").unlink()
    (stage.home / "waiting").touch()
    assert stage.run() == (0, b"stop")
    assert stage.log.count("cannot be kept") >= 2


def test_it_can_be_held_while_a_person_is_asked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than it would wait for a governor that says nothing, and longer than for one that is slow to say what it says."""
    monkeypatch.setattr(hook, "LONGEST_WAIT", 2.0)
    monkeypatch.setattr(hook, "ANSWER_SECONDS", 2.0)

    def held(_words: tuple[str, ...], _body: bytes) -> Iterator[bytes]:
        for _ in range(7):
            yield STILL_HERE
            time.sleep(0.4 if stage.here else 1.3)
        yield HookAnswer("{}").encode()

    with HookSocket(stage.socket, {"hook": held}, lambda _text: None):
        assert stage.run() == (0, b"{}")


@pytest.mark.parametrize("kind", ["open to others", "a link", "of nobody"])
def test_a_folder_that_is_not_ours_alone_is_not_trusted(stage: Stage, kind: str) -> None:
    """Whoever could put a socket there could stop or feed the agent."""
    with stage.governor() as governor:
        if kind == "open to others":
            governor.path.parent.chmod(0o777)
        elif kind == "a link":
            governor.path.parent.rename(stage.folder / "elsewhere")
            governor.path.parent.symlink_to(stage.folder / "elsewhere")
        else:
            governor.path.parent.rename(stage.folder / "elsewhere")
            governor.path.parent.touch()
        assert stage.run() == (0, b"")
    assert stage.heard == []
    assert "not a folder of this user alone" in stage.log


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{", b"\x00\xff", b'{"session_id": 5}', b'{"session_id": "../../etc"}', b'{"session_id": ""}', b"[" * 100_000,
        b'{"session_id": "' + b"x" * 70_000,
    ],
)  # fmt: skip
def test_hostile_payloads_are_only_kept(stage: Stage, payload: bytes) -> None:
    """The hook never parses them, and no path is made of them."""
    assert stage.run(payload=payload) == (0, b"")
    assert len(stage.waiting) == 1


def test_it_starts_the_governor_once(stage: Stage) -> None:
    """Quickly, so that it outlives the hook and is there for the next; hooks that come meanwhile wait for it."""
    started = stage.folder / "started"
    program = stage.folder / "governor.py"
    program.write_text(
        "import os, socket, sys, time\n"
        f"open({str(started)!r}, 'a').write('x')\n"
        "time.sleep(0.3)\n"
        f"os.mkdir({str(stage.socket.parent)!r}, 0o700)\n"
        f"s = socket.socket(socket.AF_UNIX); s.bind({str(stage.socket)!r}); s.listen()\n"
        "s.settimeout(20)\n"
        "for _ in range(4):\n"
        "    c, _ = s.accept(); c.recv(100000); c.sendall(b'0 0 2\\n{}'); c.close()\n",
        encoding="utf-8",
    )
    (stage.folder / "governor.command").write_text(f"{sys.executable}\n-I\n{program}\n", encoding="utf-8")
    answers: list[tuple[int, bytes]] = []
    threads = [threading.Thread(target=lambda: answers.append(stage.run())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(0, b"{}")] * 3
    assert stage.run() == (0, b"{}")
    assert started.read_text(encoding="utf-8") == "x"
    assert stage.waiting == []


def test_one_that_another_hook_starts_is_waited_for(stage: Stage) -> None:
    """This one starts none; whether the mark that it is being started still lies there by then is the other's affair."""
    (stage.folder / "governor.command").write_text("/bin/false\n", encoding="utf-8")
    stage.home.mkdir(parents=True)
    mark = stage.home / "starting"
    mark.touch()
    governor = stage.governor()

    def start() -> None:
        mark.unlink()
        governor.open()

    starting = threading.Timer(1.0, start)
    starting.start()
    assert stage.run() == (0, b'{"ok":1}')
    starting.join()
    governor.close()
    assert stage.log == ""


def test_one_that_cannot_be_started_is_not_tried_at_every_event(stage: Stage) -> None:
    """A hook sees it fail, and the next ones do not try for a while; then it is tried again."""
    tried = stage.folder / "tried"
    program = stage.folder / "broken.sh"
    program.write_text(f"#!/bin/sh\necho x >>{tried}\nexit 1\n", encoding="utf-8")
    program.chmod(0o700)
    (stage.folder / "governor.command").write_text(f"{program}\n", encoding="utf-8")
    begun = time.monotonic()
    for _ in range(3):
        assert stage.run() == (0, b"")
    assert time.monotonic() - begun < hook.START_SECONDS
    assert tried.read_text(encoding="utf-8") == "x\n"
    assert stage.log.count("does not answer") == 1
    mark = stage.home / "starting"
    os.utime(mark, (time.time() - 100, time.time() - 100))
    assert stage.run() == (0, b"")
    assert tried.read_text(encoding="utf-8") == "x\nx\n"


def test_a_python_that_has_moved_is_said_at_the_start(stage: Stage) -> None:
    """The most likely fault: the environment Tabstop was installed in is gone. The session is told that nothing binds it."""
    (stage.folder / "governor.command").write_text("/nowhere/python\n", encoding="utf-8")
    begun = time.monotonic()
    assert stage.run("SessionStart") == (0, hook.UNBOUND)
    assert stage.run() == (0, b"")
    assert time.monotonic() - begun < hook.START_SECONDS
    assert "/nowhere/python cannot be run: No such file or directory" in stage.log


def test_one_that_begins_and_never_answers_is_waited_for_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent is not held at every event."""
    if stage.here is None:
        return
    monkeypatch.setattr(hook, "START_SECONDS", 1.0)
    (stage.folder / "governor.command").write_text("/bin/sleep\n5\n", encoding="utf-8")
    assert stage.run() == (0, b"")
    monkeypatch.setattr(hook, "START_SECONDS", 20.0)
    os.utime(stage.home / "starting", (time.time() - 30, time.time() - 30))
    begun = time.monotonic()
    assert stage.run() == (0, b"")
    assert time.monotonic() - begun < 20


def test_a_payload_without_end_is_not_swallowed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than any agent sends is a fault: nothing is said, and memory stays bounded."""
    if stage.here is not None:
        monkeypatch.setattr(hook, "LARGEST", 1000)
        assert stage.run(payload=b"x" * 2000) == (0, b"")
        assert "longer than 1000 bytes" in stage.log


def test_the_log_does_not_grow_without_end(stage: Stage) -> None:
    """It begins anew when it is full; a log that cannot be written stops nobody."""
    stage.home.mkdir(parents=True)
    (stage.home / "hook.log").write_text("x" * 300_000, encoding="utf-8")
    stage.run(payload=PAYLOAD + b" " * (2 * 1024 * 1024))
    assert len(stage.log) < 1_000
    (stage.home / "hook.log").unlink()
    (stage.home / "hook.log").mkdir()
    assert stage.run(payload=PAYLOAD + b" " * (2 * 1024 * 1024)) == (0, b"")


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"TABSTOP_STATE": "/s", "RUNNER_TEMP": "/r"}, "/s/hooks"),
        ({"RUNNER_TEMP": "/r", "XDG_STATE_HOME": "/x"}, "/r/tabstop/hooks"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/tabstop/hooks"),
        ({"HOME": "/h"}, "/h/.local/state/tabstop/hooks"),
        ({"RUNNER_TEMP": "/r" * 50}, "/r" * 50 + "/tabstop/hooks"),
    ],
)
def test_it_finds_the_governors_folders(environ: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same places as the package, without importing it."""
    for name in ("TABSTOP_STATE", "RUNNER_TEMP", "XDG_STATE_HOME", "HOME", "TABSTOP_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert hook.state_folder() == folder == str(sessions_root(environ).parent / "hooks")
    assert hook.sockets() == ([], str(governor_socket(environ)))
    monkeypatch.setenv("TABSTOP_SOCKET", "/w")
    assert hook.sockets()[0] == ["/w"]
