"""A hook that finds no governor starts one: once however many ask, not again while that fails, and no agent is held for it."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from tabstop.beside import hook
from tests.beside.hook_stage import Stage, stage

__all__ = ["stage"]


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
