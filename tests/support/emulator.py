"""Emulated GitHub and Slack (npm `emulate`, real HTTP on loopback), and what a person does there: commit, open, merge, read back.

They need Node >= 22.15 and what `scripts/emulators` installs into `.cache/emulators`; `tests/emulators/preload.mjs` says what it adds.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / ".cache" / "emulators"
SOURCES = ROOT / "tests" / "emulators"
START_SECONDS = 30
TRIES = 3
REPO = "widget"


class EmulatorsUnavailableError(Exception):
    """The emulators cannot run here; the text says why and what would help."""


@dataclass(frozen=True)
class EmulatorEnv:
    """Every value a client of the emulated services needs. All secrets are test values."""

    github_url: str
    slack_url: str
    webhook_url: str
    webhook_secret: str
    app_id: int
    app_slug: str
    private_key: str = field(repr=False)
    installation_id: int
    org: str = "acme"
    repo: str = REPO
    slack_token: str = "xoxb-emulated"
    slack_channel: str = "ai-spend"
    slack_signing_secret: str = "emulated-signing-secret"
    user_tokens: Mapping[str, str] = field(
        default_factory=lambda: {"alice": "ghp_alice", "bob": "ghp_bob", "carol": "ghp_carol"}
    )

    @property
    def bot_login(self) -> str:
        """The login under which the App comments."""
        return f"{self.app_slug}[bot]"


@dataclass(frozen=True)
class PullRequest:
    """A pull request as it stood when the method returned; `repo` is the name without the organization."""

    repo: str
    number: int
    branch: str
    head_sha: str
    author: str


class Emulators:
    """The running pair. `alice` opens pull requests, `carol` (admin) commits and merges; the App is installed on all repositories."""

    def __init__(self, env: EmulatorEnv, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.env = env
        self._process = process
        self._folder = folder
        self._http = httpx.Client(timeout=10, trust_env=False)  # loopback is never behind a proxy

    @classmethod
    def start(cls, *, webhook_url: str) -> Self:
        """Starts both on free ports of `localhost`, in about a second; the App's webhooks go to `webhook_url`.

        Raises `EmulatorsUnavailableError` when Node or the packages are missing.
        """
        program = INSTALLED / "node_modules" / "emulate" / "dist" / "index.js"
        if not program.exists():
            raise EmulatorsUnavailableError(
                "The emulators are not installed. Run `scripts/emulators` (make test does)."
            )
        node = node_program()
        for attempt in range(TRIES):
            started = cls._launch(node, program, webhook_url)
            if started._wait_until_ready():
                return started
            said = started._log()
            started.stop()
            if "EADDRINUSE" not in said or attempt == TRIES - 1:
                raise EmulatorsUnavailableError(f"The emulators did not start. They said: {said[-800:]}")
        raise AssertionError("unreachable")

    # What people do on GitHub

    def commit(
        self, branch: str, files: Mapping[str, str], *, repo: str = REPO, message: str = "Change", user: str = "carol"
    ) -> str:
        """Commits files (path to text) to a branch, which starts at `main` when new; answers the new head's SHA."""
        if branch != "main" and not self._branch_head(repo, branch):
            head = self._branch_head(repo, "main")
            self._github("POST", f"/repos/acme/{repo}/git/refs", {"ref": f"refs/heads/{branch}", "sha": head}, user)
        for path, text in files.items():
            body = {"branch": branch, "message": message, "content": base64.b64encode(text.encode()).decode()}
            existing = self._file(repo, path, branch)
            if existing:
                body["sha"] = existing["sha"]
            self._github("PUT", f"/repos/acme/{repo}/contents/{quote(path)}", body, user)
        head = self._branch_head(repo, branch)
        assert head
        return head

    def read_file(self, path: str, *, repo: str = REPO, ref: str = "main") -> str | None:
        """A file's text at a branch or commit, or None."""
        found = self._file(repo, path, ref)
        return base64.b64decode(found["content"]).decode() if found else None

    def open_pull_request(
        self,
        branch: str,
        *,
        repo: str = REPO,
        author: str = "alice",
        title: str = "A change",
        draft: bool = False,
        files: Mapping[str, str] | None = None,
    ) -> PullRequest:
        """Commits to a new branch and opens a pull request against `main`; GitHub sends `pull_request.opened`."""
        changes = {f"src/{uuid.uuid4().hex[:8]}.py": "print('hi')\n"} if files is None else files
        self.commit(branch, changes, repo=repo)
        body = {"title": title, "head": branch, "base": "main", "draft": draft}
        opened = self._github("POST", f"/repos/acme/{repo}/pulls", body, author)
        return PullRequest(repo, opened["number"], branch, opened["head"]["sha"], author)

    def push(self, pull: PullRequest, files: Mapping[str, str] | None = None) -> PullRequest:
        """Commits to the pull request's branch; GitHub moves its head and sends `push` and `pull_request.synchronize`."""
        changes = {f"src/{uuid.uuid4().hex[:8]}.py": "print('more')\n"} if files is None else files
        self.commit(pull.branch, changes, repo=pull.repo)
        head = self.pull_request(pull.number, repo=pull.repo)["head"]["sha"]
        return PullRequest(pull.repo, pull.number, pull.branch, head, pull.author)

    def merge(self, pull: PullRequest, *, user: str = "carol") -> None:
        """Merges; GitHub sends `pull_request.closed` with `merged: true`."""
        self._github("PUT", f"/repos/acme/{pull.repo}/pulls/{pull.number}/merge", {}, user)

    def close(self, pull: PullRequest, *, user: str = "carol") -> None:
        """Closes without merging."""
        self._github("PATCH", f"/repos/acme/{pull.repo}/pulls/{pull.number}", {"state": "closed"}, user)

    def reopen(self, pull: PullRequest, *, user: str = "carol") -> None:
        """Opens a closed pull request again; GitHub sends `pull_request.reopened`."""
        self._github("PATCH", f"/repos/acme/{pull.repo}/pulls/{pull.number}", {"state": "open"}, user)

    def comment(self, pull: PullRequest, body: str, *, author: str = "alice") -> int:
        """Writes a comment as a person; answers its id."""
        made = self._github("POST", f"/repos/acme/{pull.repo}/issues/{pull.number}/comments", {"body": body}, author)
        return int(made["id"])

    def rerequest_check(self, check_run_id: int, *, repo: str = REPO, user: str = "carol") -> None:
        """Presses "Re-run"; GitHub sends `check_run.rerequested`."""
        self._github("POST", f"/repos/acme/{repo}/check-runs/{check_run_id}/rerequest", {}, user)

    def workflow_run(
        self,
        run_id: int,
        *,
        head_branch: str,
        head_sha: str,
        event: str = "pull_request",
        status: str = "in_progress",
        conclusion: str | None = None,
        actor: str = "alice",
        repo: str = REPO,
    ) -> dict[str, Any]:
        """Says that a workflow run exists or has changed; the API shows it from then on, and GitHub sends `workflow_run`."""
        run = {"id": run_id, "head_branch": head_branch, "head_sha": head_sha, "event": event, "status": status}
        run |= {"name": "agent", "run_number": 12, "run_attempt": 1, "workflow_id": 0, "conclusion": conclusion}
        where = {"owner": self.env.org, "repo": repo, "actor": actor}
        shown: dict[str, Any] = self._github("PUT", "/_tests/workflow-runs", {**run, **where}, actor)
        return shown

    # What a test reads back

    def pull_request(self, number: int, *, repo: str = REPO) -> dict[str, Any]:
        """The pull request as the API shows it."""
        found: dict[str, Any] = self._github("GET", f"/repos/acme/{repo}/pulls/{number}", None, "carol")
        return found

    def check_runs(self, sha: str, *, repo: str = REPO, name: str | None = None) -> list[dict[str, Any]]:
        """The check runs on a commit, newest last, of one name or all."""
        query = f"?per_page=100&check_name={quote(name)}" if name else "?per_page=100"
        found = self._github("GET", f"/repos/acme/{repo}/commits/{sha}/check-runs{query}", None, "carol")
        return sorted(found["check_runs"], key=lambda run: int(run["id"]))

    def comments(self, number: int, *, repo: str = REPO) -> list[dict[str, Any]]:
        """The comments on a pull request, oldest first."""
        found: list[dict[str, Any]] = self._github(
            "GET", f"/repos/acme/{repo}/issues/{number}/comments?per_page=100", None, "carol"
        )
        return found

    def slack_messages(self, channel: str = "ai-spend") -> list[dict[str, Any]]:
        """The messages of a channel, oldest first."""
        channels = self._slack("conversations.list", {"limit": 100})["channels"]
        ids = [found["id"] for found in channels if found["name"] == channel]
        if not ids:
            raise LookupError(f"no Slack channel {channel}; there are {[found['name'] for found in channels]}")
        messages: list[dict[str, Any]] = self._slack("conversations.history", {"channel": ids[0], "limit": 100})[
            "messages"
        ]
        return messages[::-1]

    def direct_messages(self, member: str) -> list[dict[str, Any]]:
        """What the bot told a member directly, oldest first."""
        channels = self._slack("conversations.list", {"limit": 100, "types": "im"})["channels"]
        ids = [found["id"] for found in channels if found["user"] == member]
        return [
            message
            for channel in ids
            for message in self._slack("conversations.history", {"channel": channel, "limit": 100})["messages"][::-1]
        ]

    def deliver(self, event: str, payload: Mapping[str, Any], *, guid: str | None = None) -> int:
        """Posts a webhook to `webhook_url` as GitHub would, signed, with the installation named; answers the HTTP status.

        For what the emulator never sends: merge_group, workflow_job, installation, redeliveries (same `guid`).
        """
        whole = {"installation": {"id": self.env.installation_id}, **payload}
        body = json.dumps(whole).encode()
        signature = hmac.new(self.env.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/emulated",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": guid or str(uuid.uuid4()),
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        return self._http.post(self.env.webhook_url, content=body, headers=headers).status_code

    # Life

    def stop(self) -> None:
        """Stops both; safe to call twice."""
        self._http.close()
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @classmethod
    def _launch(cls, node: Path, program: Path, webhook_url: str) -> Self:
        folder = Path(tempfile.mkdtemp(prefix="tabstop-emulators-"))
        port = _two_free_ports()
        seed = yaml.safe_load((SOURCES / "seed.yaml").read_text())
        app = seed["github"]["apps"][0]
        app |= {"private_key": _private_key(), "webhook_url": webhook_url}
        (folder / "seed.yaml").write_text(yaml.safe_dump(seed, sort_keys=False))
        env = EmulatorEnv(
            # `localhost`, not 127.0.0.1: the emulator names itself so, and PyGithub insists on one host.
            github_url=f"http://localhost:{port}",
            slack_url=f"http://localhost:{port + 1}",
            webhook_url=webhook_url,
            webhook_secret=app["webhook_secret"],
            app_id=app["app_id"],
            app_slug=app["slug"],
            private_key=app["private_key"],
            installation_id=app["installations"][0]["installation_id"],
        )
        command = [str(node), "--import", (SOURCES / "preload.mjs").as_uri(), str(program), "--service", "github,slack"]
        command += ["--port", str(port), "--seed", str(folder / "seed.yaml")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=folder, start_new_session=True
            )
        return cls(env, process, folder)

    def _wait_until_ready(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                self._github("GET", "/meta", None, "carol")
                self._slack("auth.test", {})
                return True
            time.sleep(0.05)
        return False

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def _branch_head(self, repo: str, branch: str) -> str | None:
        found = self._github_or_none(f"/repos/acme/{repo}/git/ref/heads/{branch}")
        return str(found["object"]["sha"]) if found else None

    def _file(self, repo: str, path: str, ref: str) -> dict[str, Any] | None:
        return self._github_or_none(f"/repos/acme/{repo}/contents/{quote(path)}?ref={quote(ref, safe='')}")

    def _github(self, method: str, path: str, body: Mapping[str, Any] | None, user: str) -> Any:
        headers = {"Authorization": f"Bearer {self.env.user_tokens[user]}"}
        answer = self._http.request(method, self.env.github_url + path, json=body, headers=headers)
        if answer.is_error:
            raise AssertionError(f"GitHub answered {answer.status_code} to {method} {path}: {answer.text}")
        return answer.json() if answer.content else None

    def _github_or_none(self, path: str) -> dict[str, Any] | None:
        headers = {"Authorization": f"Bearer {self.env.user_tokens['carol']}"}
        answer = self._http.get(self.env.github_url + path, headers=headers)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def _slack(self, method: str, form: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.env.slack_token}"}
        answer: dict[str, Any] = self._http.post(
            f"{self.env.slack_url}/api/{method}", json=form, headers=headers
        ).json()
        if not answer.get("ok"):
            raise AssertionError(f"Slack refused {method}: {answer.get('error')}")
        return answer


def node_program() -> Path:
    """A Node >= 22.15: the system's, else the one of the wheel. Raises `EmulatorsUnavailableError`."""
    done = subprocess.run([str(ROOT / "scripts" / "npm"), "--which-node"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EmulatorsUnavailableError(done.stderr.strip())
    node = Path(done.stdout.strip())
    said = subprocess.run([str(node), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    major, minor = (int(part) for part in said.lstrip("v").split(".")[:2])
    if (major, minor) < (22, 15):
        raise EmulatorsUnavailableError(
            f"{node} is {said}; the emulators need Node 22.15 or newer (module.registerHooks)."
        )
    return node


def _two_free_ports() -> int:
    """A port whose successor is free too; someone may still take them before we do, so starting is tried again."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port
    raise EmulatorsUnavailableError("Found no two neighbouring free ports on loopback.")


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode()
