"""Answers: GitHub's JSON as the values of `app.github_api.protocol`, by the few fields we need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.github_api.protocol import (
    FailedDelivery,
    RemoteCommit,
    RemotePullRequest,
    RemoteRepository,
    RemoteRun,
    RemoteUser,
)

Json = Mapping[str, Any]

LONGEST_MESSAGE = 100_000
"""Characters of a commit's message that are looked through for co-authors."""

_CO_AUTHOR = re.compile(
    r"^co-authored-by:[ \t]*([^<>\n]{0,200}?)[ \t]*<([^<>\s]{1,254})>[ \t]*$", re.IGNORECASE | re.MULTILINE
)


def repository(data: Json) -> RemoteRepository:
    """A repository, of any listing."""
    return RemoteRepository(
        github_id=data["id"],
        full_name=data["full_name"],
        default_branch=data.get("default_branch") or "main",
        private=bool(data.get("private", True)),
        topics=tuple(data.get("topics") or ()),
    )


def pull_request(data: Json) -> RemotePullRequest:
    """A pull request, single or listed. Who deleted their account, or their fork, leaves None behind."""
    head, user = data["head"], data.get("user") or {}
    merged = bool(data.get("merged") or data.get("merged_at"))
    home = head.get("repo") or {}
    owner = (head.get("user") or home.get("owner") or {}).get("login") or head.get("label", "").partition(":")[0]
    return RemotePullRequest(
        number=data["number"],
        title=data.get("title") or "",
        state="merged" if merged else data["state"],
        draft=bool(data.get("draft")),
        head_sha=head["sha"],
        head_branch=head["ref"],
        head_repository_id=home.get("id"),
        head_owner=owner,
        base_branch=data["base"]["ref"],
        author_id=user.get("id"),
        author_login=user.get("login") or "",
        author_is_bot=user.get("type") == "Bot",
        updated_at=instant(data["updated_at"]),
        opened_at=_instant_if(data.get("created_at")),
        ended_at=_instant_if(data.get("closed_at")),
        assignees=tuple(account(one) for one in data.get("assignees") or () if one.get("login")),
        head_repository_name=home.get("full_name") or "",
    )


def account(data: Json) -> RemoteUser:
    """An account. `type` is `User`, `Bot` or `Organization`; Copilot's login has no `[bot]`."""
    return RemoteUser(data["id"], data["login"], data.get("type") == "Bot")


def commit(data: Json) -> RemoteCommit:
    """Who made a commit. GitHub's `author` is empty, or null, where it knows nobody by the address."""
    author, git = data.get("author") or {}, data["commit"].get("author") or {}
    return RemoteCommit(
        author=account(author) if author.get("login") else None,
        name=git.get("name") or "",
        address=git.get("email") or "",
        co_authors=tuple(_CO_AUTHOR.findall((data["commit"].get("message") or "")[:LONGEST_MESSAGE])),
    )


def run(data: Json) -> RemoteRun:
    """A workflow run. Who pressed Re-run is `triggering_actor`; the first attempt's is `actor`."""
    actor = data.get("triggering_actor") or data.get("actor") or {}
    return RemoteRun(
        id=data["id"],
        event=data.get("event") or "",
        head_sha=data.get("head_sha") or "",
        head_branch=data.get("head_branch") or "",
        status=data.get("status") or "",
        conclusion=data.get("conclusion") or "",
        actor_id=actor.get("id"),
        actor_login=actor.get("login") or "",
        attempt=data.get("run_attempt") or 1,
        repository_id=(data.get("repository") or {}).get("id"),
        head_repository_id=(data.get("head_repository") or {}).get("id"),
    )


def delivery(data: Json) -> FailedDelivery:
    """A delivery, as listed."""
    return FailedDelivery(data["id"], data["guid"], data.get("event") or "", instant(data["delivered_at"]))


def _instant_if(text: str | None) -> datetime | None:
    return instant(text) if text else None


def instant(text: str) -> datetime:
    """GitHub's time, with or without a fraction of a second."""
    return datetime.fromisoformat(text)
