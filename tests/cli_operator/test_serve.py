"""`serve`, `worker`, `migrate`: what is said before anything starts, and a real server with its one-time link."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.cli.serve import greeting
from app.settings import Settings
from tests.cli_operator.operator_at_work import SECRET, AtWork
from tests.house.source import ROOT
from tests.support.golden import expect


def test_missing_settings_say_what_to_run(tmp_path: Path) -> None:
    """Somebody who tries it for the first time gets the line to paste."""
    result = AtWork(tmp_path, {"TABSTOP_SECRET_KEY": "", "PORT": "http"}).types("serve")
    assert result.exit_code == 1
    expect("operator-serve/missing-settings.txt", result.output)


@pytest.mark.parametrize("command", ["token list", "pause acme --why x", "audit verify", "jobs list"])
def test_a_mistyped_path_creates_no_database(tmp_path: Path, command: str) -> None:
    """Only `serve` and `migrate` make the file; anything else says that there is none."""
    result = AtWork(tmp_path).types(*command.split())
    assert result.exit_code == 1
    assert f"There is no database at {tmp_path.resolve() / 'tabstop.db'} yet." in result.output
    assert list(tmp_path.iterdir()) == []


def test_an_old_database_is_not_written_to(tmp_path: Path) -> None:
    """Tables of another version are left alone until somebody migrates."""
    (tmp_path / "tabstop.db").touch()
    assert "not those of this version" in AtWork(tmp_path).types("token", "list").output


def test_migrate_twice(tmp_path: Path) -> None:
    """Migrating again changes nothing and says so."""
    said = [AtWork(tmp_path).types("migrate").output for _ in range(2)]
    assert said == ["The database is now up to date.\n", "The database was up to date.\n"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The database's own words, and what to check."""
    result = AtWork(tmp_path / "missing").types("migrate")
    assert result.exit_code == 1
    assert "The database cannot be used: unable to open database file" in result.output


def test_a_worker_needs_postgresql(at_work: AtWork) -> None:
    """With SQLite the server does the jobs; the message says how."""
    assert "A worker of its own needs PostgreSQL" in at_work.types("worker").output


def test_a_private_key_that_is_not_there(at_work: AtWork) -> None:
    """A path that cannot be read stops the start, before the port is taken."""
    at_work.extra = {
        "TABSTOP_GITHUB_APP_ID": "1",
        "TABSTOP_GITHUB_PRIVATE_KEY": "/nowhere/app.pem",
        "PORT": str(free_port()),
    }
    result = at_work.types("serve")
    assert "/nowhere/app.pem: No such file or directory" in result.output


def test_a_port_that_is_taken(at_work: AtWork) -> None:
    """Nothing is started, and the message names another way."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        at_work.extra = {"PORT": str(taken.getsockname()[1])}
        result = at_work.types("serve")
    assert result.exit_code == 1
    assert "choose another port with PORT=8001" in result.output


def test_greetings() -> None:
    """With an App the link to `/setup` is gone; without one the token is in it."""
    new = Settings(secret_key=SECRET, public_url="https://tabstop.acme.example", setup_token="0f1e2d")
    told = [greeting(new), greeting(Settings(secret_key=SECRET, github_app_id="1"))]
    told.append(greeting(Settings(secret_key=SECRET, github_app_id="1", setup_token="0f1e2d")))
    expect("operator-serve/greetings.txt", "\n\n".join(told) + "\n")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(at_work: AtWork) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A real server process and what it has said when it answers."""
    port = free_port()
    env = os.environ | at_work.env | {"PORT": str(port), "TABSTOP_PUBLIC_URL": f"http://localhost:{port}"}
    log = at_work.folder / "serve.log"
    with log.open("w", encoding="utf-8") as out:
        command = [sys.executable, "-m", "app.cli", "serve"]
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT, text=True)
    try:
        for _ in range(300):
            try:
                httpx.get(f"http://localhost:{port}/healthz")
                break
            except httpx.TransportError:
                assert process.poll() is None, log.read_text(encoding="utf-8")
                time.sleep(0.1)
        yield process, log.read_text(encoding="utf-8")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.mark.slow
def test_a_real_server_and_commands_beside_it(tmp_path: Path) -> None:
    """It migrates, its link opens `/setup` once per start, and commands write beside it on the same SQLite file."""
    at_work = AtWork(tmp_path)
    with serving(at_work) as (process, said):
        link = re.search(r"^  (http://localhost:\d+/setup\?token=[0-9a-f]{32})$", said, re.MULTILINE)
        assert link, said
        with httpx.Client(follow_redirects=True) as browser:
            page = browser.get(link[1])
            assert page.status_code == 200
            assert str(page.url).endswith("/setup")
            assert "GitHub cannot reach this server yet" in page.text
        at_work.with_acme()
        assert at_work.types("pause", "acme", "--why", "busy").exit_code == 0
        assert at_work.store().organizations()[0].paused
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        base = link[1].partition("/setup")[0]
        assert httpx.get(f"{base}/healthz").json() == {"status": "ok"}
    assert process.returncode == 0
