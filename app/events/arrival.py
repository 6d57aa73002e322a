"""Arrival: one webhook, read leniently: the few fields that every event has, and the rest as it came.

GitHub adds fields, and an Enterprise Server leaves some out, so nothing is refused that does not matter here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.github_api import answers
from app.github_api.protocol import RemoteRepository

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """A user, bot or organization, by GitHub's id: logins change."""

    github_id: int
    login: str
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event for one organization. installation_id: under which it came. account: the installation's owner.

    repository, sender: None for events without one. body: the whole payload.
    """

    event: str
    action: str
    installation_id: int
    account: Account
    repository: RemoteRepository | None
    sender: Account | None
    body: Body
    now: datetime


def read(event: str, body: Body, now: datetime) -> Arrival | None:
    """Read a payload; None when it is not an installation's (a `ping`, a hook that somebody set up by hand).

    Raises `KeyError`, `TypeError` or `ValueError` for what is no such payload.
    """
    installation = body.get("installation") or {}
    owner = account_of(installation.get("account") or (body.get("repository") or {}).get("owner"))
    if owner is None or "id" not in installation:
        return None
    return Arrival(
        event=event,
        action=body.get("action") or "",
        installation_id=installation["id"],
        account=owner,
        repository=answers.repository(body["repository"]) if body.get("repository") else None,
        sender=account_of(body.get("sender")),
        body=body,
        now=now,
    )


def account_of(data: Body | None) -> Account | None:
    """An account, or None where GitHub has none (`ghost`). Pushes name an owner without an id in old payloads."""
    if not data or "id" not in data:
        return None
    login = data.get("login") or data.get("name") or ""
    return Account(data["id"], login, data.get("type") == "Bot" or login.endswith("[bot]"))
