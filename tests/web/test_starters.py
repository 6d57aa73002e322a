"""What `/setup` gives people to copy works as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.web.setup_state import is_local, starter
from tabstop.policy.document import PolicyKind
from tabstop.policy.effective import examine
from tests.house.source import ROOT


@pytest.mark.parametrize("kind", list(PolicyKind))
def test_the_policy_is_valid(kind: PolicyKind) -> None:
    """In a repository and in the organization's own."""
    assert examine(starter("policy.yml").encode(), kind).problems == ()


def test_the_workflow_fits_github_and_the_action(tmp_path: Path) -> None:
    """GitHub's schema accepts it, the action has every input it gives, and the gate every output it reads."""
    path = tmp_path / "agent.yml"
    path.write_text(starter("workflow.yml"), encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    steps = yaml.safe_load(starter("workflow.yml"))["jobs"]["agent"]["steps"]
    ours = [step for step in steps if "/tabstop@" in step["uses"]]
    assert [step["with"]["command"] for step in ours] == ["gate", "settle"]
    assert {key for step in ours for key in step["with"]} <= set(action["inputs"])
    read = re.findall(r"steps\.gate\.outputs\.([\w-]+)", starter("workflow.yml"))
    assert set(read) <= set(action["outputs"])


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8000", True),
        ("http://tabstop.localhost", True),
        ("http://127.0.0.9", True),
        ("http://[::1]:80", True),
        ("http://0.0.0.0:8000", True),
        ("https://tabstop.example.com", False),
        ("http://10.0.0.5", False),
        ("http://localhost.example.com", False),
    ],
)
def test_addresses_of_this_machine_only(url: str, local: bool) -> None:
    """An address in a private network may be right, for GitHub Enterprise Server; this machine's own never is."""
    assert is_local(url) is local
