"""The job this step runs in, as its runner tells: where the work lies, and how far its word goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_EVENT = 32 * 1024 * 1024
"""Bytes; GitHub sends no payload above 25 MB."""


@dataclass(frozen=True, slots=True)
class Job:
    """Claims, all of them: the server proves what counts by the token and through the API.

    branch, head_sha: of the work, never of a test merge commit; empty where the event does not know them (a comment).
    low_trust: GitHub gives this run no identity: a pull request of a fork, or Dependabot's.
    public: whether anybody can read what the job leaves behind; True when the event does not tell.
    run_id, run_attempt: which run of the workflow this is, as GitHub numbers them.
    """

    repository: str = ""
    event: str = ""
    branch: str = ""
    head_sha: str = ""
    pull_request: int | None = None
    low_trust: bool = False
    public: bool = True
    status: str = ""
    run_id: str = ""
    run_attempt: str = ""


def job_of(environ: Mapping[str, str]) -> Job:
    """Read the runner's variables and the event's payload; what is missing or broken is left empty."""
    payload = _payload(environ.get("GITHUB_EVENT_PATH", ""))
    repository = environ.get("GITHUB_REPOSITORY", "")
    branch, sha, number = _work(environ, payload)
    about = _map(payload, "repository")
    return Job(
        repository=repository,
        event=environ.get("GITHUB_EVENT_NAME", ""),
        branch=branch,
        head_sha=sha,
        pull_request=number,
        low_trust=_low_trust(environ, payload, repository),
        public=about.get("private") is not True,
        status=environ.get("TABSTOP_JOB_STATUS", ""),
        run_id=environ.get("GITHUB_RUN_ID", ""),
        run_attempt=environ.get("GITHUB_RUN_ATTEMPT", ""),
    )


def _work(environ: Mapping[str, str], payload: Mapping[str, Any]) -> tuple[str, str, int | None]:
    """Branch, head and pull request of the work, by what kind of event it was."""
    pull = _map(payload, "pull_request")
    if pull:
        head = _map(pull, "head")
        return _text(head, "ref"), _text(head, "sha"), _number(pull)
    issue = _map(payload, "issue")
    if issue:
        # A comment's run sees the default branch; which branch the pull request has, the server asks GitHub.
        return "", "", _number(issue) if "pull_request" in issue else None
    run = _map(payload, "workflow_run")
    if run:
        pulls = run.get("pull_requests")
        first = pulls[0] if isinstance(pulls, list) and len(pulls) == 1 and isinstance(pulls[0], dict) else {}
        return _text(run, "head_branch"), _text(run, "head_sha"), _number(first)
    if environ.get("GITHUB_REF_TYPE") == "branch" and environ.get("GITHUB_REF", "").startswith("refs/heads/"):
        return environ.get("GITHUB_REF_NAME", ""), environ.get("GITHUB_SHA", ""), None
    return "", "", None


def _low_trust(environ: Mapping[str, str], payload: Mapping[str, Any], repository: str) -> bool:
    """Forks' and Dependabot's pull requests get no identity (docs.github.com, GITHUB_TOKEN reference)."""
    pull = _map(payload, "pull_request")
    if not pull:
        return False
    if environ.get("GITHUB_ACTOR") == "dependabot[bot]":
        return True
    # A deleted fork leaves `head.repo` null.
    return _text(_map(_map(pull, "head"), "repo"), "full_name").lower() != repository.lower()


def _payload(path: str) -> Mapping[str, Any]:
    try:
        with Path(path).open("rb") as stream:
            data = json.loads(stream.read(LONGEST_EVENT))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _map(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) and len(found) <= 255 else ""


def _number(value: Mapping[str, Any]) -> int | None:
    found = value.get("number")
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None
