"""Hooks of the agent that the wrapper runs: they ask us instead of the resident governor, so that all watch one session."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from tabstop.agents.command_line import CommandLine
from tabstop.agents.dialect import dialect_of
from tabstop.beside import hook as hook_file
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_desk import HookDesk
from tabstop.beside.hook_installation import place_of
from tabstop.beside.hook_socket import STILL_HERE, HookAnswer, HookSocket, Log
from tabstop.beside.session_folder import Record, SessionFolder
from tabstop.beside.wrapper.release import Release

_LOOK_AGAIN, _SAY_AGAIN = 0.05, 2.0
"""Seconds; a hook that hears nothing for 8 gives up."""


class HookPost:
    """Answers the hooks of one session while it is open; also a person's raise or release, and whoever asks if we are here."""

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        now: Callable[[], datetime],
        log: Log,
        session: tuple[SessionFolder, Record, GovernedSession],
        release: Release | None = None,
        *,
        ends_for_summary: bool = False,
        deaf: bool = False,
    ) -> None:
        """root: where session folders lie. release: who may release it. ends_for_summary: for its last answer it is resumed.

        deaf: hooks are let go on unheard, as if there were none.
        """
        self._deaf = deaf
        self._folder = session[0]
        self._release = release
        self._ends_for_summary = ends_for_summary
        folder, record, self._governed = session
        self._desk = HookDesk(root, environ, now, log, folder.socket)
        self._desk.watch(folder, record, self._governed)
        answers = {"hook": self._hook, "fact": self._desk.fact, "ping": lambda _words, _body: b"here"}
        self._socket = HookSocket(folder.socket, answers, log)
        self.path = folder.socket
        self.heard_at: float | None = None
        self.ended_turn = False
        self.ends_turns = True
        self.muted = False

    @property
    def heard(self) -> bool:
        """Whether the agent's hooks have asked."""
        return self.heard_at is not None and not self._deaf

    def __enter__(self) -> Self:
        """Listen. Raises `OSError`."""
        self._socket.open()
        with suppress(OSError):
            self._folder.keep_watcher(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self._socket.close()
        self._desk.close()

    def _hook(self, words: tuple[str, ...], body: bytes) -> bytes | Iterator[bytes]:
        self.heard_at = time.monotonic()
        if self.muted or self._deaf:
            return HookAnswer().encode()
        answer = self._desk.hook(words, body)
        self.ends_turns = self.ends_turns and dialect_of(words[0]).ends_turns
        if not isinstance(answer, bytes):
            return answer  # of a session that another process watches
        return self._held(words, answer) if self._asking() else self._said(words, answer)

    def _held(self, words: tuple[str, ...], answer: bytes) -> Iterator[bytes]:
        """While a person is asked the hook is told that we are here: it stands in a group of its own, so our SIGSTOP missed it.

        The agent's turn ends only if the answer is no.
        """
        say_at = 0.0
        while self._asking():
            if time.monotonic() >= say_at:
                yield STILL_HERE
                say_at = time.monotonic() + _SAY_AGAIN
            time.sleep(_LOOK_AGAIN)
        yield self._said(words, answer if self._governed.state.stopped else HookAnswer().encode())

    def _said(self, words: tuple[str, ...], answer: bytes) -> bytes:
        self.ended_turn = self.ended_turn or self._governed.state.stopped is not None
        if self._ends_for_summary and (order := self._governed.order()).summary_tokens:
            agent, event, *_ = words
            reply = dialect_of(agent).standing(order).get(event)
            self.ended_turn = self.ended_turn or reply is not None
            return HookAnswer(json.dumps(reply) if reply else "").encode()
        return answer

    def _asking(self) -> bool:
        releasing = self._release is not None and self._release.due is not None
        return releasing or self._governed.state.exhausted.question is not None


def settings_with_hooks(command: CommandLine, held: int = 0) -> str:
    """Settings (JSON) that put our hooks into one run. held: the seconds for which one may be held on top, for a person's answer."""
    python = getattr(sys, "_base_executable", "") or sys.executable
    begins = f"{shlex.quote(python)} -I -S {shlex.quote(str(Path(hook_file.__file__).resolve()))} {command.agent}"
    hooks = {
        event: [{"hooks": [{"type": "command", "command": f"{begins} {event}", "timeout": seconds + held}]}]
        for event, seconds in dialect_of(command.agent).events.items()
    }
    return json.dumps({"hooks": hooks})


def are_installed(command: CommandLine, environ: Mapping[str, str], cwd: str) -> bool:
    """Whether `tabstop install` put them into the user's or the project's settings."""
    here = Path(cwd)
    root = next((one for one in (here, *here.parents) if (one / ".git").exists()), here)
    user, project = (place_of(command.agent, environ, where).path for where in (None, root))
    return any(_has_ours(path) for path in (user, project, project.with_name("settings.local.json")))


def _has_ours(path: Path) -> bool:
    try:
        return b"tabstop/hook.py" in path.read_bytes()
    except OSError:
        return False
