"""governor.facts: how many facts a second the governor takes in, each through every limit, signal, brake and share."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

from bench.figures import Figure, Part, in_turns
from tabstop.beside.journal import Entry, write_entry
from tabstop.governor.facts import Fact
from tabstop.governor.machine import govern
from tabstop.governor.settings import Settings
from tabstop.governor.state import State
from tabstop.lab.healthy import healthy
from tabstop.session import Limits

SESSIONS = ("long session", "parallel subagents", "review", "questions")
"""Of the healthy ones: answers, tools, subagents and looks at the tree as they mix in real sessions."""

FAR = Limits(10**12, 10**9, 10**9, 10**9, 10**15)
"""Limits that bind and are not reached, so that each fact is measured against all of them."""


def parts() -> list[Part]:
    """One figure."""
    return [Part(("governor.facts",), _facts)]


def _facts(_wanted: Sequence[str]) -> Iterator[Figure]:
    sessions = [healthy(name).facts for name in SESSIONS]
    lines = [write_entry(Entry(fact)) for facts in sessions for fact in facts]
    value, floor = in_turns("governor.facts", lambda: _governed(sessions), lambda: _read(lines))
    yield Figure("governor.facts", value, "facts/s", floor)


def _governed(sessions: Sequence[tuple[Fact, ...]]) -> float:
    settings = Settings(limits=FAR)
    begun = time.perf_counter()
    for facts in sessions:
        state = State()
        for fact in facts:
            state = govern(state, fact, settings).state
    return sum(map(len, sessions)) / (time.perf_counter() - begun)


def _read(lines: Sequence[bytes]) -> float:
    """What whoever stands beside an agent does at least: parse what it is told."""
    begun = time.perf_counter()
    for line in lines:
        json.loads(line)
    return len(lines) / (time.perf_counter() - begun)
