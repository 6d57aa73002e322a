"""What the App may do on GitHub and which events it hears, each with its reason: the one table for `/setup`, `doctor` and the docs.

Source: GitHub's docs, apps/sharing-github-apps/registering-a-github-app-from-a-manifest, and for what an event needs
webhooks/webhook-events-and-payloads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_NAME = 34
"""GitHub's limit for the name of an App."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission: GitHub's key for it, the words of its settings page, the access (`read`, `write`), and why."""

    key: str
    title: str
    access: str
    why: str


@dataclass(frozen=True, slots=True)
class Event:
    """One webhook event the App subscribes to: GitHub's name, the permission key it needs, and why."""

    name: str
    needs: str
    why: str


PERMISSIONS = (
    Permission("checks", "Checks", "write", "posts the check `tabstop / budget`, and hears when somebody re-runs it"),
    Permission(
        "pull_requests", "Pull requests", "write", "sees pull requests, and keeps one comment up to date on each"
    ),
    Permission(
        "statuses",
        "Commit statuses",
        "write",
        "sets no status: GitHub lets a ruleset name an App as a check's source only if it has this",
    ),
    Permission("contents", "Contents", "read", "reads `.github/tabstop.yml`, and hears when a push changes it"),
    Permission("actions", "Actions", "read", "verifies which run asks for a session, and hears when it has ended"),
    Permission("merge_queues", "Merge queues", "read", "hears of merge groups, which it answers at once"),
    Permission("metadata", "Metadata", "read", "GitHub gives it to every App"),
    Permission("members", "Members (organization)", "read", "tells members, who have budgets, from guests"),
)
"""Exactly what is needed. Comments on pull requests need `pull_requests` only, so `issues` is not here."""

EVENTS = (
    Event("pull_request", "pull_requests", "gives every pull request its check, agents or not"),
    Event("check_run", "checks", "posts the check again at “Re-run”"),
    Event("check_suite", "checks", "posts the check again at “Re-run all checks”"),
    Event("merge_group", "merge_queues", "posts the check on merge groups, which wait for it when it is required"),
    Event("workflow_run", "actions", "ends the sessions of a run that has ended, and frees what they held"),
    Event("workflow_job", "actions", "ends the sessions of a job that has ended, while its run goes on"),
    Event("push", "contents", "lets a new policy on the default branch count at once"),
    Event(
        "repository",
        "metadata",
        "learns old names of repositories and of their default branches: clones go on with them",
    ),
)
"""Subscribed to. `installation` and `installation_repositories` come to every App without asking."""


def manifest(*, name: str, server: str, public: bool = False) -> dict[str, Any]:
    """The App's manifest, for the form field `manifest`. `server` is the address GitHub and people reach us at."""
    base = server.rstrip("/")
    return {
        "name": name[:LONGEST_NAME].strip(),
        "url": base,
        "description": "What coding agents cost, per pull request, and the brakes that stop them in time.",
        "hook_attributes": {"url": f"{base}/webhooks/github", "active": True},
        "redirect_url": f"{base}/setup/created",
        "setup_url": f"{base}/setup/next",
        "public": public,
        "default_permissions": {permission.key: permission.access for permission in PERMISSIONS},
        "default_events": [event.name for event in EVENTS],
    }


def missing_permissions(granted: Mapping[str, str]) -> list[Permission]:
    """Those not granted, or granted to read where writing is needed."""
    return [p for p in PERMISSIONS if granted.get(p.key) not in {p.access, "write", "admin"}]


def unused_permissions(granted: Mapping[str, str]) -> dict[str, str]:
    """What nothing here needs: by key, the access granted and, where less would do, what is enough (`write, read is enough`)."""
    needed = {p.key: p.access for p in PERMISSIONS}
    unused = {}
    for key, access in sorted(granted.items()):
        if key not in needed:
            unused[key] = access
        elif needed[key] == "read" and access in {"write", "admin"}:
            unused[key] = f"{access}, read is enough"
    return unused


def missing_events(heard: Sequence[str]) -> list[Event]:
    """Those the App does not subscribe to."""
    return [event for event in EVENTS if event.name not in heard]


def permission_table() -> str:
    """The permissions as a Markdown table, for the README and the docs."""
    rows = [f"| {p.title} | {p.access} | {p.why} |" for p in PERMISSIONS]
    return "\n".join(["| permission | access | why |", "| --- | --- | --- |", *rows]) + "\n"


def event_table() -> str:
    """The events as a Markdown table."""
    rows = [f"| `{event.name}` | {event.why} |" for event in EVENTS]
    return "\n".join(["| event | why |", "| --- | --- |", *rows]) + "\n"
