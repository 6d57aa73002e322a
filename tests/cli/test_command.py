"""The command `tabstop` as people start it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from tabstop.cli.main import main

CHECKOUTS_OWN = Path(__file__).resolve().parents[2] / ".venv" / "bin" / "tabstop"


def test_it_says_its_version() -> None:
    """Installed or from a checkout."""
    done = CliRunner().invoke(main, ["--version"])
    assert done.exit_code == 0
    assert done.output.startswith("tabstop")


@pytest.mark.parametrize("words", [["--version"], ["policy", "check", "examples/policies/minimal.yml"]])
def test_a_checkout_has_the_command(words: list[str]) -> None:
    """What the README names is there after any `make` command, from whichever folder it is called."""
    if not CHECKOUTS_OWN.exists():
        pytest.skip("These tests do not run in the .venv that scripts/setup makes.")
    done = subprocess.run(
        [CHECKOUTS_OWN, *words], cwd=CHECKOUTS_OWN.parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
