"""Builds the real world, reads the inputs, and runs the command; the only place here that touches the process."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

from action import messages
from action.inputs import Inputs, InputsError
from action.runner import Runner
from action.world import World
from tabstop.beside.transport import UrllibTransport

MISCONFIGURED = 2


def main() -> int:
    """Run what the inputs ask for; the exit code is the step's."""
    world = World(
        environ=os.environ,
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
        transport=UrllibTransport(),
        random=os.urandom,
        out=_print,
    )
    return run(world)


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
    from action.settle import settle  # noqa: PLC0415

    return settle(world, inputs)


def _print(line: str) -> None:
    print(line, flush=True)
