"""What decides while the server is away: the input, the checked-out file, the files GitHub has; and who is asked for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from action.when_away import LONGEST_POLICY, TIMEOUT
from tabstop.beside.transport import NoAnswerError, Request, Response, UrllibTransport
from tabstop.wire import Problem
from tests.action.fake_tabstop import problem, spent_tab, times
from tests.action.jobs import Job
from tests.action.loopback_github import LoopbackGitHub
from tests.support import golden

API = "https://api.github.com"
ORGANIZATION = f"{API}/repos/acme/.github/contents/.github/tabstop.yml"
REPOSITORY = f"{API}/repos/acme/widget/contents/.github/tabstop.yml"
AWAY = NoAnswerError("Connection refused")
ALLOW, BLOCK, SILENT, NONE = "server_unreachable: allow\n", "server_unreachable: block\n", "tab: $20\n", None


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job whose server is away."""
    job = Job(tmp_path)
    job.tabstop.fault = times(99, AWAY)
    return job


def checks_out(job: Job, policy: str | bytes | None) -> None:
    if policy is not None:
        path = job.workspace / ".github" / "tabstop.yml"
        path.parent.mkdir()
        path.write_bytes(policy.encode() if isinstance(policy, str) else policy)


def always(answer: Response) -> Callable[[Request], Response]:
    return lambda _request: answer


def github_has(job: Job, organization: str | bytes | None, repository: str | bytes | None = NONE) -> None:
    """The organization's file, and that of the repository's default branch, as GitHub's API hands them out."""
    for url, policy in ((ORGANIZATION, organization), (REPOSITORY, repository)):
        body = policy.encode() if isinstance(policy, str) else policy
        job.transport.routes[url] = always(Response(404) if body is None else Response(200, body))


def default_branch_has(job: Job, policy: str | bytes | None) -> None:
    """Only the repository has a file."""
    github_has(job, NONE, policy)


def asked_github(job: Job) -> list[Request]:
    return [request for request in job.transport.sent if request.url.startswith(API)]


# if-unreachable, checked-out file, organization's file -> does the session start, was GitHub asked for both files
DECISIONS = [
    ("allow", NONE, NONE, "starts", "asked"),
    ("allow", NONE, SILENT, "starts", "asked"),
    ("allow", NONE, ALLOW, "starts", "asked"),
    ("allow", NONE, BLOCK, "blocked", "asked for one"),
    ("allow", SILENT, NONE, "starts", "asked"),
    ("allow", SILENT, SILENT, "starts", "asked"),
    ("allow", SILENT, ALLOW, "starts", "asked"),
    ("allow", SILENT, BLOCK, "blocked", "asked for one"),
    ("allow", ALLOW, NONE, "starts", "asked"),
    ("allow", ALLOW, SILENT, "starts", "asked"),
    ("allow", ALLOW, ALLOW, "starts", "asked"),
    ("allow", ALLOW, BLOCK, "blocked", "asked for one"),
    ("allow", BLOCK, NONE, "blocked", "not asked"),
    ("allow", BLOCK, ALLOW, "blocked", "not asked"),
    ("block", NONE, NONE, "blocked", "not asked"),
    ("block", ALLOW, ALLOW, "blocked", "not asked"),
    ("block", BLOCK, BLOCK, "blocked", "not asked"),
]


@pytest.mark.parametrize(("given", "checkout", "organization", "decision", "github"), DECISIONS)
def test_one_block_suffices(
    job: Job, given: str, checkout: str | None, organization: str | None, decision: str, github: str
) -> None:
    """Whichever says `block` first decides, nobody can take it back, and GitHub is asked only while nothing says it."""
    checks_out(job, checkout)
    github_has(job, organization)
    assert job.run("gate", if_unreachable=given) == (0 if decision == "starts" else 3)
    assert job.outputs["allowed"] == ("true" if decision == "starts" else "false")
    assert len(asked_github(job)) == {"asked": 2, "asked for one": 1, "not asked": 0}[github]


@pytest.mark.parametrize("checkout", [NONE, SILENT, ALLOW])
@pytest.mark.parametrize("organization", [NONE, SILENT, ALLOW])
def test_a_pull_request_cannot_take_the_block_out(job: Job, checkout: str | None, organization: str | None) -> None:
    """The default branch's file blocks, whatever the pull request's own checkout says or lacks."""
    checks_out(job, checkout)
    github_has(job, organization, BLOCK)
    assert job.run("gate") == 3
    assert [request.url for request in asked_github(job)] == [ORGANIZATION, REPOSITORY]


def test_the_organizations_own_repository_is_asked_once(job: Job) -> None:
    """A job of the repository `.github`: both files are one."""
    job.environ["GITHUB_REPOSITORY"] = "acme/.github"
    github_has(job, SILENT)
    assert job.run("gate") == 0
    assert [request.url for request in asked_github(job)] == [ORGANIZATION]


LINES = {
    "server_unreachable: block": True,
    "tab: $20\nserver_unreachable : 'block'  # nothing starts unasked\ncheck: advise": True,
    'server_unreachable: "block"\r': True,
    "'server_unreachable': block": True,
    "\ufeffserver_unreachable: block": True,
    "server_unreachable: block#er": False,
    "# server_unreachable: block": False,
    "session:\n  server_unreachable: block": False,
    "server_unreachable: blocked": False,
    '[{"name": "tabstop.yml", "type": "file"}]': False,
}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("where", [checks_out, github_has, default_branch_has])
def test_the_key_counts_on_a_line_of_its_own(
    job: Job, where: Callable[[Job, str | bytes | None], None], line: str
) -> None:
    """All files are read alike: at the top level, quoted or not, with a comment or without."""
    where(job, f"{line}\n")
    assert job.run("gate") == (3 if LINES[line] else 0)


@pytest.mark.parametrize("policy", [b"\xff\x00", b"", b"server_unreachable: bl\xffock\n"])
def test_bytes_that_are_no_text_say_nothing(job: Job, policy: bytes) -> None:
    """A broken file is no `block`, and no crash."""
    checks_out(job, policy)
    github_has(job, policy, policy)
    assert job.run("gate") == 0


UNREADABLE = {
    "no file": Response(404, BLOCK.encode()),
    "not for this token": Response(403, BLOCK.encode(), 60),
    "a wrong token": Response(401),
    "moved": Response(301),
    "GitHub has a problem": Response(502),
    "too long": Response(200, BLOCK.encode() + b"#" * LONGEST_POLICY),
    "silence": NoAnswerError("no answer in time"),
}


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_read_changes_nothing(job: Job, answer: Response | NoAnswerError) -> None:
    """The workflow's choice stands, GitHub is asked once for each file, and the message says what could not be heard."""

    def github(_request: Request) -> Response:
        if isinstance(answer, NoAnswerError):
            raise answer
        return answer

    job.transport.routes[API] = github
    before = sum(job.clock.slept)
    assert job.run("gate") == 0
    assert [request.url for request in asked_github(job)] == [ORGANIZATION, REPOSITORY]
    assert sum(job.clock.slept) - before == 7  # the server's own tries
    for repository in ("acme/.github", "acme/widget"):
        assert f".github/tabstop.yml of {repository}, could not be read: " in job.said("warning")[0].message


def test_what_was_heard_is_said(job: Job) -> None:
    """Going on lists every source; a block names the one that said it."""
    checks_out(job, SILENT)
    github_has(job, ALLOW)
    job.run("gate")
    golden.expect("action/gate-away-all-heard.md", job.page())
    github_has(job, NONE)
    job.run("gate")
    golden.expect("action/gate-away-organization-unread.md", job.page())
    github_has(job, BLOCK)
    job.run("gate")
    golden.expect("action/gate-away-organization-blocks.md", job.page())
    github_has(job, ALLOW, BLOCK)
    job.run("gate")
    golden.expect("action/gate-away-default-branch-blocks.md", job.page())
    (job.workspace / ".github" / "tabstop.yml").write_text(BLOCK)
    job.run("gate")
    golden.expect("action/gate-away-policy-blocks.md", job.page())


def test_a_checkout_that_cannot_be_read_is_said(job: Job) -> None:
    """A folder in the file's place is neither a missing file nor a `block`."""
    (job.workspace / ".github" / "tabstop.yml").mkdir(parents=True)
    assert job.run("gate") == 0
    assert "the checked-out .github/tabstop.yml could not be read: Is a directory" in job.log
    job.environ["GITHUB_WORKSPACE"] = ""
    assert job.run("gate") == 0
    assert ".github/tabstop.yml is not checked out" in job.log
    job.environ["GITHUB_WORKSPACE"] = "/a\0b"
    assert job.run("gate") == 0
    assert "could not be read: its path is not valid" in job.log


def test_the_question_to_github(job: Job) -> None:
    """One GET of each raw file at the API this runner belongs to, with the token where there is one."""
    job.environ["GITHUB_API_URL"] = "https://ghes.acme.example/api/v3/"
    job.run("gate", github_token="ghs_job")
    job.run("gate")
    addresses = [url.replace(API, "https://ghes.acme.example/api/v3") for url in (ORGANIZATION, REPOSITORY)]
    asked = [request for request in job.transport.sent if request.url in addresses]
    assert [request.url for request in asked] == addresses * 2
    with_token, _, without, _ = asked
    assert (with_token.method, with_token.body) == ("GET", None)
    assert with_token.headers["Accept"] == "application/vnd.github.raw+json"
    assert with_token.headers["Authorization"] == "Bearer ghs_job"
    assert "Authorization" not in without.headers
    assert "ghs_job" not in job.log
    assert not [
        request for request in job.transport.sent if "ghs_job" in str(request.headers) and request.url not in addresses
    ]


@pytest.mark.parametrize("answer", ["admitted", "refused", "not accepted"])
def test_while_the_server_answers_github_is_not_asked(tmp_path: Path, answer: str) -> None:
    """The policy in force lies with the server; the file is a stand-in for when that is away."""
    job = Job(tmp_path)
    if answer == "refused":
        job.tabstop.decide = lambda _request: spent_tab()
    if answer == "not accepted":
        job.tabstop.fault = times(99, problem(403, Problem("No.")))
    job.run("gate", github_token="ghs_job")
    assert asked_github(job) == []


# if-unreachable, checked-out file, the policy in force (empty: an older server) -> is it said that they differ
DIFFERENCES = [
    ("allow", NONE, "block", True),
    ("allow", ALLOW, "block", True),
    ("allow", BLOCK, "block", False),
    ("block", NONE, "block", False),
    ("allow", NONE, "allow", False),
    ("block", NONE, "allow", False),
    ("allow", NONE, "", False),
]


@pytest.mark.parametrize(("given", "checkout", "in_force", "said"), DIFFERENCES)
def test_a_workflow_looser_than_the_policy_is_told(
    tmp_path: Path, given: str, checkout: str | None, in_force: str, said: bool
) -> None:
    """While all is well, so that it can be mended before the server is away; the session is admitted all the same."""
    job = Job(tmp_path)
    job.tabstop.server_unreachable = in_force
    checks_out(job, checkout)
    assert job.run("gate", if_unreachable=given) == 0
    assert job.outputs["session"] == "s1"
    assert len(job.said("warning")) == said
    if said:
        golden.expect("action/gate-looser-than-policy.md", job.page())


def test_the_token_does_not_follow_a_redirect(job: Job) -> None:
    """Whoever GitHub's address sends us to gets no request at all, so no token; the files count as not read."""
    with (
        LoopbackGitHub(200, BLOCK.encode()) as stranger,
        LoopbackGitHub(302, location=f"http://localhost:{stranger.port}/") as github,
    ):
        real = UrllibTransport()
        job.transport.routes[github.url] = lambda request: real.send(request, TIMEOUT)
        job.environ["GITHUB_API_URL"] = github.url
        assert job.run("gate", github_token="ghs_job") == 0
    assert [f"{API}{path}" for path, _ in github.seen] == [ORGANIZATION, REPOSITORY]
    assert all(headers["Authorization"] == "Bearer ghs_job" for _, headers in github.seen)
    assert stranger.seen == []
    assert "could not be read: HTTP 302" in job.log
