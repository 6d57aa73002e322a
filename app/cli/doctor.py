"""`doctor`: looks at everything the server stands on and says what to fix."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import httpx

from app.doctor.diagnosis import Diagnosis, Level
from app.doctor.examine import Outside, examine, misset
from app.doctor.fetch import FetchWith
from app.doctor.report import as_json, line, summary
from app.github_api.kit import KitApp
from app.settings import Settings, SettingsError
from app.slack_api.client import SlackChat
from app.slack_api.protocol import Chat
from app.store.migrate import is_current
from app.store.open import open_store
from app.store.unsealed import unsealed
from app.wiring import with_kept_credentials


@click.command()
@click.option("--json", "machine", is_flag=True, help="One JSON object.")
def doctor(machine: bool) -> None:
    """Look at settings, database, GitHub App, webhooks, Slack, jobs, policies, audit log and clock; say what to fix.

    Exit code 0: nothing wrong, or warnings only. 1: problems.
    """
    found: list[Diagnosis] = []
    with httpx.Client() as client:
        try:
            looking = examine(Settings.from_environ(os.environ), outside(client))
        except SettingsError as error:
            looking = iter(misset(error.problems))
        for one in looking:
            found.append(one)
            if not machine:
                click.echo(line(one))
    click.echo(as_json(found) if machine else f"\n{summary(found)}")
    sys.exit(1 if any(one.level is Level.PROBLEM for one in found) else 0)


def outside(client: httpx.Client) -> Outside:
    """The real outside."""
    return Outside(
        is_current=is_current,
        open_store=open_store,
        credentials=with_kept_credentials,
        unsealed=unsealed,
        github=KitApp.from_settings,
        chat=_chat,
        fetch=FetchWith(client),
        mounts=_mounts,
        now=lambda: datetime.now(UTC),
    )


def _chat(settings: Settings) -> Chat | None:
    return SlackChat.from_settings(settings) if settings.slack_token else None


def _mounts() -> str:
    """Linux tells here; elsewhere nothing is known."""
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
