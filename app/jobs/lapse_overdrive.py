"""lapse_overdrive: a raise of a session's limits has run out, and is taken back. payload: session, overdrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.ledger.session_overdrives import lapse
from app.world import World


def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Take it back; again, nothing happens."""
    if organization_id is None:
        return
    with world.store.open(organization_id) as books:
        session = books.session(str(payload["session"]))
        granted = books.session_overdrives(str(payload["session"]))
        overdrive = next((one for one in granted if one.id == int(payload["overdrive"])), None)
        if session is not None and overdrive is not None:
            lapse(books, session, overdrive, world.now())
