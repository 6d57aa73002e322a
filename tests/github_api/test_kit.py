"""githubkit against recorded answers: what the emulator cannot play: limits, pages, tokens, broken credentials."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise

import pytest
from githubkit_schemas.latest.models import ReposOwnerRepoCheckRunsPostBodyOneof0 as CheckBody

from app.github_api.checks import body_of
from app.github_api.kit import KitApp
from app.github_api.pace import Pace
from app.github_api.protocol import Annotation, CheckRun, GitHubError
from tests.github_api.recorded import NOW, Recorded

PULL = "GET /repos/acme/widget/pulls/1"
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}


def refused(recorded: Recorded) -> GitHubError:
    with pytest.raises(GitHubError) as caught:
        recorded.app(now=lambda: NOW).installation(1).pull_request("acme/widget", 1)
    return caught.value


@pytest.mark.parametrize(
    ("status", "headers", "body", "retry_after"),
    [
        (429, {"retry-after": "7"}, {}, 7),
        (429, {}, {}, 60),
        (403, {"retry-after": "90"}, SECONDARY, 90),
        (403, {}, SECONDARY, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 600)}, {}, 600),
        (403, {"x-ratelimit-remaining": "0"}, {}, 60),
        (403, {"x-ratelimit-remaining": "4999"}, {"message": "Resource not accessible by integration"}, None),
        (403, {}, {"message": "This installation has been suspended"}, None),
        (422, {}, {"message": "Validation Failed"}, None),
        (401, {}, {"message": "Bad credentials"}, 300),
        (500, {}, {}, 30),
        (502, {}, {}, 30),
    ],
)
def test_a_refusal_says_when_to_ask_again(
    status: int, headers: dict[str, str], body: dict[str, str], retry_after: int | None
) -> None:
    """Retry-After, else the end of the hour, else a minute; and not at all where asking again cannot help."""
    error = refused(Recorded({PULL: (status, body, headers)}))
    assert (error.status, error.retry_after) == (status, retry_after)


def test_while_limited_nobody_asks() -> None:
    """The limit is the installation's: after one refusal no job asks before its end, and then all go on."""
    recorded = Recorded({PULL: [(403, SECONDARY, {"retry-after": "90"}), (404, {})]})
    clock = [NOW]
    installation = recorded.app(now=lambda: clock[0]).installation(1)
    with pytest.raises(GitHubError):
        installation.pull_request("acme/widget", 1)
    asked = len(recorded.asked)
    clock[0] += timedelta(seconds=60)
    with pytest.raises(GitHubError, match="rate limit") as caught:
        installation.repository("acme/widget")
    assert (caught.value.retry_after, len(recorded.asked)) == (30, asked)
    clock[0] += timedelta(seconds=30)
    assert installation.pull_request("acme/widget", 1) is None


def test_a_refusal_names_what_was_asked_and_said() -> None:
    """`doctor` shows this sentence."""
    error = refused(Recorded({PULL: (403, {"message": "Resource not accessible by integration"})}))
    assert str(error) == (
        "GitHub answered 403 to GET /repos/acme/widget/pulls/1: Resource not accessible by integration"
    )


def test_broken_credentials_say_where_to_get_them() -> None:
    """Before `/setup` there is no App; every call says so, and works once there is one."""
    with pytest.raises(GitHubError, match="/setup") as caught:
        KitApp("", "").app()
    assert caught.value.retry_after == 300


def test_an_expired_token_is_renewed_once() -> None:
    """A token GitHub no longer takes is replaced; the call goes through."""
    recorded = Recorded({"GET /repos/acme/widget": [(401, {"message": "Bad credentials"}), (404, {})]})
    assert recorded.app().installation(1).repository("acme/widget") is None
    assert recorded.tokens == 2


def test_one_token_for_many_threads() -> None:
    """Sixteen threads with no token yet make one, not sixteen; a token about to end is renewed."""
    recorded = Recorded({"GET /repos/acme/widget": (404, {})})
    app = recorded.app()
    threads = [
        threading.Thread(target=lambda: app.installation(1).repository("acme/widget"), daemon=True) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (recorded.tokens, len(recorded.asked)) == (1, 16)
    short = Recorded({"GET /repos/acme/widget": (404, {})}, token_life=timedelta(minutes=4))
    again = short.app().installation(1)
    for _ in range(2):
        again.repository("acme/widget")
    assert short.tokens == 2


def test_pages_are_followed() -> None:
    """All pages of a list, by the `Link` header, also below the path of an Enterprise Server."""
    first = {"link": '<https://ghes.example/api/v3/installation/repositories?per_page=100&page=2>; rel="next"'}
    pages = [
        (200, {"repositories": [{"id": 1, "full_name": "acme/a"}]}, first),
        (200, {"repositories": [{"id": 2, "full_name": "acme/b", "private": False}]}),
    ]
    recorded = Recorded({"GET /api/v3/installation/repositories": pages})  # type: ignore[dict-item]
    found = list(recorded.app("https://ghes.example/api/v3").installation(1).repositories())
    assert [(r.github_id, r.full_name, r.default_branch, r.private) for r in found] == [
        (1, "acme/a", "main", True),
        (2, "acme/b", "main", False),
    ]
    assert [r.url.query for r in recorded.asked] == [b"per_page=100", b"per_page=100&page=2"]


def test_suspended_installations_are_left_out() -> None:
    """A suspended installation cannot be asked anything."""
    recorded = Recorded(
        {
            "GET /app/installations": (
                200,
                [
                    {"id": 1, "account": {"id": 10, "login": "acme"}, "suspended_at": None},
                    {"id": 2, "account": {"id": 20, "login": "gone"}, "suspended_at": "2026-11-01T00:00:00Z"},
                ],
            )
        }
    )
    assert recorded.app().installations() == [(1, 10, "acme")]


def test_a_deleted_fork_keeps_its_owner() -> None:
    """GitHub answers `null` for the repository and the author of what was deleted."""
    body = {
        "number": 1,
        "title": "x",
        "state": "closed",
        "merged_at": "2026-11-21T00:00:00Z",
        "head": {"sha": "a", "ref": "fix", "label": "mallory:fix", "repo": None, "user": None},
        "base": {"ref": "main"},
        "user": None,
        "updated_at": "2026-11-21T00:00:00.123Z",
    }
    found = Recorded({PULL: (200, body)}).app().installation(1).pull_request("acme/widget", 1)
    assert found is not None
    assert (found.state, found.head_owner, found.head_repository_id, found.author_id) == (
        "merged",
        "mallory",
        None,
        None,
    )


@pytest.mark.parametrize(
    "contents",
    [[{"type": "file", "name": "a"}], {"type": "symlink", "encoding": None}, {"type": "file", "encoding": "none"}],
    ids=["folder", "link", "too large"],
)
def test_what_is_no_file_is_not_absent(contents: object) -> None:
    """Promise 6: unreadable is not absent."""
    recorded = Recorded(
        {
            "GET /repos/acme/widget/commits": (200, [{"sha": "c0ffee"}]),
            "GET /repos/acme/widget/contents/.github/tabstop.yml": (200, contents),
        }
    )
    with pytest.raises(GitHubError) as caught:
        recorded.app().installation(1).file("acme/widget", ".github/tabstop.yml", "")
    assert caught.value.retry_after is None


@pytest.mark.parametrize("commits", [(200, []), (409, {"message": "Git Repository is empty."}), (404, {})])
def test_a_file_that_never_was_is_absent(commits: tuple[int, object]) -> None:
    """No commit touched it, or there is no commit at all."""
    recorded = Recorded({"GET /repos/acme/widget/commits": commits})
    assert recorded.app().installation(1).file("acme/widget", ".github/tabstop.yml", "") is None


def test_failed_deliveries_are_told_by_guid() -> None:
    """Only what no attempt delivered, once, newest attempt, time-outs too; not what was tried too often or long ago."""
    hour = timedelta(hours=1)

    def listed(number: int, guid: str, status: str, age: timedelta = hour) -> dict[str, object]:
        at = (NOW - age).isoformat()
        return {"id": number, "guid": guid, "status": status, "event": "push", "delivered_at": at}

    listing = [
        listed(9, "recovered", "OK"),
        listed(8, "recovered", "Invalid HTTP Response: 500"),
        listed(7, "timed-out", "timed out"),
        listed(6, "timed-out", "timed out"),
        *[listed(5, "hopeless", "Invalid HTTP Response: 422") for _ in range(5)],
        listed(1, "old", "timed out", age=5 * hour),
    ]
    recorded = Recorded(
        {"GET /app/hook/deliveries": (200, listing), "POST /app/hook/deliveries/7/attempts": (202, None)}
    )
    app = recorded.app()
    assert [(d.id, d.guid) for d in app.failed_deliveries(NOW - 2 * hour)] == [(7, "timed-out")]
    app.redeliver(7)


def test_long_outputs_are_cut() -> None:
    """GitHub would refuse a summary of 65,536 characters."""
    check = CheckRun("n", "s", "success", "t", "x" * 70_000, text="y" * 70_000)
    output = body_of(check)["output"]
    assert len(output["summary"]) == len(output["text"]) == 65_535


def test_check_bodies_are_as_github_wants_them() -> None:
    """Githubkit's models, made from GitHub's OpenAPI, take our body."""
    marks = (Annotation("a.yml", 1, 2, "failure", "m", "t"), Annotation("a.yml", 3, 3, "notice", "m"))
    check = CheckRun("n", "s", "neutral", "t", "s", "x", "https://tabstop.example/t/1", marks)
    CheckBody.model_validate(body_of(check) | {"head_sha": "s"})


def test_annotations_go_in_fifties() -> None:
    """GitHub takes 50 a request and appends later ones."""
    marks = tuple(Annotation("a.yml", n, n, "failure", "m") for n in range(120))
    recorded = Recorded(
        {
            "POST /repos/acme/widget/check-runs": (201, {"id": 3}),
            "PATCH /repos/acme/widget/check-runs/3": (200, {"id": 3}),
        }
    )
    github = recorded.app().installation(1)
    assert github.create_check_run("acme/widget", CheckRun("n", "s", "failure", "t", "s", annotations=marks)) == 3
    sent = recorded.bodies("POST") + recorded.bodies("PATCH")
    assert [len(body["output"]["annotations"]) for body in sent] == [50, 50, 20]
    assert [a["start_line"] for body in sent for a in body["output"]["annotations"]] == list(range(120))


def test_pace() -> None:
    """A burst goes out at once; after it one write a second."""
    clock = [1_000.0]
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock[0] += seconds

    pace = Pace(every=1, burst=3, clock=lambda: clock[0], sleep=sleep)
    starts = []
    for _ in range(6):
        pace.wait()
        starts.append(clock[0])
    assert starts[:3] == [1_000.0] * 3
    assert [b - a for a, b in pairwise(starts[2:])] == [1.0, 1.0, 1.0]
    clock[0] += 100
    pace.wait()
    assert len(waited) == 3
