"""The door of the action: which command runs, what each has to load, and what a fault of ours looks like from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from action.world import World
from tabstop.beside.transport import Response
from tests.action.jobs import SERVER, Job
from tests.support import golden
from tests.support.artifacts_api import TOKEN, ArtifactsApi, Shelf

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def broken(_route: str) -> Response | None:
    raise ArithmeticError("nobody thought of this")


def test_a_gate_that_breaks_is_no_refusal(job: Job) -> None:
    """It has an exit code of its own, does not let the agent start, and says whose fault it is."""
    job.tabstop.fault = broken
    assert job.run("gate", if_unreachable="allow", fail_on_refusal="false") == 4
    assert job.outputs == {"allowed": "false", "verdict": "unknown"}
    assert "nobody thought of this" in job.log
    golden.expect("action/gate-broke.md", job.page())


def test_a_bring_in_that_breaks_says_so(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red, because nobody's work hangs on it; the token is in no line."""

    def no_listing(*_: object) -> object:
        raise ArithmeticError("nobody thought of this")

    monkeypatch.setattr("action.bring_in_github.GithubArtifacts.newest", no_listing)
    assert job.run("bring-in", github_token="ghs_artifacts") == 4
    assert "ghs_artifacts" not in job.log
    golden.expect("action/bring-in-broke.md", job.page())


def test_bring_in_asks_the_api_the_runner_names(job: Job) -> None:
    """GitHub Enterprise has its own, below a path."""
    with ArtifactsApi(Shelf(), prefix="/api/v3") as api:
        job.environ["GITHUB_API_URL"] = api.url
        assert job.run("bring-in", github_token=TOKEN) == 0
    assert [request.path for request in api.asked] == ["/api/v3/repos/acme/widget/actions/artifacts?per_page=100"]
    assert "no report waits" in job.log


ISOLATED = """
import os, sys
sys.path.insert(0, {root!r})
for name in ("github", "requests", "urllib3", "nacl", "jwt", "cryptography"):
    sys.modules[name] = None  # importing it raises ModuleNotFoundError
from action.main import main
sys.exit(main())
"""


def isolated(job: Job, command: str) -> subprocess.CompletedProcess[str]:
    """A real process that has the standard library and nothing else, and a server that is not there."""
    given = {"COMMAND": command, "SERVER": "http://127.0.0.1:1", "GITHUB_TOKEN": "ghs_artifacts"}
    environ = {**job.environ, **{f"TABSTOP_INPUT_{name}": value for name, value in given.items()}}
    environ.pop("ACTIONS_ID_TOKEN_REQUEST_URL")
    return subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", ISOLATED.format(root=str(ROOT))],
        env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("command", "code", "said"), [
    ("gate", 2, "Tabstop%3A this job needs id-token"),
    ("settle", 0, "Tabstop%3A nothing to settle"),
])  # fmt: skip
def test_gate_and_settle_need_no_library(job: Job, command: str, code: int, said: str) -> None:
    """Where PyGithub cannot be imported they run all the same."""
    done = isolated(job, command)
    assert (done.returncode, done.stderr) == (code, "")
    assert said in done.stdout


def test_bring_in_without_its_library_says_what_is_missing(job: Job) -> None:
    """What could not be loaded, and what loads it, in place of a traceback."""
    done = isolated(job, "bring-in")
    assert (done.returncode, done.stderr) == (2, "")
    assert "ghs_artifacts" not in done.stdout
    golden.expect("action/bring-in-no-library.txt", done.stdout + (job.temp / "summary").read_text())


def test_another_command_is_told_what_there_is(job: Job) -> None:
    """The three commands are listed."""
    assert job.run("bring") == 2
    assert "allowed are gate, settle, bring-in" in job.said("error")[0].message


def test_bring_in_needs_a_token(job: Job) -> None:
    """An empty one is a problem, and one with a line break is never shown."""
    assert job.run("bring-in", github_token="") == 2
    assert "github-token: nothing given" in job.said("error")[0].message
    assert job.run("bring-in", github_token="ghs_one\nghs_two") == 2
    assert "ghs_" not in job.log


def test_a_world_hides_its_environment(job: Job) -> None:
    """It holds tokens, so printing it shows none."""
    world: World = job.world({"TABSTOP_INPUT_GITHUB_TOKEN": "ghs_artifacts", "SERVER": SERVER})
    assert "ghs_artifacts" not in repr(world)
