"""The real server process with GitHub and an issuer on loopback, installed on one organization."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from bench.loopback_github import INSTALLATION_ID, ORGANIZATION, WEBHOOK_SECRET, LoopbackGitHub
from tests.support.oidc_issuer import OidcIssuer, github_claims
from tests.support.server import ServerProcess

T = TypeVar("T")

PATIENCE_SECONDS = 60
SECRET_KEY = "loopback-" + "k" * 40


@dataclass
class LoopbackStage:
    """Everything that runs."""

    server: ServerProcess
    github: LoopbackGitHub
    issuer: OidcIssuer
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=20, trust_env=False))

    def deliver(self, event: str, payload: Mapping[str, Any], guid: str = "") -> bool:
        """Send a webhook once, signed; whether it was taken. Nobody answering is a no."""
        try:
            headers, body = signed(event, payload, guid)
            return self.http.post(f"{self.server.url}/webhooks/github", content=body, headers=headers).is_success
        except httpx.HTTPError:
            return False

    def install(self, policy: str = "") -> None:
        """GitHub tells of the installation; returns when the server has read the organization's policy."""
        self.github.policy = policy
        told = {"action": "created", "repositories": [self.github.repository]}
        self.eventually(lambda: self.deliver("installation", told), "nobody takes the installation")
        if policy:
            self.eventually(lambda: self.github.policy_reads, "the policy was not read")

    def pull_request(self, action: str, pull: Mapping[str, Any]) -> dict[str, Any]:
        """The payload of a `pull_request` event."""
        return {"action": action, "number": pull["number"], "pull_request": pull, "repository": self.github.repository}

    def token(self, pull: Mapping[str, Any], run_id: int) -> str:
        """A fresh identity token of a run on this pull request."""
        branch = pull["head"]["ref"]
        claims = github_claims(
            event_name="pull_request", pull_request=pull["number"], branch=branch, run_id=str(run_id)
        )
        return self.issuer.token(claims, audience=self.server.url)

    def eventually(self, what: Callable[[], T | None], because: str) -> T:
        """Wait until `what` answers something true. Raises `AssertionError` with the server's log."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = what()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{because}\nThe server said:\n{self.server.log[-4000:]}")


@contextmanager
def loopback_stage(database_url: str, folder: Path) -> Iterator[LoopbackStage]:
    """Start all of it on an empty database."""
    with LoopbackGitHub() as github, OidcIssuer.start() as issuer:
        settings = {
            "TABSTOP_DATABASE_URL": database_url,
            "TABSTOP_SECRET_KEY": SECRET_KEY,
            "TABSTOP_GITHUB_APP_ID": "4242",
            "TABSTOP_GITHUB_PRIVATE_KEY": github.private_key,
            "TABSTOP_GITHUB_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "TABSTOP_GITHUB_API_URL": github.url,
            "TABSTOP_GITHUB_URL": github.url,
            "TABSTOP_OIDC_ISSUER": issuer.issuer,
            "TABSTOP_OIDC_JWKS_URL": issuer.jwks_url,
        }
        with ServerProcess(settings, folder) as server:
            stage = LoopbackStage(server, github, issuer)
            try:
                yield stage
            finally:
                stage.http.close()


def signed(event: str, payload: Mapping[str, Any], guid: str = "") -> tuple[dict[str, str], bytes]:
    """Headers and body of a webhook as GitHub sends it, the installation named."""
    body = json.dumps({"installation": {"id": INSTALLATION_ID, "account": ORGANIZATION}, **payload}).encode()
    signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": guid or str(uuid.uuid4()),
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    return headers, body
