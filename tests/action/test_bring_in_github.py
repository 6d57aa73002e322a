"""PyGithub's edge: where the token goes and where not, what is retried, and how errors read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from action.bring_in_artifacts import Artifact, ArtifactsError, NotAllowedError
from action.bring_in_github import GithubArtifacts, connect
from tests.support.artifacts_api import REPOSITORY, TOKEN, Answer, ArtifactsApi, Shelf, hasty, said

SPOOL = Artifact(900, "tabstop-spool-1")


@pytest.fixture
def api() -> Iterator[ArtifactsApi]:
    shelf = Shelf()
    shelf.put("tabstop-spool-1", b"zip")
    with ArtifactsApi(shelf) as api:
        yield api


@pytest.fixture
def artifacts(api: ArtifactsApi) -> Iterator[GithubArtifacts]:
    with hasty(api) as client:
        yield GithubArtifacts(client, REPOSITORY)


def test_the_token_does_not_follow_the_redirect(
    api: ArtifactsApi, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """GitHub gets it; the host of the zip gets neither it nor what a `.netrc` of the runner holds for that host."""
    home = tmp_path_factory.mktemp("home")
    (home / ".netrc").write_text("machine 127.0.0.1 login me password from-netrc\n")
    monkeypatch.setenv("HOME", str(home))
    with connect(api.url, TOKEN) as client:
        assert GithubArtifacts(client, REPOSITORY).download(SPOOL, 10) == b"zip"
    assert [request.headers["authorization"] for request in api.asked] == [f"token {TOKEN}"]
    [fetched] = api.fetched
    assert fetched.path == "/blob/900?sig=signed-for-a-minute"
    assert set(fetched.headers) == {"accept-encoding", "connection", "host", "user-agent"}
    assert TOKEN not in str(fetched)


def test_nothing_but_artifacts_is_asked_for(api: ArtifactsApi) -> None:
    """A token with `actions: write` alone is enough: the repository itself is not read."""
    with connect(api.url, TOKEN) as client:
        GithubArtifacts(client, REPOSITORY).newest(10)
    assert [request.path for request in api.asked] == [f"/repos/{REPOSITORY}/actions/artifacts?per_page=100"]
    assert api.asked[0].headers["user-agent"] == "tabstop-action"


def test_a_passing_fault_and_a_short_limit_are_sat_out(api: ArtifactsApi) -> None:
    """PyGithub's own retries: an error of GitHub's, then a limit that names its end."""
    faults = [said(502, "Server Error"), said(403, "You have exceeded a secondary rate limit.", Retry_After="0")]
    api.fault = lambda _method, _path: faults.pop(0) if faults else None
    with connect(api.url, TOKEN) as client:
        assert len(GithubArtifacts(client, REPOSITORY).newest(10)) == 1
    assert len(api.asked) == 3


def test_a_fault_that_stays_is_given_up(api: ArtifactsApi) -> None:
    """After the retries it is an error like any other that passes."""
    api.fault = lambda _method, _path: said(502, "Server Error")
    with hasty(api, retries=2) as client, pytest.raises(ArtifactsError, match="errors or a rate limit") as caught:
        GithubArtifacts(client, REPOSITORY).newest(10)
    assert not isinstance(caught.value, NotAllowedError)
    assert len(api.asked) == 3


def test_a_long_limit_is_not(api: ArtifactsApi) -> None:
    """An hour of waiting costs an hour of a runner; the next run comes. It is no missing permission."""
    limited = said(403, "API rate limit exceeded for installation.", X_RateLimit_Reset="99999999999")
    api.fault = lambda _method, _path: limited
    with (
        connect(api.url, TOKEN) as client,
        pytest.raises(ArtifactsError, match="HTTP 403: API rate limit") as caught,
    ):
        GithubArtifacts(client, REPOSITORY).newest(10)
    assert not isinstance(caught.value, NotAllowedError)
    assert len(api.asked) == 1


NOT_ALLOWED = [
    (said(401, "Bad credentials"), "HTTP 401: Bad credentials"),
    (said(404, "Not Found"), "HTTP 404: Not Found"),
    (Answer(403, b"<html>no</html>"), "HTTP 403"),
]


@pytest.mark.parametrize(("answer", "text"), NOT_ALLOWED)
def test_a_refusal_in_githubs_words(api: ArtifactsApi, artifacts: GithubArtifacts, answer: Answer, text: str) -> None:
    """Not allowed, in what the API said."""
    api.fault = lambda _method, _path: answer
    with pytest.raises(NotAllowedError, match=text):
        artifacts.newest(10)


@pytest.mark.parametrize(
    "answer",
    [
        said(500, "Server Error"),
        Answer(200, b"{"),
        Answer(200, b"<html>login</html>"),
        Answer(200, b'{"artifacts": [7]}'),
        Answer(200, b'{"artifacts": [{"id": "x", "name": 3}]}'),
        Answer(200, b'{"artifacts": [{"id": 1, "name": "x", "expires_at": "soon"}]}'),
        Answer(301, headers={"Location": "https://elsewhere.example/api"}),
    ],
)
def test_an_answer_that_is_none(api: ArtifactsApi, artifacts: GithubArtifacts, answer: Answer) -> None:
    """A proxy's page, half an answer, another form: one kind of error, whatever PyGithub makes of it."""
    api.fault = lambda _method, _path: answer
    with pytest.raises(ArtifactsError) as caught:
        artifacts.newest(10)
    assert not isinstance(caught.value, NotAllowedError)


def test_nobody_there() -> None:
    """No connection is an error without the address of anything."""
    with ArtifactsApi(Shelf()) as api, hasty(api) as client:
        artifacts = GithubArtifacts(client, REPOSITORY)
    with pytest.raises(ArtifactsError, match=r"could not be reached \(ConnectionError\)"):
        artifacts.newest(10)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "/blob/900",
        "ftp://127.0.0.1/blob",
        "file:///etc/passwd",
        "https://",
        "https://[::1",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\u00e9",
    ],
)
def test_an_address_that_is_none(api: ArtifactsApi, artifacts: GithubArtifacts, location: str) -> None:
    """Only a whole address with the web's schemes is fetched; none of its text is repeated."""
    api.fault = lambda _method, _path: Answer(302, headers={"Location": location})
    with pytest.raises(ArtifactsError, match=r"named no address to download it from$|not in its usual form \(\w+\)$"):
        artifacts.download(SPOOL, 10)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(403, b"<Error>AuthenticationFailed</Error>"), "HTTP 403"),
        (Answer(302, headers={"Location": "http://127.0.0.1:9/"}), "HTTP 302"),
        (Answer(204), "HTTP 204"),
    ],
)
def test_a_host_of_zips_that_does_not_give_it(
    api: ArtifactsApi, artifacts: GithubArtifacts, answer: Answer, text: str
) -> None:
    """Its status is told, its signed address is not, and no further redirect is followed."""
    api.blob_fault = lambda _method, _path: answer
    with pytest.raises(ArtifactsError, match=f"^it could not be downloaded: {text}$"):
        artifacts.download(SPOOL, 10)


def test_a_host_of_zips_that_is_away(api: ArtifactsApi, artifacts: GithubArtifacts) -> None:
    """The same, in the words of the connection."""
    api.fault = lambda _method, _path: Answer(302, headers={"Location": "http://127.0.0.1:1/blob?sig=secret"})
    with pytest.raises(ArtifactsError, match="could not be downloaded: Connection refused") as caught:
        artifacts.download(SPOOL, 10)
    assert "secret" not in repr(caught.value)
