"""The run's own rules hold: a test that leaves loopback fails, and with CI=true so does a run that skips."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT

SAMPLES = {
    "loopback": "socket.create_server(('127.0.0.1', 0)).close()",
    "unix": "s = socket.socket(socket.AF_UNIX); s.bind(str(tmp_path / 's')); s.close()",
    "skip": "pytest.skip('no PostgreSQL here')",
    "connect": "socket.create_connection(('192.0.2.1', 80), timeout=1)",
    "lookup": "socket.getaddrinfo('tabstop.invalid', 443)",
    "everywhere": "socket.socket().bind(('0.0.0.0', 0))",
    "swallowed": "\n    try:\n        socket.getaddrinfo('tabstop.invalid', 443)\n    except Exception:\n        pass",
}


def run(folder: Path, *samples: str, ci: bool) -> tuple[int, str]:
    """Runs tests with these bodies under the rules, in a folder of their own."""
    bodies = [f"def test_{name}(tmp_path):\n    {SAMPLES[name]}\n" for name in samples]
    (folder / "test_sample.py").write_text("\n".join(["import socket", "import pytest", *bodies]), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if name != "CI"} | ({"CI": "true"} if ci else {})
    environ["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "pytest", "-p", "tests.house.rules_of_the_run", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_loopback_and_unix_sockets_are_free(tmp_path: Path) -> None:
    """Real servers on this machine are what the tests are for."""
    status, said = run(tmp_path, "loopback", "unix", ci=True)
    assert status == 0, said


def test_the_outside_is_closed(tmp_path: Path) -> None:
    """No test depends on a network or sends anything there, even where the code under test swallows the refusal."""
    leaving = ("connect", "lookup", "everywhere", "swallowed")
    status, said = run(tmp_path, *leaving, ci=False)
    assert status == 1, said
    for sample in leaving:
        assert f"ERROR test_sample.py::test_{sample}" in said
    assert said.count("AssertionError: reached outside this machine") >= len(leaving)


@pytest.mark.parametrize(("ci", "status"), [(False, 0), (True, 1)])
def test_a_skip_is_said_and_fails_ci(ci: bool, status: int, tmp_path: Path) -> None:
    """At a desk a skip is a line at the end; in CI it would be a test that nobody runs."""
    result, said = run(tmp_path, "skip", "loopback", ci=ci)
    assert result == status, said
    assert "1 skipped: no PostgreSQL here" in said
    assert re.search(r"1 passed, 1 skipped", said)


def set_up(folder: Path, python: str) -> tuple[int, str]:
    """Runs scripts/setup in a folder that has only what it needs."""
    (folder / "scripts").mkdir()
    (folder / "requirements").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", folder / "scripts" / "setup")
    for name in ("server", "dev"):
        (folder / "requirements" / f"{name}.txt").write_text("", encoding="utf-8")
    environ = {**os.environ, "PYTHON": python}
    done = subprocess.run(
        ["scripts/setup", "server"], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_set_up_says_when_there_is_no_python(tmp_path: Path) -> None:
    """Somebody with an old Python reads what is needed and how to name another."""
    status, said = set_up(tmp_path, "/no/such/python3.11")
    assert status == 1
    assert "No usable Python >= 3.11 found (tried /no/such/python3.11)" in said
    assert "make PYTHON=" in said


def test_set_up_replaces_a_broken_environment(tmp_path: Path) -> None:
    """A .venv whose Python is gone is made anew instead of failing in a riddle."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to("/no/such/python3.11")
    status, said = set_up(tmp_path, sys.executable)
    assert status == 0, said
    assert "making it anew" in said
    assert (tmp_path / ".venv" / ".installed-server").exists()
