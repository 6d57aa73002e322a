"""Pull requests from GitHub: what is asked, what is read, and that nothing the network does is more than a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from tabstop.beside import pull_requests
from tabstop.beside.known_places import KnownPlaces, keep_known_places, read_known_places
from tabstop.beside.pull_requests import GitHubAccess, ask, read_pull_request
from tabstop.beside.transport import NoAnswerError, Request, Response
from tabstop.report.facts import PullRequest


def row(number: int, **more: Any) -> dict[str, Any]:
    """A pull request of GitHub's REST API, as far as it is read."""
    found = {
        "number": number,
        "title": f"Change {number}",
        "state": "open",
        "draft": False,
        "html_url": f"https://github.com/acme/widget/pull/{number}",
        "merged_at": None,
        "closed_at": None,
        "head": {"ref": f"b{number}", "user": {"login": "acme"}, "repo": {"owner": {"login": "acme"}}},
        "base": {"repo": {"default_branch": "main"}},
    }
    return found | more


@dataclass
class FakeGitHub:
    """Answers as told, and remembers what it was asked."""

    answer: Callable[[Request], Response]
    asked: list[Request] = field(default_factory=list)

    def send(self, request: Request, timeout: float) -> Response:
        assert 0 < timeout <= 5
        self.asked.append(request)
        return self.answer(request)


def says(value: Any) -> Callable[[Request], Response]:
    return lambda _: Response(200, json.dumps(value).encode())


ACCESS = GitHubAccess("https://api.github.com", "secret")


def test_what_is_asked() -> None:
    """The newest of each repository in one request, with the token in a header and nowhere else."""
    github = FakeGitHub(says([row(41), row(42)]))
    told = ask(ACCESS, ["acme/widget", "acme/widget"], {}, github)
    [(asked, now, pulls)] = told.repositories
    assert (asked, now, [one.number for one in pulls]) == ("acme/widget", "acme/widget", [41, 42])
    assert told.problems == ()
    [request] = github.asked
    assert (
        request.url
        == "https://api.github.com/repos/acme/widget/pulls?state=all&sort=updated&direction=desc&per_page=100&page=1"
    )
    assert request.headers["Authorization"] == "Bearer secret"
    assert "secret" not in repr(ACCESS) + repr(request)


def test_pages_and_old_ones() -> None:
    """Three pages at most; an older pull request that an agent saw is asked for by its number, and may be missing."""

    def answer(request: Request) -> Response:
        if "page=" in request.url:
            page = int(request.url.rpartition("=")[2])
            return Response(200, json.dumps([row(1000 - page * 100 - n) for n in range(100)]).encode())
        alone = {"7": Response(200, json.dumps(row(7)).encode()), "9": Response(200, b"{}")}
        return alone.get(request.url.rpartition("/")[2], Response(404))

    github = FakeGitHub(answer)
    told = ask(ACCESS, ["acme/widget"], {"acme/widget": {7, 8, 9, 850}}, github)
    assert len(told.repositories[0].pull_requests) == 301
    assert [one.url.rpartition("/")[2] for one in github.asked[3:]] == ["9", "8", "7"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda _: Response(401),
            "GitHub does not know the token: no titles or states for acme/a, acme/b, acme/c and 1 more",
        ),
        (lambda _: Response(403), "The token may not read pull requests, or its hourly limit is reached"),
        (lambda _: Response(404), "The token does not see the repository"),
        (lambda _: Response(502), "GitHub answered 502"),
        (lambda _: Response(200, b"<html>"), "GitHub's answer could not be read"),
        (lambda _: Response(200, b"[" * 100_000), "GitHub's answer could not be read"),
    ],
)
def test_refusals(answer: Callable[[Request], Response], words: str) -> None:
    """One sentence for one reason, with the repositories it is about."""
    told = ask(ACCESS, ["acme/a", "acme/b", "acme/c", "acme/d"], {}, FakeGitHub(answer))
    assert told.repositories == ()
    [problem] = told.problems
    assert problem.startswith(words)


def moved(to: str, full_name: Any = "acme/gadget") -> Callable[[Request], Response]:
    """GitHub, when `acme/widget` was renamed: the old name is answered with where to ask."""

    def answer(request: Request) -> Response:
        path = request.url.removeprefix("https://api.github.com")
        if path.startswith("/repos/acme/widget/"):
            return Response(301, json.dumps({"message": "Moved Permanently", "url": to}).encode())
        if path == "/repositories/1234":
            return Response(200, json.dumps({"full_name": full_name}).encode())
        return Response(200, json.dumps(row(7) if path.endswith("/7") else [row(41)]).encode())

    return answer


PLACE = "https://api.github.com/repositories/1234"


@pytest.mark.parametrize("to", [PLACE, f"{PLACE}/pulls?state=all&page=1"])
def test_a_renamed_repository(to: str) -> None:
    """Its pull requests have the name it goes by now, those seen under the old one too."""
    github = FakeGitHub(moved(to))
    [(asked, now, pulls)] = ask(ACCESS, ["acme/widget"], {"acme/widget": {7}}, github).repositories
    assert (asked, now) == ("acme/widget", "acme/gadget")
    assert {(one.repository, one.number) for one in pulls} == {("acme/gadget", 41), ("acme/gadget", 7)}
    assert [one.url.removeprefix("https://api.github.com") for one in github.asked[1:2]] == ["/repositories/1234"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (moved("https://evil.example/repositories/1234"), "GitHub answered 301"),
        (moved("https://api.github.com.evil.example/repositories/1234"), "GitHub answered 301"),
        (moved("https://api.github.com/user"), "GitHub answered 301"),
        (lambda _: Response(301, b"[]"), "GitHub answered 301"),
        (lambda _: Response(301, b"{"), "GitHub's answer could not be read"),
        (
            lambda _: Response(301, json.dumps({"url": PLACE}).encode()),
            "GitHub says that it has moved, and not where to",
        ),
        (moved(PLACE, None), "GitHub says that it has moved, and not where to"),
        (moved(PLACE, "acme"), "GitHub says that it has moved, and not where to"),
    ],
)
def test_a_move_that_leads_nowhere(answer: Callable[[Request], Response], words: str) -> None:
    """The token goes to this GitHub only."""
    github = FakeGitHub(answer)
    [problem] = ask(ACCESS, ["acme/widget"], {}, github).problems
    assert problem.startswith(words)
    assert all(one.url.startswith("https://api.github.com/") for one in github.asked)


def test_no_network() -> None:
    """Said, and no more."""

    def nobody(_: Request) -> Response:
        raise NoAnswerError("no such name")

    assert ask(ACCESS, ["acme/a"], {}, FakeGitHub(nobody)).problems == (
        "GitHub did not answer (no such name): no titles or states for acme/a",
    )


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In time, and in repositories."""
    ticks = iter(range(0, 1000, 6))
    late = ask(ACCESS, ["acme/a"], {}, FakeGitHub(says([row(n) for n in range(100)])), lambda: float(next(ticks)))
    assert late.problems == ("GitHub took longer than 10 s: no titles or states for acme/a",)
    monkeypatch.setattr(pull_requests, "MOST_REPOSITORIES", 2)
    many = ask(ACCESS, ["acme/a", "acme/b", "acme/c"], {}, FakeGitHub(says([])))
    assert ([one.asked for one in many.repositories], len(many.problems)) == (["acme/a", "acme/b"], 1)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ("b41", "open", None)),
        ({"draft": True}, ("b41", "draft", None)),
        ({"state": "closed", "closed_at": "2026-11-10T00:00:00Z"}, ("b41", "closed", datetime(2026, 11, 10, tzinfo=UTC))),
        ({"state": "closed", "closed_at": "2026-11-10T00:00:00Z", "merged_at": "2026-11-10T00:00:00Z"}, ("b41", "merged", datetime(2026, 11, 10, tzinfo=UTC))),
        ({"head": {"ref": "x", "user": {"login": "me"}, "repo": {"owner": {"login": "me"}}}}, ("me:x", "open", None)),
        ({"head": {"ref": "x", "user": {"login": "me"}, "repo": None}}, ("me:x", "open", None)),
    ],
)  # fmt: skip
def test_reading(more: dict[str, Any], expected: tuple[str, str, datetime | None]) -> None:
    """State, head, and when it ended; a fork's head names its owner, even when the fork is deleted."""
    found = read_pull_request("acme/widget", row(41, **more))
    assert found is not None
    assert (found.branch, found.state, found.ended_at) == expected


@pytest.mark.parametrize(("more", "opened"), [({}, None), ({"created_at": "2026-11-09T08:00:00Z"}, 9)])
def test_when_it_was_opened(more: dict[str, str], opened: int | None) -> None:
    """By GitHub's clock."""
    found = read_pull_request("acme/widget", row(41, **more))
    assert found is not None
    assert found.opened_at == (opened and datetime(2026, 11, opened, 8, tzinfo=UTC))


@pytest.mark.parametrize(
    "broken", [None, [], {}, {"number": 1}, row(1, head=None), row(1, closed_at="soon"), row(1) | {"number": "x"}, "x"]
)
def test_what_is_no_pull_request(broken: Any) -> None:
    """Is left out."""
    assert read_pull_request("acme/widget", broken) is None


@pytest.mark.parametrize(
    ("environ", "api"),
    [
        ({}, None),
        ({"GH_TOKEN": " "}, None),
        ({"GITHUB_TOKEN": "a"}, "https://api.github.com"),
        ({"GITHUB_TOKEN": "a", "GITHUB_API_URL": "https://github.acme.com/api/v3/"}, "https://github.acme.com/api/v3"),
        ({"GITHUB_TOKEN": "a", "GITHUB_API_URL": "http://evil.example"}, None),
        ({"GITHUB_TOKEN": "a", "GITHUB_API_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
    ],
)
def test_whose_token(environ: dict[str, str], api: str | None) -> None:
    """A token is never sent in the clear."""
    found = GitHubAccess.from_environ(environ)
    assert (found.api if found else None) == api


def test_gh_token_comes_first() -> None:
    """As `gh` has it."""
    found = GitHubAccess.from_environ({"GH_TOKEN": "b", "GITHUB_TOKEN": "a"})
    assert found is not None
    assert found.token == "b"


def test_what_was_learned_is_kept(tmp_path: Any) -> None:
    """Folders and pull requests; a broken or missing file is as good as none, and a full disk hurts nobody."""
    path = tmp_path / "new" / "places.json"
    places = read_known_places(path)
    assert places.learn({"/a": "acme/a"})
    assert not places.learn({"/a": "acme/a"})
    places.pull_requests["acme/a"] = [PullRequest("acme/a", 1, "b", ended_at=datetime(2026, 11, 10, tzinfo=UTC))]
    places.asked["acme/a"] = 1_000
    keep_known_places(path, places)
    assert read_known_places(path) == places
    assert path.stat().st_mode & 0o777 == 0o600
    assert places.is_fresh("acme/a", 1_299)
    assert not places.is_fresh("acme/a", 1_300)
    assert not places.is_fresh("acme/a", 999)
    assert not places.is_fresh("acme/b", 100)
    path.write_bytes(b"{")
    assert read_known_places(path) == KnownPlaces()
    keep_known_places(None, places)
    keep_known_places(path / "below" / "a-file", places)


def test_a_name_of_before_may_be_anothers_by_now() -> None:
    """What GitHub tells last counts."""
    one = PullRequest("acme/gadget", 1, "b")
    places = KnownPlaces(pull_requests={"acme/widget": [PullRequest("acme/widget", 1, "b")]})
    places.hear("Acme/Widget", "acme/gadget", [one], 1_000)
    assert (places.names, places.pull_requests) == ({"acme/widget": "acme/gadget"}, {"acme/gadget": [one]})
    assert places.is_fresh("acme/widget", 1_000)
    assert places.is_fresh("acme/gadget", 1_000)
    other = PullRequest("acme/widget", 2, "c")
    places.hear("acme/widget", "acme/widget", [other], 2_000)
    assert (places.names, places.pull_requests) == ({}, {"acme/gadget": [one], "acme/widget": [other]})


def test_folders_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones first."""
    monkeypatch.setattr("tabstop.beside.known_places.MOST_FOLDERS", 2)
    places = KnownPlaces()
    places.learn({"/a": "x/a", "/b": "x/b", "/c": "x/c"})
    assert list(places.folders) == ["/b", "/c"]
