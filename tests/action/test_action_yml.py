"""action.yml as a runner runs it: real steps, a real process, a real issuer, a server behind a socket."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml

from action import bring_in, gate, main, settle
from tabstop.beside.spool import pending
from tabstop.beside.transport import Response
from tests.action.fake_tabstop import FakeTabstop, LoopbackTabstop, spent_tab, times
from tests.action.jobs import PULL_REQUEST
from tests.action.loopback_github import LoopbackGitHub
from tests.support.action_runner import ActionRun, ActionRunner
from tests.support.oidc_issuer import OidcIssuer, github_claims, github_context
from tests.support.samples import claude_case

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = github_claims(event_name="pull_request", pull_request=42, branch="claude/fix")


class Site:
    """One job on one runner, with a server and GitHub's identity service in reach."""

    def __init__(self, folder: Path, server: LoopbackTabstop, issuer: OidcIssuer) -> None:
        self.fake, self.address = server.fake, server.address
        self.runner = ActionRunner(ROOT, workspace=folder / "work" / "widget", runner_temp=folder / "temp")
        self.identity = issuer.begin_job(CLAIMS)
        self.exported: dict[str, str] = {}
        self.fake.identify = verified(issuer, self.address)

    def run(
        self, command: str, *, identity: bool = True, job_status: str = "success", api_url: str = "", **inputs: str
    ) -> ActionRun:
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        known = github_context(CLAIMS) | ({"api_url": api_url} if api_url else {})
        return self.runner.run(
            {"command": command, "server": self.address, "govern": "off", **given},
            github=known,
            event=PULL_REQUEST,
            env={**(self.identity if identity else {}), **self.exported},
            job_status=job_status,  # type: ignore[arg-type]
        )

    def play(self, name: str) -> None:
        """Let a captured session have run just now."""
        case = claude_case(name)
        case.lay_out(self.runner.home / ".claude", workspace=self.runner.workspace, began=datetime.now(UTC))
        for path in (self.runner.home / ".claude" / "projects").rglob("*.jsonl"):
            os.utime(path)
        case.write_execution_file(self.runner.runner_temp / "claude-execution-output.json")


def verified(issuer: OidcIssuer, audience: str) -> Callable[[str], str]:
    """Reads a token as the real server does: signature, issuer, audience; answers its `jti`."""
    keys = jwt.PyJWKClient(issuer.jwks_url)

    def identify(token: str) -> str:
        try:
            key = keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, ["RS256"], audience=audience, issuer=issuer.issuer)
        except jwt.PyJWTError as error:
            raise ValueError(str(error)) from error
        return str(claims["jti"])

    return identify


@pytest.fixture
def site(tmp_path: Path, oidc_issuer: OidcIssuer) -> Iterator[Site]:
    with LoopbackTabstop(FakeTabstop()) as server:
        yield Site(tmp_path, server, oidc_issuer)


def test_gate_agent_settle(site: Site) -> None:
    """The whole job: admitted with a token made out to this server, bound, settled, and shown on the job's page."""
    gate = site.run("gate", purpose="review")
    assert gate.outcome == "success", gate.log
    assert gate.outputs["allowed"] == "true"
    assert gate.outputs["claude_args"] == "--max-turns 200 --max-budget-usd 10"
    assert "session-token-s1" in gate.masks
    assert "session-token-s1" not in gate.log
    site.play("plain")
    settle = site.run("settle")
    assert settle.outcome == "success", settle.log
    known = site.fake.sessions["s1"]
    assert len(known.calls) == 5
    assert known.end is not None
    assert known.end.outcome == "finished"
    assert "claude-code finished" in settle.summary
    assert settle.artifacts == {}


def test_a_refused_gate_fails_the_job_and_settle_is_quiet(site: Site) -> None:
    """The step fails with the explained refusal; `if: always()` runs settle, which has nothing to do."""
    site.fake.decide = lambda _request: spent_tab()
    gate = site.run("gate")
    assert gate.outcome == "failure"
    assert gate.step("tabstop").exit == 1
    assert "$50.00 spent of $50.00" in gate.errors[0]
    assert "### Not started" in gate.summary
    settle = site.run("settle", job_status="failure")
    assert settle.outcome == "success"
    assert settle.summary == ""


def test_an_undelivered_report_becomes_an_artifact(site: Site) -> None:
    """The server goes away while the agent runs: the job stays green, the artifact holds the report, a later step brings it in."""
    site.run("gate")
    site.play("plain")
    site.fake.fault = times(999, Response(503, b"", 600))  # a pause too long to sit out
    settle = site.run("settle", job_status="cancelled")
    assert settle.outcome == "success", settle.log
    [artifact] = settle.artifacts.values()
    [left] = pending(artifact)
    assert left.undelivered is not None
    assert left.undelivered.session == "s1"
    site.fake.fault = lambda _route: None
    later = site.run("settle", spool=str(artifact))
    assert later.outcome == "success", later.log
    assert later.outputs["spool-left"] == "0"
    assert len(site.fake.sessions["s1"].calls) == 5


def test_while_the_server_is_away_the_jobs_own_token_asks_github(site: Site) -> None:
    """With nothing set, the organization's file is asked for with the job's token, and its `block` ends the step."""
    site.fake.fault = times(99, Response(503, b"", 600))  # a pause too long to sit out
    with LoopbackGitHub(200, b"server_unreachable: block\n") as github:
        gate = site.run("gate", api_url=github.url)
    assert gate.step("tabstop").exit == 3
    [(_, headers)] = github.seen
    assert headers["Authorization"] == "Bearer ghs_test"
    assert "ghs_test" not in gate.log


def test_a_token_for_somebody_else_is_not_accepted(site: Site) -> None:
    """The audience is part of the question: a token made out to another server is refused, and the step says why."""
    gate = site.run("gate", audience="https://other.example")
    assert gate.step("tabstop").exit == 2
    assert "identity token is not accepted" in gate.errors[0]


def test_no_identity_no_crash(site: Site) -> None:
    """Without `id-token: write` the step fails with the lines to add."""
    gate = site.run("gate", identity=False)
    assert gate.step("tabstop").exit == 2
    assert "id-token: write" in gate.errors[0]


def test_every_input_reaches_the_code_as_it_is(site: Site) -> None:
    """Values travel in the environment: quotes, dollars and backquotes in an input are text."""
    gate = site.run("gate", purpose="$(touch /tmp/x) `id` \"'; exit 7")
    assert gate.outcome == "success", gate.log
    assert site.fake.asked[0].request.purpose == "$(touch /tmp/x) `id` \"'; exit 7"


def definition() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
    return loaded


def test_every_input_is_handed_on() -> None:
    """Each input has its variable in the step, and no script holds an expression."""
    step = definition()["runs"]["steps"][0]
    for name in definition()["inputs"]:
        variable = "TABSTOP_INPUT_" + name.replace("-", "_").upper()
        assert step["env"][variable] == f"${{{{ inputs.{name} }}}}"
    assert "${{" not in step["run"]


def test_every_output_is_given_by_the_code() -> None:
    """An output that action.yml offers is set somewhere, and everything set can be read by a workflow."""
    code = "".join(path.read_text() for path in (ROOT / "action").glob("*.py"))
    given = set(re.findall(r'\.output\(\s*"([^"]+)"', code))
    assert given - {"spool-path"} == set(definition()["outputs"])


def test_documented_outputs_and_exit_codes() -> None:
    """docs/action.md names every output, and every code the commands end with."""
    text = (ROOT / "docs" / "action.md").read_text()
    missing = [name for name in definition()["outputs"] if f"| `{name}` |" not in text]
    assert not missing
    codes = {gate.ALLOWED, gate.REFUSED, gate.MISCONFIGURED, gate.AWAY, main.MISCONFIGURED, main.CRASHED}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == codes
    assert codes >= {settle.DONE, settle.AWAY, bring_in.DONE, bring_in.MISCONFIGURED, bring_in.AWAY}


START = [sys.executable, "-I", "-S", str(ROOT / "action" / "start.py")]


def test_it_starts_anywhere_without_anything_installed(tmp_path: Path) -> None:
    """Isolated Python, no site-packages, warnings as errors, an empty environment: the inputs are asked for, nothing else."""
    command = [START[0], "-W", "error", *START[1:]]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("::error title=Tabstop%3A inputs need a correction::")


def test_the_gate_loads_only_what_it_needs() -> None:
    """No reader of logs, no zone data, nothing third-party on the way to an answer."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import action.main, action.gate; "
        "print(*sorted(name for name in sys.modules if name.partition('.')[0] in ('tabstop', 'action', 'zoneinfo')))"
    )
    done = subprocess.run([*START[:3], "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    readers = ("transcript", "folder", "following", "execution_file", "rollout", "chats")
    assert not [name for name in loaded if name.rpartition(".")[2] in readers or name.startswith("action.settle")]


def test_an_old_python_is_told_what_to_do(tmp_path: Path) -> None:
    """The first file can be read by any Python 3, and its message gives the step to add."""
    text = (ROOT / "action" / "start.py").read_text().replace("OLDEST = (3, 11)", "OLDEST = (9, 9)")
    (tmp_path / "start.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path / "start.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "actions/setup-python" in done.stdout
    compile(text, "start.py", "exec", dont_inherit=True)
    assert "match " not in text
    assert ":=" not in text


def test_what_lies_in_the_workspace_is_not_imported(site: Site) -> None:
    """A repository with a file called `json.py` or a `tabstop` of its own does not change what the gate runs."""
    site.runner.workspace.mkdir(parents=True, exist_ok=True)
    for name in ("json.py", "tabstop.py", "sitecustomize.py"):
        (site.runner.workspace / name).write_text("raise SystemExit('taken over')")
    gate = site.run("gate")
    assert gate.outcome == "success", gate.log
    assert json.loads(gate.outputs["allowance"])["hold_usd"] == "2"


def test_settling_is_quick_to_notice_time(site: Site) -> None:
    """The gate's own clock is the machine's: what ran before it is not this session's."""
    case = claude_case("sonnet")
    before = datetime.now(UTC) - timedelta(hours=1)
    case.lay_out(site.runner.home / ".claude", workspace=site.runner.workspace, began=before)
    site.run("gate")
    site.run("settle")
    known = site.fake.sessions["s1"]
    assert known.calls == {}
    assert known.end is not None
    assert known.end.outcome == "not started"


def test_every_hint_leads_to_a_section() -> None:
    """The links under messages end at headings that docs/action.md has."""
    code = "".join(path.read_text() for path in (ROOT / "action").glob("*.py"))
    named = {
        "inputs", "permissions", "forks", "the-server-is-away", "not-accepted", "refused", "settle",
        "bringing-in-late-reports", "a-fault-in-tabstop",
    }  # fmt: skip
    assert [name for name in named if f'"{name}"' not in code] == []
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "action.md").read_text(), re.MULTILINE)
    assert named <= {heading.lower().replace(" ", "-") for heading in headings}
