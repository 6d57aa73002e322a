"""`command: bring-in` as a runner runs it: action.yml, a real environment of its own, real PyGithub, three servers on loopback."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabstop.beside.transport import Response
from tests.action.fake_tabstop import FakeTabstop, LoopbackTabstop, times
from tests.action.test_action_yml import CLAIMS, ROOT, Site
from tests.support.action_runner import ActionRun, ActionRunner
from tests.support.artifacts_api import TOKEN, ArtifactsApi, Shelf, zipped
from tests.support.oidc_issuer import OidcIssuer, github_context


@pytest.fixture
def site(tmp_path: Path, oidc_issuer: OidcIssuer) -> Iterator[Site]:
    with LoopbackTabstop(FakeTabstop()) as server:
        yield Site(tmp_path, server, oidc_issuer)


@pytest.fixture
def api() -> Iterator[ArtifactsApi]:
    with ArtifactsApi(Shelf(), prefix="/api/v3") as api:
        yield api


def installed(runner_temp: Path) -> None:
    """The environment as bring_in.sh leaves it, with this test's own packages instead of a download."""
    folder = runner_temp / "tabstop-bring-in"
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    own = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "own.pth").write_text(own)
    lock = (ROOT / "requirements" / "action.txt").read_bytes()
    checksum = subprocess.run(["cksum"], input=lock, capture_output=True, check=True).stdout
    (folder / "installed").write_bytes(checksum)


def bring_in(site: Site, api: ArtifactsApi, **env: str) -> ActionRun:
    return site.runner.run(
        {"command": "bring-in", "server": site.address},
        github={**github_context(CLAIMS), "api_url": api.url, "token": TOKEN},
        env={**site.identity, **env},
    )


def test_an_undelivered_report_is_brought_in(site: Site, api: ArtifactsApi) -> None:
    """Gate, agent, settle while the server is away, artifact; then bring-in: delivered, deleted, on the job's page."""
    site.run("gate")
    site.play("plain")
    site.fake.fault = times(999, Response(503, b"", 600))
    settle = site.run("settle")
    [(name, folder)] = settle.artifacts.items()
    api.shelf.put(name, zipped({path.name: path.read_bytes() for path in folder.iterdir()}))
    site.fake.fault = lambda _route: None
    installed(site.runner.runner_temp)
    done = bring_in(site, api)
    assert done.outcome == "success", done.log
    assert done.outputs["brought-in"] == "1"
    assert done.outputs["spool-left"] == "0"
    assert len(site.fake.sessions["s1"].calls) == 5
    assert api.shelf.stored == {}
    assert "1 report brought in, $0.05" in done.summary
    assert TOKEN not in done.log
    assert [request.method for request in api.asked] == ["GET", "GET", "DELETE"]


def test_what_lies_in_the_workspace_is_not_imported(site: Site, api: ArtifactsApi) -> None:
    """A `github.py` or `json.py` of the repository's is not what runs with the token."""
    site.runner.workspace.mkdir(parents=True)
    for module in ("github", "json", "venv", "pip"):
        (site.runner.workspace / f"{module}.py").write_text("raise SystemExit('taken over')")
    installed(site.runner.runner_temp)
    done = bring_in(site, api, PYTHONPATH=str(site.runner.workspace))
    assert done.outcome == "success", done.log
    assert "no report waits" in done.summary


def test_no_index_no_crash(site: Site, api: ArtifactsApi) -> None:
    """Where the package cannot be had, the step says so, and that nothing is lost."""
    done = bring_in(site, api, PIP_NO_INDEX="1", PIP_CACHE_DIR=str(site.runner.runner_temp / "none"))
    assert done.step("tabstop").exit == 2
    assert "PyGithub could not be installed" in done.errors[0]
    assert "Nothing is lost" in done.errors[0]
    assert api.asked == []


PRINTS_WHAT_IT_SEES = """
import os, sys
seen = [name for name in ("TABSTOP_INPUT_GITHUB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN") if name in os.environ]
print("with", sys.argv[0], "sees", seen, "as isolated", sys.flags.isolated)
"""


def a_wheel(folder: Path) -> str:
    """A package that is there to be installed; its hash."""
    about = "tiny-1.0.dist-info"
    content = zipped(
        {
            "tiny.py": "",
            f"{about}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
            f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{about}/RECORD": "",
        }
    )
    folder.mkdir()
    (folder / "tiny-1.0-py3-none-any.whl").write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_the_environment_holds_what_the_lock_names(site: Site, api: ArtifactsApi, tmp_path: Path) -> None:
    """Made by the step itself: the locked file is installed and used again; one with another hash is not taken."""
    action = tmp_path / "action"
    for part in ("action", "tabstop", "action.yml"):
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, action / part if source.is_dir() else action)
    (action / "action" / "start.py").write_text(PRINTS_WHAT_IT_SEES + "import tiny\n")
    (action / "requirements").mkdir()
    lock = action / "requirements" / "action.txt"
    digest = a_wheel(tmp_path / "wheels")
    runner = ActionRunner(action, workspace=site.runner.workspace, runner_temp=site.runner.runner_temp)
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels"), **site.identity}

    def run() -> ActionRun:
        return runner.run({"command": "bring-in", "server": site.address}, github={"token": TOKEN}, env=env)

    lock.write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    first = run()
    assert first.outcome == "success", first.log
    assert "'TABSTOP_INPUT_GITHUB_TOKEN'" in first.log  # the command has it
    shutil.rmtree(tmp_path / "wheels")
    assert run().outcome == "success"  # no second installation in one job
    a_wheel(tmp_path / "wheels")
    lock.write_text(f"tiny==1.0 --hash=sha256:{digest[::-1]}\n")
    changed = run()
    assert changed.step("tabstop").exit == 2
    assert "DO NOT MATCH THE HASHES" in changed.log
    assert json.dumps(TOKEN) not in changed.log
