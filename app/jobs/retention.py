"""retention: drop webhook bodies and delivery ids past their days (TABSTOP_KEEP_BODIES_DAYS, TABSTOP_KEEP_DELIVERIES_DAYS)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.world import World


def run(world: World, _organization_id: int | None, _payload: Mapping[str, Any]) -> None:
    """Drop them."""
    settings = world.settings
    world.store.remove_old(world.now(), int(settings.keep_bodies_days), int(settings.keep_deliveries_days))
