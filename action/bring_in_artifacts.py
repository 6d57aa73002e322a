"""A repository's artifacts as bring-in needs them: what one is, who lists, reads and deletes them, and what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact of a workflow run.

    size: bytes of its zip, as GitHub says. expires_at: when GitHub deletes it; None when it does not say.
    repository, head_repository: ids of the repository it lies in and of the one whose commit the run was for; they differ
    in runs of a fork's pull request. None when GitHub does not say.
    """

    id: int
    name: str
    size: int = 0
    expired: bool = False
    expires_at: datetime | None = None
    repository: int | None = None
    head_repository: int | None = None


class ArtifactsError(Exception):
    """GitHub did not do what was asked; the text says why, and holds no token and no signed address."""


class NotAllowedError(ArtifactsError):
    """The token may not do it: doing it again does not help."""


class Artifacts(Protocol):
    """The artifacts of one repository. Every method raises `ArtifactsError`."""

    def newest(self, count: int) -> list[Artifact]:
        """At most so many, as GitHub lists them: the newest first."""
        ...

    def download(self, artifact: Artifact, longest: int) -> bytes:
        """Its zip. One of more than `longest` bytes is an error."""
        ...

    def delete(self, artifact: Artifact) -> None:
        """Delete it. One that is gone already is no error."""
        ...
