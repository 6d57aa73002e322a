"""githubkit against recorded answers: what the emulator cannot play: limits, pages, tokens, broken credentials."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from githubkit_schemas.latest.models import ReposOwnerRepoCheckRunsPostBodyOneof0 as CheckBody

from app.github_api.checks import body_of
from app.github_api.kit import KitApp
from app.github_api.pace import Pace
from app.github_api.protocol import Annotation, CheckRun, GitHubError, RemoteCommit, RemotePerson, RemoteUser
from tests.github_api.recorded import NOW, Answer, Recorded

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


def test_who_logged_in() -> None:
    """With their own token; of their installations only this App's count, so that a token of another App opens nothing."""
    seen = [{"id": 7, "app_id": 1}, {"id": 8, "app_id": 999}]
    recorded = Recorded(
        {"GET /user": (200, {"id": 5, "login": "alice"}), "GET /user/installations": (200, {"installations": seen})}
    )
    app = recorded.app()
    app.app_id = "1"
    assert app.person("ghu_1") == RemotePerson(5, "alice", frozenset({7}))


@pytest.mark.parametrize(("status", "known"), [(401, False), (403, False), (500, True)])
def test_a_token_of_nobody(status: int, known: bool) -> None:
    """Refused by GitHub is nobody; a GitHub that has trouble is asked again later."""
    recorded = Recorded({"GET /user": (status, {"message": "no"})})
    if known:
        with pytest.raises(GitHubError):
            recorded.app().person("ghu_1")
    else:
        assert recorded.app().person("ghu_1") is None


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


def test_a_run_is_its_triggering_actors() -> None:
    """Re-run is pressed by somebody else than who pushed."""
    run = {"id": 5, "event": "push", "head_sha": "a", "head_branch": None, "status": "completed", "conclusion": None}
    body = run | {"actor": {"id": 1, "login": "alice"}, "triggering_actor": {"id": 2, "login": "bob"}}
    recorded = Recorded({"GET /repos/acme/widget/actions/runs/5": (200, body)})
    found = recorded.app().installation(1).workflow_run("acme/widget", 5)
    assert found is not None
    assert (found.actor_id, found.actor_login, found.head_branch, found.conclusion) == (2, "bob", "", "")


RUN = {"id": 5, "event": "push", "head_sha": "a", "head_branch": "fix", "status": "completed", "conclusion": "success"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"run_attempt": 2, "repository": {"id": 1}, "head_repository": {"id": 2}}, (2, 1, 2)),
        ({"run_attempt": 1, "repository": {"id": 1}, "head_repository": None}, (1, 1, None)),
        ({"repository": {"id": 1}}, (1, 1, None)),
    ],
    ids=["of a fork", "of a fork that is gone", "of an old server"],
)
def test_a_run_says_where_it_ran(body: dict[str, Any], found: tuple[int, int | None, int | None]) -> None:
    """Which attempt, in which repository, on whose branch."""
    recorded = Recorded({"GET /repos/acme/widget/actions/runs/5": (200, RUN | body)})
    run = recorded.app().installation(1).workflow_run("acme/widget", 5)
    assert run is not None
    assert (run.attempt, run.repository_id, run.head_repository_id) == found


def test_each_attempt_of_a_run_has_its_own_actor() -> None:
    """Asked for by number; an attempt that never was is None."""
    first = RUN | {"run_attempt": 1, "triggering_actor": {"id": 1, "login": "alice"}}
    recorded = Recorded({"GET /repos/acme/widget/actions/runs/5/attempts/1": (200, first)})
    github = recorded.app().installation(1)
    found = github.workflow_run("acme/widget", 5, 1)
    assert found is not None
    assert (found.attempt, found.actor_login) == (1, "alice")
    assert github.workflow_run("acme/widget", 5, 2) is None


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


@pytest.mark.parametrize(
    ("status", "body", "belongs"),
    [
        (200, {"state": "active", "role": "member"}, True),
        (200, {"state": "pending", "role": "member"}, False),
        (404, {"message": "Not Found"}, False),
    ],
)
def test_a_team_is_who_accepted_to_be_in_it(status: int, body: dict[str, str], belongs: bool) -> None:
    """An invitation is no membership; a team that is not there has nobody."""
    recorded = Recorded({"GET /orgs/acme/teams/leads/memberships/lee": (status, body)})
    assert recorded.app(now=lambda: NOW).installation(1).in_team("acme", "leads", "lee") is belongs


def test_the_pull_requests_of_a_commit() -> None:
    """Every page; a commit that GitHub does not have is in none, and a refusal is a refusal."""
    path = "GET /repos/acme/widget/commits/0123456/pulls"
    next_page = {"link": '<https://api.github.com/repos/acme/widget/commits/0123456/pulls?page=2>; rel="next"'}
    pages: list[Answer] = [(200, [a_pull(7, "open")], next_page), (200, [a_pull(9, "closed")])]
    github = Recorded({path: pages}).app(now=lambda: NOW).installation(1)
    found = list(github.pull_requests_of_commit("acme/widget", "0123456"))
    assert [(one.number, one.state, one.head_branch) for one in found] == [(7, "open", "fix"), (9, "merged", "fix")]
    for status in (404, 409, 422):
        gone = Recorded({path: (status, {"message": "No commit found for SHA: 0123456"})})
        assert list(gone.app(now=lambda: NOW).installation(1).pull_requests_of_commit("acme/widget", "0123456")) == []
    limited = Recorded({path: (429, {}, {"retry-after": "7"})}).app(now=lambda: NOW).installation(1)
    with pytest.raises(GitHubError):
        list(limited.pull_requests_of_commit("acme/widget", "0123456"))


def test_who_a_pull_request_is_assigned_to() -> None:
    """Bots among them, as GitHub marks them; nobody for an answer that names none."""
    alice, copilot = {"id": 1, "login": "alice", "type": "User"}, {"id": 2, "login": "Copilot", "type": "Bot"}
    recorded = Recorded({PULL: (200, a_pull(1, "open") | {"assignees": [alice, copilot]})})
    found = recorded.app().installation(1).pull_request("acme/widget", 1)
    assert found is not None
    assert found.assignees == (RemoteUser(1, "alice"), RemoteUser(2, "Copilot", is_bot=True))
    found = Recorded({PULL: (200, a_pull(1, "open"))}).app().installation(1).pull_request("acme/widget", 1)
    assert found is not None
    assert found.assignees == ()


MESSAGE = """\
fix: log in again

Co-authored-by: Alice <1+alice@users.noreply.github.com>
co-authored-by:  <b@example.com>
Signed-off-by: Carol <c@example.com>
Co-authored-by: no address
"""


@pytest.mark.parametrize("author", [None, {}, {"id": 7, "login": "claude[bot]", "type": "Bot"}])
def test_who_made_a_commit(author: dict[str, Any] | None) -> None:
    """The account GitHub knows by the address, if it knows one; what git has; the co-authors its message names."""
    git = {"message": MESSAGE, "author": {"name": "claude[bot]", "email": "7+claude[bot]@users.noreply.github.com"}}
    recorded = Recorded({"GET /repos/acme/widget/commits/abc": (200, {"author": author, "commit": git})})
    assert recorded.app().installation(1).commit("acme/widget", "abc") == RemoteCommit(
        RemoteUser(7, "claude[bot]", is_bot=True) if author else None,
        "claude[bot]",
        "7+claude[bot]@users.noreply.github.com",
        (("Alice", "1+alice@users.noreply.github.com"), ("", "b@example.com")),
    )


def test_a_commit_or_an_account_that_is_not_there() -> None:
    """Is None, and a refusal is a refusal; a commit of nobody's is no error."""
    path = "GET /repos/acme/widget/commits/abc"
    for status in (404, 409, 422):
        gone = Recorded({path: (status, {"message": "No commit found for SHA: abc"})})
        assert gone.app(now=lambda: NOW).installation(1).commit("acme/widget", "abc") is None
    limited = Recorded({path: (429, {}, {"retry-after": "7"})}).app(now=lambda: NOW).installation(1)
    with pytest.raises(GitHubError):
        limited.commit("acme/widget", "abc")
    nobodys = Recorded({path: (200, {"author": None, "commit": {"author": None, "message": None}})})
    assert nobodys.app().installation(1).commit("acme/widget", "abc") == RemoteCommit(None, "", "")
    users = Recorded({"GET /users/alice": (200, {"id": 1, "login": "Alice", "type": "User"})}).app().installation(1)
    assert users.user("alice") == RemoteUser(1, "Alice")
    assert users.user("zoe") is None


def a_pull(number: int, state: str) -> dict[str, Any]:
    """A pull request as this list has it: without the flag `merged`, with the time of it."""
    account = {"id": 1, "login": "alice", "type": "User"}
    return {
        "number": number,
        "title": "Fix",
        "state": state,
        "draft": False,
        "user": account,
        "merged_at": "2026-11-20T12:00:00Z" if state == "closed" else None,
        "updated_at": "2026-11-20T12:00:00Z",
        "head": {"sha": "f" * 40, "ref": "fix", "repo": {"id": 1}, "user": account},
        "base": {"ref": "main"},
    }
