"""One cell of the table: one agent, attach point and limit; run for real in an empty home, and judged by the vendor's invoice."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tabstop.beside.journal import read_entry
from tabstop.beside.session_folder import everything, sessions_root
from tabstop.beside.session_view import SessionView, view
from tabstop.governor.facts import Resumed
from tests.real_agents.agents import Agent, Attach, furnish
from tests.real_agents.dead_end import DeadEnd
from tests.real_agents.endless_model import EndlessModel, served
from tests.real_agents.installed import ROOT, cache, node
from tests.real_agents.invoice import Limit, account

THINK = 1.0
"""Seconds the model takes for an answer; real ones take longer."""

MOST_ANSWERS = 12
"""Of the model, after which it gives up: well past the fifth, where the limits are."""

POLICY_SECONDS, OPTION_SECONDS = 60, 30
"""A policy's shortest wall clock; an option may be shorter, but on a busy machine an agent needs twenty to begin."""

LONGEST = 150.0
"""Seconds for a run."""

_TABSTOP = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tabstop.cli.main import main; main()"
_DEGRADE = ("cheaper_model", "no_subagents", "compact", "no_tools", "finish_subtask")


@dataclass(frozen=True)
class Cell:
    """What came of it.

    text: the limit. after: model calls that began after it was reached. ran: tools that ran. used: of the limit, by the invoice.
    wrong: what should have been otherwise, and where its home was kept; empty when all is well.
    """

    agent: Agent
    attach: Attach
    limit: Limit
    cannot: str = ""
    calls: int = 0
    after: int = 0
    ran: int = 0
    code: int = 0
    outcome: str = ""
    used: str = ""
    seconds: float = 0.0
    wrong: str = ""

    @property
    def text(self) -> str:
        return limit_text(self.agent, self.attach, self.limit)

    @property
    def most(self) -> int | None:
        """Calls that may begin after the limit; None for no bound."""
        return self.agent.most_after(self.attach)


def limit_text(agent: Agent, attach: Attach, limit: Limit) -> str:
    """As it is typed."""
    seconds = POLICY_SECONDS if attach is Attach.HOOKS else OPTION_SECONDS
    return {
        Limit.TOKENS: "450k",
        Limit.TOOL_CALLS: "5",
        Limit.ITERATIONS: "5",
        Limit.WALL_CLOCK: f"{seconds}s",
        Limit.COST: agent.cost,
    }[limit]


def try_it(agent: Agent, attach: Attach, limit: Limit) -> Cell:
    """Run it."""
    if cannot := agent.cannot(attach, limit):
        return Cell(agent, attach, limit, cannot=cannot)
    runs = cache(os.environ) / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix=f"{agent.key}-{attach}-{limit}-", dir=runs))
    cell = _run(agent, attach, limit, home)
    if not cell.wrong:
        shutil.rmtree(home, ignore_errors=True)
    return cell


def _run(agent: Agent, attach: Attach, limit: Limit, home: Path) -> Cell:
    text = limit_text(agent, attach, limit)
    work = _repository(home, limit if attach is Attach.HOOKS else None, text)
    think, model = THINK, EndlessModel(agent.tool, MOST_ANSWERS)
    if limit is Limit.WALL_CLOCK:  # slow and cheap, so that nothing else stops it first
        think, model = 3.0, EndlessModel(agent.tool, 26, input=1_000)
    command: tuple[str, ...] = agent.argv
    if attach is not Attach.HOOKS:
        option = f"--{limit.replace('_', '-')}"
        proxy = ("--proxy",) if attach is Attach.PROXY else ()
        command = (sys.executable, "-c", _TABSTOP, "run", *proxy, option, text, "--", *agent.argv)
    # Sockets lie in the temporary folder, and their paths must be short.
    with tempfile.TemporaryDirectory(prefix="ts-") as short, DeadEnd() as beyond, served(model, think, work) as vendor:
        environ = _environ(agent, home, short) | beyond.environ | furnish(agent, home, vendor.url)
        with _governed(environ):
            if attach is Attach.HOOKS:
                subprocess.run(
                    [sys.executable, "-c", _TABSTOP, "install", agent.hooks],
                    env=environ, cwd=work, check=True, capture_output=True,
                )  # fmt: skip
            began = time.time()
            code = _go(command, work, environ, home)
            ended = time.time()
    session = _session(environ)
    told = account(model.invoice, limit, text, _clock(session) if session else began)
    steps = work / "steps.txt"
    cell = Cell(
        agent,
        attach,
        limit,
        calls=len(model.invoice),
        after=told.after,
        ran=len(steps.read_text().splitlines()) if steps.exists() else 0,
        code=-1 if code is None else code,
        outcome=session.standing if session else "no session",
        used=told.used,
        seconds=ended - began,
    )
    wrong = _wrong(cell, session, beyond.asked, timed_out=code is None)
    if attach is Attach.PROXY and limit is not Limit.WALL_CLOCK and told.over:
        wrong = "; ".join(one for one in (wrong, f"{told.used} of {text} were used, through the proxy") if one)
    return replace(cell, wrong=f"{wrong}; see {home}" if wrong else "")


def _wrong(cell: Cell, session: SessionView | None, asked: list[str], *, timed_out: bool) -> str:
    most, found = cell.most, []
    if timed_out:
        found.append(f"it did not end within {LONGEST:.0f} s")
    if most is not None and cell.after > most:
        found.append(f"{cell.after} calls began after the limit, {most} may")
    expected = "suspended" if cell.limit is Limit.TOKENS else f"stopped: {cell.limit.words}"
    if session is None or session.state.stopped is None or session.state.stopped.ends_as != expected:
        kept = "" if session is None or session.state.stopped else ", by its journal not stopped"
        found.append(f"the session is `{cell.outcome}`{kept}, not `{expected}`")
    if not cell.calls:
        found.append("it was stopped before its first model call")
    if cell.limit is not Limit.WALL_CLOCK and not 1 <= cell.ran <= 5 + (most or 0):
        found.append(f"{cell.ran} tools ran")
    hosts = {line.split(" ")[1].partition("//")[2] or line.split(" ")[1] for line in asked if " " in line}
    if beyond := {one.partition("/")[0].partition(":")[0] for one in hosts}:
        found.append(f"it asked beyond loopback: {', '.join(sorted(beyond))}")
    return "; ".join(found)


def _repository(home: Path, limit: Limit | None, text: str) -> Path:
    """A repository in the home; limit: the only one its policy sets. Degradation is off: it would come before the limit."""
    work = home / "widget"
    (work / ".github").mkdir(parents=True)
    session = {one: text if one is limit else "unlimited" for one in Limit} if limit else {}
    lines = ["session:", *(f"  {name}: {value}" for name, value in session.items())] if session else []
    lines += ["degrade:", *(f"  {name}: off" for name in _DEGRADE)]
    (work / ".github" / "tabstop.yml").write_text("\n".join(lines) + "\n")
    (work / "README.md").write_text("# Widget\n")
    who = ("-c", "user.name=Dev", "-c", "user.email=dev@example.com")
    for words in (("init", "-q", "-b", "main"), ("add", "."), (*who, "commit", "-q", "-m", "Begin")):
        subprocess.run(["git", *words], cwd=work, check=True, env={"PATH": os.environ["PATH"], "HOME": str(home)})
    return work


def _environ(agent: Agent, home: Path, short: str) -> dict[str, str]:
    program = cache(os.environ) / agent.package.folder / "node_modules" / ".bin"
    return {
        "PATH": f"{program}:{Path(node()).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "TMPDIR": short,
        "USER": "dev",
        "SHELL": "/bin/bash",
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }


@contextmanager
def _governed(environ: dict[str, str]) -> Iterator[None]:
    """End the resident governor that hooks may have started."""
    try:
        yield
    finally:
        log = sessions_root(environ).parent / "hooks" / "governor.log"
        text = log.read_text() if log.exists() else ""
        for number in re.findall(r"began, process (\d+)", text):
            with suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGTERM)
        until = time.monotonic() + 5.0
        while text and "ended" not in log.read_text() and time.monotonic() < until:
            time.sleep(0.05)


def _go(command: tuple[str, ...], work: Path, environ: dict[str, str], home: Path) -> int | None:
    """Its exit code; None where it did not end."""
    with (home / "stdout").open("wb") as out, (home / "stderr").open("wb") as err:
        process = subprocess.Popen(
            command, cwd=work, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        try:
            return process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)  # the wrapper ends what it started
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _clock(session: SessionView) -> float:
    """When its wall clock began to run, by `time.time`: on a busy machine its agent comes a second or two after its record."""
    entries = [read_entry(line) for line in session.folder.journal.read_bytes().splitlines()]
    runs = [entry.fact.at for entry in entries if entry is not None and isinstance(entry.fact, Resumed)]
    return min(runs, default=session.record.began_at).timestamp()


def _session(environ: dict[str, str]) -> SessionView | None:
    folders = everything(sessions_root(environ))
    return view(folders[0]) if folders else None
