"""Builds the real world, reads the inputs, and runs the command; the only place here that touches the process."""

from __future__ import annotations

import io
import os
import sys
import time
import traceback
from datetime import UTC, datetime

from action import messages
from action.inputs import Inputs, InputsError
from action.runner import Runner
from action.world import World
from tabstop.beside.transport import UrllibTransport

MISCONFIGURED = 2


CANCELLED = 130


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
    if inputs.command == "gate":
        from action.gate import gate  # noqa: PLC0415 (each command loads only what it needs)

        return gate(world, inputs)
    from action.settle import AWAY, DONE, settle  # noqa: PLC0415

    try:
        return settle(world, inputs)
    except Exception:  # noqa: BLE001 (a fault of ours is no reason to fail somebody's job)
        runner = Runner(world.environ, world.out)
        runner.warn(messages.fault_of_ours())
        runner.log(traceback.format_exc())
        return DONE if inputs.if_unreachable == "allow" else AWAY


def _print(line: str) -> None:
    print(line, flush=True)
