"""What a caller is told: promise 12. A job log is read by everybody in the repository, a laptop by its engineer only."""

from __future__ import annotations

from app.registry import Engineer, Repository
from tabstop.policy.model import Policy
from tabstop.visibility import Reader, Surface


def job_log(repository: Repository, policy: Policy) -> Reader:
    """Whoever reads the log of a job in this repository."""
    return Reader(Surface.JOB_LOG, public=not repository.private, names=policy.slack.names)


def own_terminal(engineer: Engineer) -> Reader:
    """The engineer, by their own token."""
    return Reader(Surface.ENGINEER, login=engineer.login)
