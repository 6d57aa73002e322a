"""A repository's artifacts in memory, for tests of bring-in; keeps the same promises as PyGithub's edge."""

from __future__ import annotations

from collections.abc import Callable

from action.bring_in_artifacts import Artifact, ArtifactsError, NotAllowedError
from tests.support.artifacts_api import REPOSITORY_ID, Shelf


class FakeArtifacts:
    """See `Artifacts`. fault: takes `newest`, `download` or `delete`, and may raise `ArtifactsError`; `did` keeps what was asked."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.fault: Callable[[str], None] = lambda _what: None
        self.did: list[str] = []

    def newest(self, count: int) -> list[Artifact]:
        self._ask("newest")
        stored = sorted(self.shelf.stored.values(), key=lambda one: -one.id)[:count]
        return [
            Artifact(
                one.id,
                one.name,
                len(one.content),
                one.expired,
                one.expires_at,
                None if one.head_repository_id is None else REPOSITORY_ID,
                one.head_repository_id,
            )
            for one in stored
        ]

    def download(self, artifact: Artifact, longest: int) -> bytes:
        self._ask("download", artifact.name)
        stored = self.shelf.stored.get(artifact.id)
        if stored is None:
            raise NotAllowedError("GitHub answered HTTP 404: Not Found")
        if stored.expired:
            raise ArtifactsError("GitHub answered HTTP 410: Artifact has expired")
        if len(stored.content) > longest:
            raise ArtifactsError(f"it is longer than {longest:,} bytes")
        return stored.content

    def delete(self, artifact: Artifact) -> None:
        self._ask("delete", artifact.name)
        self.shelf.stored.pop(artifact.id, None)

    def _ask(self, what: str, name: str = "") -> None:
        self.did.append(f"{what} {name}".strip())
        self.fault(what)
        if not self.shelf.may_list:
            raise NotAllowedError("GitHub answered HTTP 403: Resource not accessible by integration")
