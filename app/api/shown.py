"""What a runner is told: job logs are a shared surface, so promise 12 holds there too."""

from __future__ import annotations

from app.registry import Repository
from tabstop.policy.model import Policy
from tabstop.verdict import Verdict
from tabstop.visibility import Reader, Surface, verdict_for


def for_runner(verdict: Verdict, repository: Repository, policy: Policy) -> Verdict:
    """The verdict as the log of a job in this repository may show it."""
    return verdict_for(verdict, Reader(Surface.JOB_LOG, public=not repository.private, names=policy.slack.names))
