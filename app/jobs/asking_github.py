"""Asking GitHub from a job: whose installation it is, and what a refusal means for the job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.github_api.protocol import GitHubError, GitHubInstallation
from app.registry import Organization
from app.world import GiveUpError, RetryLaterError, World


@contextmanager
def asking_github() -> Iterator[None]:
    """Turn `GitHubError` into the outbox's words: again after the time GitHub names, or never. Also a decorator."""
    try:
        yield
    except GitHubError as error:
        if error.retry_after is None:
            raise GiveUpError(str(error)) from error
        raise RetryLaterError(str(error), error.retry_after) from error


def installed(world: World, organization: Organization) -> GitHubInstallation | None:
    """GitHub as the organization's installation sees it; None while it is uninstalled or suspended."""
    if not organization.active or organization.installation_id is None:
        return None
    return world.github.installation(organization.installation_id)
