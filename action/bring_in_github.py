"""Artifacts on GitHub, through PyGithub. The only module of the action that needs it, loaded by bring-in alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import requests
from github import Auth, BadAttributeException, Github, GithubException, GithubRetry, RateLimitExceededException
from github.Artifact import Artifact as Listed

from action.bring_in_artifacts import Artifact, ArtifactsError, NotAllowedError
from tabstop.beside.transport import NoAnswerError, Request, UrllibTransport

TIMEOUT = 15
"""Seconds of GitHub's silence."""

DOWNLOAD_TIMEOUT = 60.0

RETRIES = 3
LONGEST_WAIT = 60
"""Seconds a rate limit is sat out for: the job that waits costs minutes too, and the next run comes."""

_GONE = frozenset({404, 410})


def connect(api: str, token: str) -> Github:
    """PyGithub as bring-in uses it. api: `GITHUB_API_URL`, which GitHub Enterprise has at an address of its own."""
    return Github(
        base_url=api,
        auth=Auth.Token(token),
        user_agent="tabstop-action",
        timeout=TIMEOUT,
        per_page=100,
        lazy=True,  # a repository is named, not fetched: the token needs no right to read it
        retry=GithubRetry(
            total=RETRIES, backoff_factor=1, max_rate_limit_wait=LONGEST_WAIT, retry_after_max=LONGEST_WAIT
        ),
    )


class GithubArtifacts:
    """See `Artifacts`. Source: docs.github.com, REST API endpoints for GitHub Actions artifacts."""

    def __init__(self, client: Github, repository: str) -> None:
        """repository: `owner/name`."""
        self._requester = client.requester
        self._url = f"/repos/{repository}/actions/artifacts"
        self._repository = client.get_repo(repository)

    def newest(self, count: int) -> list[Artifact]:
        """See `Artifacts.newest`."""
        with _translated():
            return [_read(listed) for listed in islice(self._repository.get_artifacts(), count)]

    def download(self, artifact: Artifact, longest: int) -> bytes:
        """See `Artifacts.download`.

        GitHub answers with a signed address at a host for blobs, good for a minute. PyGithub follows a redirect to its own
        hosts only, and reads an answer of any length; so the address is read here, without the token.
        """
        with _translated():
            headers, _ = self._requester.requestJsonAndCheck("GET", f"{self._url}/{artifact.id}/zip")
            address = str(headers.get("location", ""))
            fetchable = _fetchable(address, urlsplit(self._requester.base_url).scheme)
        if not fetchable:
            raise ArtifactsError("GitHub named no address to download it from")
        request = Request("GET", address, {"User-Agent": "tabstop-action"})
        try:
            answer = UrllibTransport(longest + 1).send(request, DOWNLOAD_TIMEOUT)
        except NoAnswerError as error:
            raise ArtifactsError(f"it could not be downloaded: {error}") from None
        if answer.status != 200:
            raise ArtifactsError(f"it could not be downloaded: HTTP {answer.status}")
        if len(answer.body) > longest:
            raise ArtifactsError(f"it is longer than {longest:,} bytes")
        return answer.body

    def delete(self, artifact: Artifact) -> None:
        """See `Artifacts.delete`."""
        # PyGithub's own `Artifact.delete` answers only whether it worked.
        with _translated(gone_is_fine=True):
            self._requester.requestJsonAndCheck("DELETE", f"{self._url}/{artifact.id}")


def _read(listed: Listed) -> Artifact:
    # `listed.workflow_run` would ask GitHub again for each field that the listing leaves out.
    run = listed.raw_data.get("workflow_run")
    run = run if isinstance(run, dict) else {}
    return Artifact(
        id=listed.id,
        name=listed.name,
        size=listed.size_in_bytes or 0,
        expired=bool(listed.expired),
        expires_at=listed.expires_at,
        repository=_id(run, "repository_id"),
        head_repository=_id(run, "head_repository_id"),
    )


def _id(run: dict[str, Any], name: str) -> int | None:
    found = run.get(name)
    return found if isinstance(found, int) else None


def _fetchable(address: str, scheme: str) -> bool:
    """An absolute address, not less protected than GitHub's own, that can be sent as it is."""
    if not address.isascii() or not address.isprintable() or " " in address:
        return False
    parts = urlsplit(address)
    return bool(parts.hostname) and parts.scheme in {"https", scheme}


@contextmanager
def _translated(*, gone_is_fine: bool = False) -> Iterator[None]:
    """PyGithub's errors, and those of what it stands on, as ours."""
    try:
        yield
    except GithubException as error:
        if gone_is_fine and error.status in _GONE:
            return
        raise (NotAllowedError if _refused(error) else ArtifactsError)(_said(error)) from error
    except requests.exceptions.RetryError as error:
        raise ArtifactsError(f"GitHub answered with errors or a rate limit, {RETRIES + 1} times") from error
    except requests.RequestException as error:
        raise ArtifactsError(f"GitHub could not be reached ({type(error).__name__})") from error
    # A host it does not trust is an AssertionError, a moved one a RuntimeError, an answer of another form any of the rest.
    except (
        AssertionError,
        RuntimeError,
        BadAttributeException,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
    ) as error:
        raise ArtifactsError(f"GitHub's answer is not in its usual form ({type(error).__name__})") from error


def _refused(error: GithubException) -> bool:
    return error.status in {401, 403, 404} and not isinstance(error, RateLimitExceededException)


def _said(error: GithubException) -> str:
    said = error.data.get("message") if isinstance(error.data, dict) else ""
    return f"GitHub answered HTTP {error.status}" + (f": {said}" if isinstance(said, str) and said else "")
