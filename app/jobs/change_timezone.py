"""change_timezone: the organization's timezone follows its policy, from the next month on. payload: timezone.

Windows are part of a budget's key, so another zone in the middle of one would start every budget afresh. At the turn
of a month, in the old zone, days and months begin anyway; only a weekly budget may get an early Monday, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.jobs.edited_policy import document_of
from app.ledger.books import Job
from app.registry import Transaction
from app.world import World
from tabstop.policy.document import PolicyKind
from tabstop.policy.effective import effective
from tabstop.window import WindowKind, window_at


def follow_timezone(db: Transaction, timezone: str, *, first: bool, now: datetime) -> None:
    """Take over the policy's timezone: at once with the first policy, when nothing has been counted by it yet."""
    organization = db.organization()
    if organization.timezone == timezone:
        return
    if first:
        db.save_organization(replace(organization, timezone=timezone))
        return
    run_at = window_at(WindowKind.MONTH, organization.timezone, now).end
    db.enqueue(Job("change_timezone", timezone, {"timezone": timezone}, run_at))


def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Take it over, if the policy has not changed its mind."""
    if organization_id is None:
        return
    with world.store.open(organization_id) as db:
        organization = db.organization()
        document = document_of(db.policy_file_in_force(None), PolicyKind.ORGANIZATION)

        wanted = effective(document, None, name="").policy.timezone

        if wanted == payload["timezone"]:
            db.save_organization(replace(organization, timezone=wanted))
