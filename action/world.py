"""The world the action runs in, handed to it: environment, clock, HTTP, randomness, and the runner's log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tabstop.beside.transport import Transport


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside. Files are reached through the paths the environment names.

    now: timezone-aware UTC. sleep: seconds. random: so many bytes nobody can guess. out: prints one line.
    start_governor, end_session: as in `tabstop.beside.governor_call`, the first with the action's own way to start it.
    """

    environ: Mapping[str, str] = field(repr=False)
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    transport: Transport
    random: Callable[[int], bytes]
    out: Callable[[str], None]
    start_governor: Callable[[Mapping[str, str]], bool]
    end_session: Callable[[Mapping[str, str], str], bool]
