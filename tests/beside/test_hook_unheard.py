"""A hook that no governor hears: what it keeps and counts, that stops still hold, and that no agent breaks or goes on for ever."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tabstop.beside import hook
from tabstop.beside.hook_socket import HookAnswer
from tabstop.beside.standing_orders import put_unheard
from tests.beside.full_disk import full_disk
from tests.beside.hook_stage import PAYLOAD, Stage, stage
from tests.support.hook_payloads import SESSION

__all__ = ["stage"]


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


def test_the_log_does_not_grow_without_end(stage: Stage) -> None:
    """It begins anew when it is full; a log that cannot be written stops nobody."""
    stage.home.mkdir(parents=True)
    (stage.home / "hook.log").write_text("x" * 300_000, encoding="utf-8")
    stage.run(payload=PAYLOAD + b" " * (2 * 1024 * 1024))
    assert len(stage.log) < 1_000
    (stage.home / "hook.log").unlink()
    (stage.home / "hook.log").mkdir()
    assert stage.run(payload=PAYLOAD + b" " * (2 * 1024 * 1024)) == (0, b"")
