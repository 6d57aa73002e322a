"""Scenes: what a real client is led through, with every source listening. `python -m tests.real_agents.truth NAME` plays one.

A scene is a function that gets a `Stage` and says what happens, in a module named after its client, in that module's `SCENES`:

    def switch(stage: Stage) -> None:
        stage.switch("feature/one")               # a branch with a pull request
        stage.run("[[script:talk]] x")            # one run of the client, to its end
        stage.run("[[script:talk]] y", stage.resume())

    SCENES = (Scene("switch", CLIENT, switch, "a resumed session goes on on another branch"),)

Where a call belongs is where HEAD was when the vendor got it, or, for branches in `leads`, where their work led.
Prompts pick scripts by `[[script:NAME]]`: those of tests/support/llm_scripts.json, or the scene's own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.real_agents.agents import Agent, furnish
from tests.real_agents.dead_end import DeadEnd
from tests.real_agents.truth.checkout import Checkout
from tests.real_agents.truth.job import in_a_job
from tests.real_agents.truth.judge import Verdict, judge
from tests.real_agents.truth.machine import LONGEST, DidNotHappenError, Machine, Source, environ_of, eventually
from tests.real_agents.truth.replay import in_another_order
from tests.real_agents.truth.server import Server, refused, server
from tests.real_agents.truth.vendor import Vendor

SEED = 20_261_122


@dataclass(frozen=True)
class Client:
    """How one client is run. argv: from a prompt and further arguments to its command. session: from what it printed, its id.

    resume, fork: arguments that go on with a session, or with a copy of it; by its id. sources: those it has.
    prepare: makes it tell its telemetry, and whatever else this client needs; called before hooks are installed.
    pause: seconds between its calls and somebody's checkout, at least: git notes those to the second.
    """

    agent: Agent
    argv: Callable[[str, Sequence[str]], tuple[str, ...]]
    session: Callable[[str], str]
    resume: Callable[[str], tuple[str, ...]]
    fork: Callable[[str], tuple[str, ...]]
    sources: frozenset[Source]
    prepare: Callable[[Machine, frozenset[Source]], None]
    pause: float = 1.1


@dataclass(frozen=True)
class Scene:
    """leads: for branches without a tab, where their work led. without: sources to leave out, each set a playing of its own.

    sources: other than the client's; a job's are its own. scripts: its own, by name. unseen: why calls that were broken off are in no source here; empty where they have to be known.
    """

    name: str
    client: Client
    play: Callable[[Stage], None]
    about: str
    leads: Mapping[str, str] = field(default_factory=dict)
    without: tuple[frozenset[Source], ...] = (frozenset(),)
    scripts: Mapping[str, Any] = field(default_factory=dict)
    unseen: str = ""
    sources: frozenset[Source] = frozenset()


@dataclass
class Stage:
    """What a scene's function can do."""

    scene: Scene
    machine: Machine
    checkout: Checkout
    vendor: Vendor
    sessions: list[str] = field(default_factory=list)
    """Of each run that ended, its client's session."""
    runs: int = 0

    def switch(self, branch: str) -> None:
        """Somebody checks out another branch, in another window."""
        pause = self.scene.client.pause if self.runs else 0.0
        time.sleep(2 * pause)
        self.checkout.git("switch", "-q", branch)
        time.sleep(pause)

    def resume(self, run: int = -1) -> tuple[str, ...]:
        """Arguments that go on with the session of a run; the last one's unless told otherwise."""
        return self.scene.client.resume(self.sessions[run])

    def fork(self, run: int = -1) -> tuple[str, ...]:
        """The same with a copy of it."""
        return self.scene.client.fork(self.sessions[run])

    def run(self, prompt: str, more: Sequence[str] = (), *, code: int | None = 0, **environ: str) -> None:
        """One run of the client, to its end. code: how it has to end; None for anyhow."""
        process, name = self._start(prompt, more, environ)
        try:
            ended = process.wait(LONGEST)
        except subprocess.TimeoutExpired as error:
            raise DidNotHappenError(f"{name} did not end: {prompt}") from error
        finally:
            _kill(process)
        out = (self.machine.home / f"{name}.out").read_text(errors="replace")
        if code is not None and ended != code:
            err = (self.machine.home / f"{name}.err").read_text(errors="replace")
            raise DidNotHappenError(f"{name} ended with {ended}: {prompt}\n{out[-1_500:]}\n{err[-1_500:]}")
        if self.vendor.is_refusing:
            raise DidNotHappenError(f"{name} ended before every refusal was used")
        self.sessions.append(self.scene.client.session(out) or (self.sessions or [""])[-1])

    def killed(self, prompt: str, more: Sequence[str] = (), **environ: str) -> None:
        """A run that is ended with SIGKILL, hooks and all, once an answer hangs in the middle (a script's `hangs`)."""
        process, _ = self._start(prompt, more, environ)
        try:
            eventually(lambda: self.vendor.hanging or process.poll() is not None, "no answer hung")
            if process.poll() is not None:
                raise DidNotHappenError("it ended before an answer hung")
        finally:
            _kill(process)

    def _start(
        self, prompt: str, more: Sequence[str], environ: Mapping[str, str]
    ) -> tuple[subprocess.Popen[bytes], str]:
        self.runs += 1
        name = f"run-{self.runs}"
        argv = self.scene.client.argv(prompt, tuple(more))
        return self.machine.start(argv, name, **environ), name


@dataclass(frozen=True)
class Played:
    """What came of a scene. again: what sending everything once more changed, or what came of another order.

    requests: that were sent once more. problem: why it could not be played.
    """

    scene: Scene
    sources: frozenset[Source]
    verdict: Verdict | None = None
    again: str = ""
    requests: int = 0
    problem: str = ""

    @property
    def wrong(self) -> str:
        """What is not as it should be; empty when all is."""
        if self.verdict is None:
            return self.problem
        return "; ".join(one for one in (self.verdict.wrong, self.again) if one)


def play(scene: Scene, without: frozenset[Source], folder: Path) -> Played:
    """Play it in an empty folder, which may be looked into afterwards."""
    sources = (scene.sources or scene.client.sources - {Source.JOB}) - without
    home = folder / "home"
    home.mkdir(parents=True)
    try:
        with ExitStack() as over:
            found = over.enter_context(server(folder / "server"))
            checkout = Checkout.make(home)
            vendor = over.enter_context(Vendor(cwd=str(checkout.folder), where=checkout.branch, more=scene.scripts))
            _live(scene, sources, found, checkout, vendor, over)
            found.know(checkout)
            found.work()
            return _judged(scene, sources, found, vendor, checkout, folder / "anew")
    except (DidNotHappenError, AssertionError, subprocess.SubprocessError) as error:
        return Played(scene, sources, problem=f"it could not be played: {error}")


def _live(
    scene: Scene, sources: frozenset[Source], found: Server, checkout: Checkout, vendor: Vendor, over: ExitStack
) -> None:
    """The runs, and `tabstop sync` when they are over."""
    client, home = scene.client, checkout.folder.parent
    short = over.enter_context(tempfile.TemporaryDirectory(prefix="ts-"))
    beyond = over.enter_context(DeadEnd())
    environ = environ_of(client.agent, home, short) | beyond.environ | furnish(client.agent, home, vendor.url)
    machine = Machine(client.agent, home, checkout.folder, environ, found)
    if Source.JOB not in sources:
        machine.log_in()
    found.know(checkout)
    client.prepare(machine, sources)
    if Source.HOOKS in sources:
        machine.tabstop("install", client.agent.hooks)
    job = in_a_job(machine) if Source.JOB in sources else nullcontext()
    with machine.governed(), machine.metered(wanted=Source.PROXY in sources), job:
        scene.play(Stage(scene, machine, checkout, vendor))
        vendor.over.set()  # what hangs, ends
    if Source.LOGS in sources:
        machine.said.append(machine.tabstop("sync"))
    for line in refused(found.arrived):
        print(f"  {scene.name}: the server refused {line}")


def _judged(
    scene: Scene, sources: frozenset[Source], found: Server, vendor: Vendor, checkout: Checkout, anew: Path
) -> Played:
    before = found.ledger()
    unseen = scene.unseen if Source.PROXY not in sources or not _tells_at_once(vendor) else ""
    verdict = judge(vendor.lines, before, scene.leads, unseen)
    requests = found.again(SEED) + found.again(SEED + 1)
    after = found.ledger()
    changed = "" if after == before else f"sending it again changed the ledger: {_difference(before.rows, after.rows)}"
    other = judge(vendor.lines, in_another_order(found, checkout, anew, SEED), scene.leads, unseen)
    if other.wrong:
        changed = "; ".join(one for one in (changed, f"in another order: {other.wrong}") if one)
    return Played(scene, sources, verdict, changed, requests)


def _tells_at_once(vendor: Vendor) -> bool:
    """Whether an answer says at its beginning what its prompt used: OpenAI's do not."""
    return all(line.api in {"anthropic", "gemini"} for line in vendor.lines if line.broken)


def _difference(before: Sequence[object], after: Sequence[object]) -> str:
    gone, new = [one for one in before if one not in after], [one for one in after if one not in before]
    return f"{len(gone)} rows gone {gone[:2]}, {len(new)} new {new[:2]}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
