"""The emulated GitHub and Slack behave like the real ones where the product depends on it."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from githubkit import AppAuthStrategy, GitHub
from slack_sdk import WebClient

from tests.support.emulator import Emulators
from tests.support.oidc_issuer import github_claims

pytestmark = pytest.mark.node


class Inbox:
    """A webhook receiver that remembers what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
                self.send_response(202)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/github"

    def wait_for(self, event: str, action: str | None = None, number: int | None = None) -> dict[str, Any]:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for headers, body in list(self.got):
                payload: dict[str, Any] = json.loads(body)
                if (headers["x-github-event"], payload.get("action")) == (event, action) and number in (
                    None,
                    payload.get("number"),
                ):
                    return payload
            time.sleep(0.01)
        raise AssertionError(f"no {event}.{action} arrived")


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    receiver = Inbox()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture(scope="module")
def emulators(start_emulators: Callable[[str], Emulators], inbox: Inbox) -> Emulators:
    return start_emulators(inbox.url)


@pytest.fixture
def app(emulators: Emulators) -> Iterator[Any]:
    env = emulators.env
    github = GitHub(AppAuthStrategy(env.app_id, env.private_key), base_url=env.github_url)
    installation = github.with_auth(github.auth.as_installation(env.installation_id))
    with installation:
        yield installation.rest


def test_opening_and_pushing_send_signed_events_and_move_the_head(emulators: Emulators, inbox: Inbox) -> None:
    """`opened` and `synchronize` arrive signed, with the installation, the number and the new head."""
    opened = emulators.open_pull_request("claude/one", files={".github/tabstop.yml": "version: 1\n"})
    pushed = emulators.push(opened, {"b.py": "2"})
    arrived = inbox.wait_for("pull_request", "opened", opened.number)
    moved = inbox.wait_for("pull_request", "synchronize", opened.number)
    assert arrived["pull_request"]["head"]["sha"] == opened.head_sha != pushed.head_sha
    assert (
        moved["pull_request"]["head"]["sha"] == pushed.head_sha == emulators.pull_request(opened.number)["head"]["sha"]
    )
    assert moved["installation"]["id"] == emulators.env.installation_id
    claims = github_claims()
    ids = {"repository_id": moved["repository"]["id"], "repository_owner_id": moved["repository"]["owner"]["id"]}
    ids["actor_id"] = moved["pull_request"]["user"]["id"]
    assert {name: claims[name] for name in ids} == {name: str(value) for name, value in ids.items()}
    for headers, body in inbox.got:
        expected = hmac.new(emulators.env.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
        assert headers["x-hub-signature-256"] == f"sha256={expected}"
    deliveries = [headers["x-github-delivery"] for headers, _ in inbox.got]
    assert len(set(deliveries)) == len(deliveries)
    assert emulators.read_file(".github/tabstop.yml", ref=pushed.head_sha) == "version: 1\n"


def test_what_the_app_reads_about_a_pull_request_is_true(emulators: Emulators, app: Any) -> None:
    """Changed files, the pull requests of a commit and the installation's repositories are those that exist."""
    pull = emulators.open_pull_request("claude/two", files={"a.py": "1", "docs/b.md": "2"})
    files = app.pulls.list_files("acme", "widget", pull.number).json()
    assert [(file["filename"], file["status"]) for file in files] == [("a.py", "added"), ("docs/b.md", "added")]
    found = app.repos.list_pull_requests_associated_with_commit("acme", "widget", pull.head_sha).json()
    assert [one["number"] for one in found] == [pull.number]
    visible = app.apps.list_repos_accessible_to_installation().json()
    assert [repo["full_name"] for repo in visible["repositories"]] == ["acme/widget", "acme/web-app", "acme/.github"]


def test_the_app_writes_checks_and_comments_that_tests_read_back(emulators: Emulators, inbox: Inbox, app: Any) -> None:
    """A check run names the app, a comment its bot; "Re-run" comes back as an event."""
    pull = emulators.open_pull_request("claude/three")
    output = {"title": "t", "summary": "s"}
    data = {
        "name": "tabstop / budget",
        "head_sha": pull.head_sha,
        "conclusion": "success",
        "status": "completed",
        "output": output,
    }
    app.checks.create("acme", "widget", data=data)
    app.issues.create_comment("acme", "widget", pull.number, body="x")
    [run] = emulators.check_runs(pull.head_sha, name="tabstop / budget")
    assert (run["conclusion"], run["app"]["id"], run["output"]["title"]) == ("success", emulators.env.app_id, "t")
    [comment] = emulators.comments(pull.number)
    assert comment["user"]["login"] == emulators.env.bot_login
    emulators.rerequest_check(run["id"])
    inbox.wait_for("check_run", "rerequested")


def test_closing_reopening_and_merging_send_their_events(emulators: Emulators, inbox: Inbox) -> None:
    """A merge is `closed` with merged true."""
    pull = emulators.open_pull_request("claude/four")
    emulators.close(pull)
    assert inbox.wait_for("pull_request", "closed", pull.number)["pull_request"]["merged"] is False
    emulators.reopen(pull)
    inbox.wait_for("pull_request", "reopened", pull.number)
    emulators.merge(pull)
    assert emulators.pull_request(pull.number)["merged"] is True


def test_a_workflow_run_can_be_asked_for_and_ends(emulators: Emulators, inbox: Inbox, app: Any) -> None:
    """A run is what the test says it is, names the pull request of its head, and its end arrives as an event."""
    pull = emulators.open_pull_request("claude/five")
    emulators.workflow_run(7001, head_branch=pull.branch, head_sha=pull.head_sha)
    run = app.actions.get_workflow_run("acme", "widget", 7001).json()
    assert (run["event"], run["status"], run["actor"]["login"]) == ("pull_request", "in_progress", "alice")
    assert [one["number"] for one in run["pull_requests"]] == [pull.number]
    emulators.workflow_run(
        7001, head_branch=pull.branch, head_sha=pull.head_sha, status="completed", conclusion="success"
    )
    assert inbox.wait_for("workflow_run", "completed")["workflow_run"]["conclusion"] == "success"


def test_events_github_never_sends_here_can_be_delivered(emulators: Emulators, inbox: Inbox) -> None:
    """A hand-made delivery is signed like the others and may repeat a GUID."""
    for _ in range(2):
        assert emulators.deliver("merge_group", {"action": "checks_requested"}, guid="same") == 202
    inbox.wait_for("merge_group", "checks_requested")
    assert [headers["x-github-delivery"] for headers, _ in inbox.got].count("same") == 2


def test_slack_messages_are_read_back_in_order(emulators: Emulators) -> None:
    """What the bot posts is there, oldest first."""
    slack = WebClient(token=emulators.env.slack_token, base_url=f"{emulators.env.slack_url}/api/")
    for text in ("one", "two"):
        slack.chat_postMessage(channel=emulators.env.slack_channel, text=text)
    assert [message["text"] for message in emulators.slack_messages()] == ["one", "two"]
