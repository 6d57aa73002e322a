"""Builds the real world, reads the inputs, and runs the command; the only place here that touches the process."""

from __future__ import annotations

import io
import os
import sys
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime

from action import faults, messages
from action.inputs import Inputs, InputsError
from action.runner import Runner
from action.world import World
from tabstop.beside.governor_call import end_session, governor_command, start_governor
from tabstop.beside.transport import UrllibTransport

DONE, MISCONFIGURED, CRASHED, CANCELLED = 0, 2, 4, 130
"""Exit codes besides those of the commands. CRASHED: a fault in Tabstop itself, so that no crash looks like a refusal (1)."""


def main() -> int:
    """Run what the inputs ask for; the exit code is the step's."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # whatever locale a machine of your own has
    world = World(
        environ=os.environ,
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
        transport=UrllibTransport(),
        random=os.urandom,
        out=_print,
        start_governor=_start_governor,
        end_session=end_session,
    )
    try:
        return run(world)
    except KeyboardInterrupt:  # the job was cancelled
        return CANCELLED


def run(world: World) -> int:
    """The same in any world."""
    try:
        inputs = Inputs.from_environ(world.environ)
    except InputsError as error:
        Runner(world.environ, world.out).fail(messages.wrong_inputs(error.problems))
        return MISCONFIGURED
    try:
        return _command(world, inputs)
    except Exception:  # noqa: BLE001 (whatever it is, the log shows it and the exit code is not a refusal's)
        return _broke(world, inputs)


def _command(world: World, inputs: Inputs) -> int:
    """Each command loads only what it needs."""
    if inputs.command == "gate":
        from action.gate import gate  # noqa: PLC0415

        return gate(world, inputs)
    if inputs.command == "settle":
        from action.settle import settle  # noqa: PLC0415

        return settle(world, inputs)
    from action.bring_in import bring_in  # noqa: PLC0415
    from action.bring_in_page import no_library  # noqa: PLC0415

    try:
        from action.bring_in_github import GithubArtifacts, connect  # noqa: PLC0415
    except ImportError as error:
        Runner(world.environ, world.out).fail(no_library(str(error)))
        return MISCONFIGURED
    api = world.environ.get("GITHUB_API_URL", "") or "https://api.github.com"
    with connect(api, inputs.github_token) as client:
        return bring_in(world, inputs, GithubArtifacts(client, world.environ.get("GITHUB_REPOSITORY", "")))


def _broke(world: World, inputs: Inputs) -> int:
    """Say so. A fault of ours is no reason to start an agent, nor to fail a job whose agent has run."""
    runner = Runner(world.environ, world.out)
    runner.log(traceback.format_exc())
    if inputs.command == "settle" and inputs.if_unreachable == "allow":
        runner.warn(faults.broke("settle"))
        return DONE
    runner.fail(faults.broke(inputs.command))
    if inputs.command == "gate":
        runner.output("allowed", "false")
        runner.output("verdict", "unknown")
    return CRASHED


def _start_governor(environ: Mapping[str, str]) -> bool:
    return start_governor(environ, governor_command(with_packages=False))


def _print(line: str) -> None:
    print(line, flush=True)
