"""The table of jobs: which file does which kind, and what is due again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from app.jobs import (
    attribute_session,
    change_timezone,
    check_policy_edit,
    delivery,
    lapse_overdrive,
    merge_group,
    notice,
    read_policy,
    read_pull_request,
    reconcile,
    refresh_tab,
    reprice,
    retention,
    same_people,
    seal_audit,
    silence,
    sweep_deliveries,
    sync_installation,
    sync_repository,
)
from app.jobs.runner import Cron
from app.ledger.books import Job
from app.world import JobHandler, World

HANDLERS: Mapping[str, JobHandler] = {
    "attribute_session": attribute_session.run,
    "change_timezone": change_timezone.run,
    "check_policy_edit": check_policy_edit.run,
    "delivery": delivery.run,
    "lapse_overdrive": lapse_overdrive.run,
    "merge_group": merge_group.run,
    "notice": notice.run,
    "read_policy": read_policy.run,
    "read_pull_request": read_pull_request.run,
    "reconcile": reconcile.run,
    "refresh_tab": refresh_tab.run,
    "reprice": reprice.run,
    "retention": retention.run,
    "same_people": same_people.run,
    "seal_audit": seal_audit.run,
    "silence": silence.run,
    "sweep_deliveries": sweep_deliveries.run,
    "sync_installation": sync_installation.run,
    "sync_installations": sync_installation.run_all,
    "sync_repository": sync_repository.run,
}


def _due(job: Job) -> Callable[[World, datetime], None]:
    def fire(world: World, _now: datetime) -> None:
        world.store.enqueue([job])

    return fire


def _due_with_app(job: Job) -> Callable[[World, datetime], None]:
    """Nothing before `/setup`: without an App there is nobody to ask."""

    def fire(world: World, _now: datetime) -> None:
        if world.settings.github_app_id:
            world.store.enqueue([job])

    return fire


CRONS: tuple[Cron, ...] = (
    Cron("silence", timedelta(minutes=1), _due(Job("silence", "all"))),
    Cron("seal audit", timedelta(minutes=5), _due(Job("seal_audit", "all"))),
    Cron("sweep deliveries", timedelta(minutes=10), _due_with_app(Job("sweep_deliveries", "recent", {"hours": 1}))),
    Cron("sweep a day's deliveries", timedelta(hours=4), _due_with_app(Job("sweep_deliveries", "day", {"hours": 24}))),
    Cron("reconcile", timedelta(minutes=15), _due_with_app(Job("reconcile", "all"))),
    Cron("sync installations", timedelta(days=1), _due_with_app(Job("sync_installations", "all"))),
    Cron("reprice", timedelta(days=1), _due(Job("reprice", "all"))),
    Cron("same people", timedelta(days=1), _due(Job("same_people", "all"))),
    Cron("retention", timedelta(days=1), _due(Job("retention", "all"))),
)
"""The longer sweep makes up for an outage; a failed delivery can be asked for again for three days."""
