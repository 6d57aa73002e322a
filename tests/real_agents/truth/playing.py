"""Playing: every scene with every set of its sources, two at a time, said as they end."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from tabstop.money import show_exact
from tests.real_agents.installed import cache
from tests.real_agents.truth import claude, codex, gemini, opencode
from tests.real_agents.truth.machine import Source
from tests.real_agents.truth.scene import Played, Scene, play

SCENES: tuple[Scene, ...] = (*claude.SCENES, *codex.SCENES, *gemini.SCENES, *opencode.SCENES)


SMOKE = ("claude-fork", "codex-subagents")
"""Scenes of a short run."""


def shortest(scene: Scene) -> Scene:
    """The same, once, with every source."""
    return replace(scene, without=(frozenset(),))


def play_all(scenes: Sequence[Scene]) -> list[Played]:
    """Each in a folder of its own, which is kept where something is wrong."""
    wanted = [(scene, without) for scene in scenes for without in scene.without]
    runs = cache(os.environ) / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    # Two at a time: a client mostly waits.
    with _logging(runs / "truth.log"), ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        return list(pool.map(lambda one: _played(*one), wanted))


def _played(scene: Scene, without: frozenset[Source]) -> Played:
    folder = Path(tempfile.mkdtemp(prefix=f"truth-{scene.name}-", dir=cache(os.environ) / "runs"))
    began = time.monotonic()
    played = play(scene, without, folder)
    verdict = played.verdict
    told = ", ".join(sorted(played.sources))
    words = (
        f"{verdict.calls} calls, invoice {show_exact(verdict.invoice)}, ledger {show_exact(verdict.ledger)}"
        if verdict
        else ""
    )
    print(f"truth  {scene.name} ({told}): {words} in {time.monotonic() - began:.0f} s", flush=True)
    if played.wrong:
        print(f"truth  WRONG: {played.wrong}\n    see {folder}", flush=True)
    elif not os.environ.get("KEEP"):
        shutil.rmtree(folder, ignore_errors=True)
    return played


@contextmanager
def _logging(path: Path) -> Iterator[None]:
    """What the servers log goes to a file."""
    werkzeug, handler = logging.getLogger("werkzeug"), logging.FileHandler(path, mode="w")
    werkzeug.addHandler(handler)
    werkzeug.propagate = False
    with path.open("a") as stream:
        structlog.configure(
            processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
            logger_factory=structlog.PrintLoggerFactory(stream),
        )
        try:
            yield
        finally:
            structlog.reset_defaults()
            werkzeug.removeHandler(handler)
            handler.close()
