"""hook.decision: one hook as an agent runs it, from its start to its answer, against a bare start of the same Python."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.figures import Figure, NotHereError, Part, in_turns
from tabstop.beside import hook
from tabstop.beside.governor_call import governor_command, start_governor

RUNS = 60
"""Hooks of one measurement; its median counts."""


def parts() -> list[Part]:
    """The one figure."""
    return [Part(("hook.decision",), lambda _wanted: _decision())]


def _decision() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="ts-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environ = {**os.environ, "TMPDIR": name, "TABSTOP_STATE": str(folder / "state")}
        shutil.copy(hook.__file__, folder / "hook.py")
        kept, tempfile.tempdir = tempfile.tempdir, name
        try:
            if not start_governor(environ, governor_command()):
                raise NotHereError("the governor does not begin")
            value, floor = _measured(folder, environ)
        finally:
            tempfile.tempdir = kept
            _end(folder)
    yield Figure("hook.decision", value, "ms", floor)


def _measured(folder: Path, environ: dict[str, str]) -> tuple[float, float]:
    """A session in its middle: 200 answers in its transcript, a tool about to run."""
    transcript = folder / "11111111-1111-4111-8111-111111111111.jsonl"
    body = json.dumps(
        {
            "session_id": transcript.stem,
            "transcript_path": str(transcript),
            "cwd": str(folder),
            "hook_event_name": "PostToolUse",
            "tool_name": "Bash",
            "tool_input": {"command": "ls"},
            "tool_use_id": "toolu_1",
        }
    ).encode()
    python = getattr(sys, "_base_executable", sys.executable)
    ours = [python, "-I", "-S", str(folder / "hook.py"), "claude-code", "PostToolUse"]
    subprocess.run(ours, input=body, env=environ, check=True)
    with transcript.open("a", encoding="utf-8") as stream:
        for number in range(200):
            message = {"id": f"msg_{number}", "model": "claude-opus-5-5", "usage": {"input_tokens": 10}}
            row = {
                "type": "assistant",
                "message": message,
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
            stream.write(json.dumps(row) + "\n")
    bare = [python, "-I", "-S", "-c", "pass"]
    return in_turns("hook.decision", lambda: median_ms(ours, body, environ), lambda: median_ms(bare, body, environ))


def median_ms(command: Sequence[str], body: bytes, environ: dict[str, str]) -> float:
    """Milliseconds of the whole process."""
    found = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        subprocess.run(command, input=body, env=environ, check=True, stdout=subprocess.DEVNULL)
        found.append((time.perf_counter() - begun) * 1000)
    return statistics.median(found)


def _end(folder: Path) -> None:
    log = folder / "state" / "hooks" / "governor.log"
    if log.exists() and "began, process " in (said := log.read_text(encoding="utf-8")):
        os.kill(int(said.rpartition("began, process ")[2].split()[0]), 15)
