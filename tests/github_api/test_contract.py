"""What the server relies on of GitHub, true of the fake and of githubkit against the emulator alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.github_api.protocol import Annotation, CheckRun, GitHubInstallation
from tests.github_api.stages import WIDGET, EmulatedStage, FakeStage, Stage
from tests.support.emulator import Emulators

MARKER = "<!-- tabstop:budget -->"


@pytest.fixture(scope="module", params=["fake", pytest.param("emulated", marks=pytest.mark.node)])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The fake, and the real client against the emulator."""
    if request.param == "fake":
        yield FakeStage()
        return
    start: Callable[[str], Emulators] = request.getfixturevalue("start_emulators")
    emulated = EmulatedStage(start("http://127.0.0.1:9/"))
    yield emulated
    emulated.app.close()


@pytest.fixture
def github(stage: Stage) -> GitHubInstallation:
    """GitHub as the installation on acme sees it."""
    return stage.app.installation(stage.installation_id)


def a_check(sha: str, conclusion: str = "success", **more: object) -> CheckRun:
    return CheckRun("tabstop / budget", sha, conclusion, "$0.00 of $50.00", "All is well.", **more)  # type: ignore[arg-type]


def test_the_app_knows_itself(stage: Stage) -> None:
    """The slug names our comments' author; the installations say where we are."""
    assert stage.app.app().slug == stage.slug
    assert [(i, login) for i, _, login in stage.app.installations()] == [(stage.installation_id, "acme")]


def test_repositories(github: GitHubInstallation) -> None:
    """Covered repositories are listed and found by name; others are not there."""
    listed = {r.full_name: r for r in github.repositories()}
    found = github.repository(WIDGET)
    assert found is not None
    assert (found.full_name, found.default_branch, found.private) == (WIDGET, "main", True)
    assert listed[WIDGET].github_id == found.github_id
    assert github.repository("acme/nowhere") is None


def test_pull_requests(stage: Stage, github: GitHubInstallation) -> None:
    """One by number, all open ones, and what one changes; an unknown number is None."""
    opened = stage.open_pull_request("reading", {"src/a.py": "a\n", ".github/tabstop.yml": "tab: {cap: $5}\n"})
    found = github.pull_request(WIDGET, opened.number)
    assert found is not None
    assert (found.state, found.head_sha, found.head_branch, found.base_branch, found.author_login) == (
        "open",
        opened.head_sha,
        "reading",
        "main",
        "alice",
    )
    repository = github.repository(WIDGET)
    assert repository is not None
    assert found.head_repository_id == repository.github_id
    assert found.updated_at.tzinfo is not None
    assert opened.number in {p.number for p in github.open_pull_requests(WIDGET)}
    assert set(github.changed_files(WIDGET, opened.number)) == {"src/a.py", ".github/tabstop.yml"}
    assert github.pull_request(WIDGET, 9999) is None


def test_a_commit_in_no_pull_request(github: GitHubInstallation) -> None:
    """One that is not there is in none; what GitHub says of others is in `test_kit`, since the emulator cannot be asked."""
    assert list(github.pull_requests_of_commit(WIDGET, "f" * 40)) == []


def test_files(stage: Stage, github: GitHubInstallation) -> None:
    """A file of the default branch and of a head commit, each with a commit; one that is not there is None."""
    commit = stage.commit_to_main({"docs/policy.yml": "on main\n"})
    opened = stage.open_pull_request("editing", {"docs/policy.yml": "on the branch\n"})
    at_main = github.file(WIDGET, "docs/policy.yml", "")
    at_head = github.file(WIDGET, "docs/policy.yml", opened.head_sha)
    assert at_main is not None
    assert at_head is not None
    assert (at_main.text, at_main.commit) == (b"on main\n", commit)
    assert (at_head.text, at_head.commit) == (b"on the branch\n", opened.head_sha)
    assert github.file(WIDGET, "docs/nothing.yml", "") is None


def test_workflow_runs(stage: Stage, github: GitHubInstallation) -> None:
    """A run says who started it and where it ran; one that is not there is None."""
    opened = stage.open_pull_request("running", {"src/run.py": "1\n"})
    stage.workflow_run(5005, opened, "bob")
    found = github.workflow_run(WIDGET, 5005)
    repository = github.repository(WIDGET)
    assert found is not None
    assert repository is not None
    assert (found.event, found.head_branch, found.head_sha) == ("pull_request", "running", opened.head_sha)
    assert (found.actor_login, found.attempt) == ("bob", 1)
    assert found.repository_id == found.head_repository_id == repository.github_id
    assert github.workflow_run(WIDGET, 999_999) is None


def test_membership(github: GitHubInstallation) -> None:
    """Members, and the account itself, belong; nobody else does."""
    assert github.is_member("acme", "alice")
    assert github.is_member("acme", "ACME")
    assert not github.is_member("acme", "mallory")


def test_check_runs(stage: Stage, github: GitHubInstallation) -> None:
    """A check is posted on its commit and replaced in place."""
    opened = stage.open_pull_request("checked", {"b.py": "b\n"})
    check_run_id = github.create_check_run(WIDGET, a_check(opened.head_sha))
    red = CheckRun("tabstop / budget", opened.head_sha, "failure", "$51.00 of $50.00", "Spent.")
    github.update_check_run(WIDGET, check_run_id, red)
    assert stage.checks(opened.head_sha) == [("tabstop / budget", "failure", "$51.00 of $50.00", "Spent.")]


def test_annotations(stage: Stage, github: GitHubInstallation) -> None:
    """Remarks on lines go along, also more than one request takes."""
    opened = stage.open_pull_request("annotated", {"c.py": "c\n"})
    marks = tuple(Annotation("c.py", n, n, "failure", f"problem {n}", "title") for n in range(1, 61))
    assert github.create_check_run(WIDGET, a_check(opened.head_sha, annotations=marks)) > 0


def test_our_comment(stage: Stage, github: GitHubInstallation) -> None:
    """Found by marker and author: somebody else's comment with the same marker is not ours."""
    opened = stage.open_pull_request("commented", {"d.py": "d\n"})
    stage.comment(opened, f"mine now {MARKER}")
    assert github.find_comment(WIDGET, opened.number, MARKER) is None
    comment_id = github.create_comment(WIDGET, opened.number, f"first {MARKER}")
    assert github.find_comment(WIDGET, opened.number, MARKER) == comment_id
    assert github.update_comment(WIDGET, comment_id, f"second {MARKER}") is True
    assert stage.comments(opened)[-1] == (f"{stage.slug}[bot]", f"second {MARKER}")
    assert github.update_comment(WIDGET, 999_999, "nobody reads this") is False
