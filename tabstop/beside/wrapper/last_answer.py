"""The last answer: the agent is resumed for one more model call, without tools, to say what is done and what is left."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tabstop.agents.command_line import LastAnswer
from tabstop.beside.session_folder import write_privately
from tabstop.beside.wrapper.child import Child, Ended

PROMPT = (
    "The budget of this session is used up, and this is its last answer. Use no tools. Say shortly: 1. what is done, "
    "2. what is left to do, 3. how to go on from here. Name the files."
)

LONGEST = 1024 * 1024
"""Bytes of an answer that are kept."""

END_SECONDS = 2.0
"""For the agent to end by itself once its answer is there; one that begins another call instead is ended."""


def ask_for_summary(
    how: LastAnswer, environ: Mapping[str, str], over: Callable[[], bool], log: Path, pause: float = 0.1
) -> str:
    """What it said; empty when nothing came, or it did not end well: what it printed then is no answer.

    over: looked at again and again: whether the one answer is paid for, or its time is up. log: for what it prints besides,
    and for what it printed where that is no answer: agents print their errors there too.
    The agent's output goes to files: it cannot block, and what it starts cannot hold us.
    """
    with tempfile.TemporaryFile() as said, log.open("ab") as noise, open(os.devnull, "rb") as nothing:  # noqa: PTH123
        child = Child(
            how.argv,
            {**environ, **how.environ},
            stdin=nothing.fileno(),
            stdout=said.fileno(),
            stderr=noise.fileno(),
        )
        ended_well = _wait(child, over, pause)
        said.seek(0)
        printed = said.read(LONGEST)
        if not ended_well:
            noise.write(printed)
            return ""
        return printed.decode("utf-8", "replace").strip()


def keep(path: Path, text: str) -> None:
    """Leave it in the session's folder. Raises `OSError`."""
    write_privately(path, text.encode() + b"\n")


def _wait(child: Child, over: Callable[[], bool], pause: float) -> bool:
    """Whether it ended well: with success, or by us once its answer was there (some linger after it)."""
    deadline: float | None = None
    sent = 0
    while not isinstance(news := child.poll(), Ended):
        now = time.monotonic()
        if deadline is None:
            deadline = now + END_SECONDS if over() else None
        elif now >= deadline:
            child.signal(signal.SIGKILL if sent else signal.SIGTERM)
            sent += 1
            deadline = now + END_SECONDS
        time.sleep(pause)
    return news.code == 0 or sent > 0
