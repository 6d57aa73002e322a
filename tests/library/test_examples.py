"""What people copy runs: the examples, and the first example of docs/library.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.house.source import ROOT
from tests.support.golden import expect

EXAMPLES = sorted((ROOT / "examples" / "library").glob("*.py"))


def run(*words: str) -> str:
    """What it prints, with the package on its path as an installed one is."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nowhere"}
    done = subprocess.run(
        [sys.executable, *words], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_without_a_key(path: object) -> None:
    """And says in the end what stopped it."""
    assert run(str(path)).startswith("BUDGET_EXCEEDED: The session reached its cost limit")


def test_the_classic_loop_stops_at_its_half_dollar() -> None:
    """Each answer reads all of the conversation, so each is dearer; the one that reaches the limit is the last."""
    expect("library/classic-loop.txt", run(str(ROOT / "examples" / "library" / "classic_loop.py")))


def test_the_first_example_of_the_documentation_runs() -> None:
    """Word for word, and prints what stands below it."""
    text = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    first = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
    assert first
    assert run("-c", first[1]) == first[2]
