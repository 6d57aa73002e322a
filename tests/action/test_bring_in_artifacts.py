"""What bring-in may expect of a repository's artifacts: the same of the fake and of PyGithub against a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from action.bring_in_artifacts import Artifact, Artifacts, ArtifactsError, NotAllowedError
from action.bring_in_github import GithubArtifacts
from tests.action.fake_artifacts import FakeArtifacts
from tests.support.artifacts_api import REPOSITORY, REPOSITORY_ID, ArtifactsApi, Shelf, hasty


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(params=["fake", "github.com", "GitHub Enterprise"])
def artifacts(request: pytest.FixtureRequest, shelf: Shelf) -> Iterator[Artifacts]:
    if request.param == "fake":
        yield FakeArtifacts(shelf)
        return
    prefix = "/api/v3" if request.param == "GitHub Enterprise" else ""
    with ArtifactsApi(shelf, prefix=prefix) as api, hasty(api) as client:
        yield GithubArtifacts(client, REPOSITORY)


def test_an_artifact_is_told_as_it_is(shelf: Shelf, artifacts: Artifacts) -> None:
    """The newest first, each with its size, its end, and whose run made it."""
    shelf.put("tabstop-spool-1", b"12345")
    shelf.put("from a fork", b"", expired=True, head_repository_id=77)
    shelf.put("of no run", b"", head_repository_id=None)
    of_no_run, fork, own = artifacts.newest(10)
    ends = datetime(2026, 12, 20, 9, 30, tzinfo=UTC)
    assert own == Artifact(900, "tabstop-spool-1", 5, False, ends, REPOSITORY_ID, REPOSITORY_ID)
    assert (fork.name, fork.expired, fork.head_repository) == ("from a fork", True, 77)
    assert (of_no_run.repository, of_no_run.head_repository) == (None, None)


def test_a_repository_without_artifacts(artifacts: Artifacts) -> None:
    """Nothing is no error."""
    assert artifacts.newest(10) == []


def test_more_than_a_page(shelf: Shelf, artifacts: Artifacts) -> None:
    """All pages are read, and no more than asked for."""
    for number in range(230):
        shelf.put(f"tabstop-spool-{number}", b"")
    assert [one.id for one in artifacts.newest(1000)] == list(range(1129, 899, -1))
    assert len(artifacts.newest(120)) == 120


def test_a_zip_comes_byte_for_byte(shelf: Shelf, artifacts: Artifacts) -> None:
    """Whatever its bytes are, up to the limit and not beyond."""
    content = bytes(range(256)) * 20
    shelf.put("tabstop-spool-1", content)
    [artifact] = artifacts.newest(10)
    assert artifacts.download(artifact, len(content)) == content
    with pytest.raises(ArtifactsError, match="longer than 5,119 bytes"):
        artifacts.download(replace(artifact, size=1), len(content) - 1)


def test_what_is_gone_cannot_be_downloaded(shelf: Shelf, artifacts: Artifacts) -> None:
    """Expired or deleted in between: an error that says so."""
    expired, deleted = shelf.put("one", b"x"), shelf.put("two", b"x")
    second, first = artifacts.newest(10)
    expired.expired = True
    del shelf.stored[deleted.id]
    with pytest.raises(ArtifactsError, match="HTTP 410: Artifact has expired"):
        artifacts.download(first, 10)
    with pytest.raises(ArtifactsError, match="HTTP 404"):
        artifacts.download(second, 10)


def test_deleted_is_gone(shelf: Shelf, artifacts: Artifacts) -> None:
    """And deleting what is gone is fine."""
    shelf.put("one", b"x")
    [artifact] = artifacts.newest(10)
    artifacts.delete(artifact)
    assert shelf.stored == {}
    artifacts.delete(artifact)


def test_a_token_that_may_not(shelf: Shelf, artifacts: Artifacts) -> None:
    """A missing permission is told apart from everything that passes."""
    shelf.may_list = False
    with pytest.raises(NotAllowedError, match="HTTP 403: Resource not accessible by integration"):
        artifacts.newest(10)
    with pytest.raises(NotAllowedError):
        artifacts.delete(Artifact(900, "one"))
