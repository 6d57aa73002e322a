"""The last answer: the agent is resumed for one more model call, without tools, to say what is done and what is left.

No agent bounds that by its own options, so this call goes through the metering proxy: it lets one through, without tools, so long
at most, if what is left of the limits holds its worst case; and it keeps what was answered, whatever the agent makes of it.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from tabstop.agents.command_line import CommandLine, LastAnswer
from tabstop.beside.proxy.attached import ProxyAttachment, is_installed
from tabstop.beside.proxy.codex_session import led_to_proxy
from tabstop.beside.proxy.pointing import goes_elsewhere
from tabstop.beside.session_folder import SessionFolder, write_privately
from tabstop.beside.wrapper.child import Child, Ended
from tabstop.beside.wrapper.session import SummingUpSession
from tabstop.governor.orders import Act

PROMPT = (
    "The budget of this session is used up, and this is its last answer. Use no tools. Say shortly: 1. what is done, "
    "2. what is left to do, 3. how to go on from here. Name the files."
)

LONGEST = 1024 * 1024
"""Bytes of an answer that are kept."""

END_SECONDS = 2.0
"""For the agent to end by itself once its answer is there; one that begins another call instead is ended."""


@dataclass(frozen=True, slots=True)
class Said:
    """What came of it. text: empty for nothing. bounded: it came through the proxy. why: none came."""

    text: str = ""
    bounded: bool = True
    why: str = ""


def why_none(program: str, line: CommandLine | None, environ: Mapping[str, str]) -> str:
    """Why nobody can ask this agent for it, with no full stop; empty where it can be asked. line: None for a program nobody knows."""
    if line is None or not line.summarizes:
        return f"from {PurePath(program).name} it comes only with --proxy"
    if not is_installed():
        return "the metering proxy bounds it, which is not installed: pip install 'tabstop[proxy]'"
    if elsewhere := goes_elsewhere(environ, line.agent):
        return f"the metering proxy bounds it, and {elsewhere[0]}".removesuffix(".")
    return ""


def last_answer(
    how: LastAnswer,
    session: str,
    governed: SummingUpSession,
    folder: SessionFolder,
    environ: Mapping[str, str],
    look: Callable[[], None],
) -> Said:
    """Ask for it. Raises `NotOpenedError` where the proxy is not installed.

    session: the agent's own id. environ: the agent's; it says where the vendor is. look: has the agent's log counted, for an
    agent that asks past the proxy all the same: it is ended after one answer too.
    """
    led = led_to_proxy(how.argv, session, environ)
    if led is None:
        return Said(why="whom this session of Codex asks is not known")
    before = governed.state.totals.iterations
    with ProxyAttachment(led.environ).for_last_answer(governed, folder, governed.conversation) as proxy:
        meter = proxy.meter

        def over() -> bool:
            if not meter.held.iterations and not meter.last_came:
                look()
            return governed.order().act is not Act.WIND_DOWN

        how = replace(how, argv=led.command(proxy.address, proxy.token))
        printed = ask_for_summary(how, {**environ, **proxy.environ(environ)}, over, folder.path / "summary.log")
    look()
    if meter.last_came:
        return Said(meter.last_words.strip(), why="it held no text")
    passed_by = governed.state.totals.iterations > before
    return Said(printed if passed_by else "", bounded=False, why="summary.log in the session's folder says more")


def ask_for_summary(
    how: LastAnswer, environ: Mapping[str, str], over: Callable[[], bool], log: Path, pause: float = 0.1
) -> str:
    """What it said; empty when nothing came, or it did not end well: what it printed then is no answer.

    over: looked at again and again: whether the one answer has come, or does not come any more. log: for what it prints besides,
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
