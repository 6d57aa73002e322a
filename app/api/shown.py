"""What a runner is told: job logs are a shared surface, so promise 12 holds there too."""

from __future__ import annotations

from app.registry import Repository
from tabstop.verdict import Verdict


def for_runner(verdict: Verdict, repository: Repository) -> Verdict:
    """The verdict as a job log may show it."""
    raise NotImplementedError(repository.private, verdict)
