"""The command `tabstop` as people start it."""

from __future__ import annotations

import os
import subprocess
import sys
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


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["cost", "--offline"], ["cost", "--json"], ["cost", "--csv"], ["--help"]])
def test_an_output_without_room(words: list[str], unbuffered: str, tmp_path: Path) -> None:
    """Is told in one line, and is a failure."""
    with FULL.open("wb") as full:
        done = started(words, full.fileno(), tmp_path, PYTHONUNBUFFERED=unbuffered)
    said = "Error: No space left on device. Make room, or let it write elsewhere, and try again.\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize("words", [["cost", "--offline"], ["cost", "--json"], ["cost", "--csv"], ["--help"]])
def test_a_reader_that_went_away(words: list[str], tmp_path: Path) -> None:
    """Such as `head -1`: it has what it wanted, and nobody complains."""
    reading, writing = os.pipe()
    os.close(reading)
    done = started(words, writing, tmp_path)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def started(words: list[str], output: int, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command as a process, in an empty home."""
    return subprocess.run(
        [sys.executable, "-m", "tests.cli.run_tabstop", *words],
        stdout=output, stderr=subprocess.PIPE, text=True, check=False, cwd=Path(__file__).parents[2],
        env={**os.environ, "HOME": str(home), **environ},
    )  # fmt: skip


def test_other_failures_of_the_system_are_no_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told to make room for them."""
    monkeypatch.setattr("tabstop.cli.cost.cache_path", _refused)
    done = CliRunner().invoke(main, ["cost", "--offline"])
    assert isinstance(done.exception, PermissionError)


def _refused(_environ: object) -> Path:
    raise PermissionError(13, "Permission denied")
