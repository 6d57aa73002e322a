"""sweep_deliveries: have GitHub send again what did not reach us. payload: hours to look back. GitHub never does so by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from app.events.dispatch import HANDLERS
from app.jobs.asking_github import asking_github
from app.world import World


@asking_github()
def run(world: World, _organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Ask for every failed delivery of an event we handle and have not stored by another attempt; its GUID stays."""
    since = world.now() - timedelta(hours=payload["hours"])

    failed = [d for d in world.github.failed_deliveries(since) if d.event in HANDLERS]

    for delivery in failed:
        if world.store.delivery(delivery.guid) is None:
            world.github.redeliver(delivery.id)
