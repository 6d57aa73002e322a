"""reconcile: every open pull request has the check on its head commit, whatever was missed. Costs no call to GitHub."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from app.jobs.digest import is_answered
from app.ledger.books import Job
from app.world import World

SPREAD = timedelta(seconds=3)


def run(world: World, _organization_id: int | None, _payload: Mapping[str, Any]) -> None:
    """Ask for the check of every open pull request that lacks it."""
    for organization in world.store.organizations():
        if not organization.active:
            continue
        with world.store.look(organization.id) as db:
            tabs = sorted({p.tab_id for p in db.open_pull_requests() if not is_answered(p)})

        if tabs:
            with world.store.open(organization.id) as db:
                for number, tab_id in enumerate(tabs):
                    db.enqueue(Job("refresh_tab", str(tab_id), {"tab": tab_id}, world.now() + number * SPREAD))
