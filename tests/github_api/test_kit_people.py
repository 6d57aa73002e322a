"""githubkit against recorded answers: who somebody is, and whose a run, a commit and a pull request are."""

from __future__ import annotations

from typing import Any

import pytest

from app.github_api.protocol import GitHubError, RemoteCommit, RemotePerson, RemoteUser
from tests.github_api.recorded import NOW, Answer, Recorded
from tests.github_api.test_kit import PULL


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
