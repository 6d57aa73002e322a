"""What GitHub tells in the demo: payloads with the fields of the real ones, signed and sent like GitHub's."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from app.demo import cast

Json = dict[str, Any]


class DeliveryError(Exception):
    """The server did not take a webhook."""


@dataclass(frozen=True, slots=True)
class Hook:
    """Sends webhooks to the server, as GitHub would."""

    server: str
    secret: str

    def send(self, event: str, payload: Mapping[str, Any]) -> None:
        """Deliver one event. Raises `DeliveryError`."""
        body = json.dumps(payload).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/demo",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest(),
        }
        # The server is this very process: a proxy in the environment must not be asked for it.
        response = httpx.post(
            f"{self.server}/webhooks/github", content=body, headers=headers, timeout=10, trust_env=False
        )
        if response.status_code != 202:
            raise DeliveryError(
                f"The server answered {response.status_code} to a {event} webhook: {response.text[:500]}"
            )


def installation_created() -> Json:
    """`installation.created`: somebody installed the App."""
    listed = [
        {"id": r.github_id, "full_name": r.full_name, "name": r.full_name.partition("/")[2], "private": r.private}
        for r in cast.repositories()
    ]
    installation = {"id": cast.INSTALLATION_ID, "account": _organization(), "suspended_at": None}
    return {
        "action": "created",
        "installation": installation,
        "repositories": listed,
        "sender": _user(cast.CAROL),
    }


def pull_request_opened(now: datetime) -> Json:
    """`pull_request.opened`."""
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    head = {"ref": cast.BRANCH, "sha": cast.HEAD, "repo": _repository(), "user": _organization()}
    pull_request = {
        "number": cast.NUMBER,
        "title": cast.TITLE,
        "state": "open",
        "draft": False,
        "merged": False,
        "user": _user(cast.ALICE),
        "head": head,
        "base": {"ref": "main", "sha": cast.POLICY_COMMIT, "repo": _repository()},
        "created_at": at,
        "updated_at": at,
    }
    return {"action": "opened", "number": cast.NUMBER, "pull_request": pull_request, **_context(cast.ALICE)}


def merge_group_checks_requested() -> Json:
    """`merge_group.checks_requested`: the merge queue made a commit of its own and asks for its checks."""
    group = {
        "head_sha": cast.MERGE_GROUP_HEAD,
        "head_ref": f"refs/heads/gh-readonly-queue/main/pr-{cast.NUMBER}-{cast.POLICY_COMMIT}",
        "base_sha": cast.POLICY_COMMIT,
        "base_ref": "refs/heads/main",
    }
    return {"action": "checks_requested", "merge_group": group, **_context(cast.CAROL)}


def job_event() -> Json:
    """The event file of a workflow job on the pull request."""
    head = {"ref": cast.BRANCH, "sha": cast.HEAD, "repo": _repository()}
    return {
        "action": "synchronize",
        "number": cast.NUMBER,
        "pull_request": {"number": cast.NUMBER, "head": head, "base": {"ref": "main"}},
        "repository": _repository(),
        "sender": _user(cast.ALICE),
    }


def _context(sender: cast.Person) -> Json:
    return {
        "repository": _repository(),
        "organization": _organization(),
        "installation": {"id": cast.INSTALLATION_ID},
        "sender": _user(sender),
    }


def _repository() -> Json:
    return {
        "id": cast.REPOSITORY_ID,
        "name": cast.REPOSITORY.partition("/")[2],
        "full_name": cast.REPOSITORY,
        "private": True,
        "default_branch": "main",
        "topics": [],
        "fork": False,
        "owner": _organization(),
    }


def _organization() -> Json:
    return {"id": cast.ORGANIZATION_ID, "login": cast.ORGANIZATION, "type": "Organization"}


def _user(person: cast.Person) -> Json:
    return {"id": person.github_id, "login": person.login, "type": "User"}
