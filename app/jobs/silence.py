"""silence: sessions whose lease ran out are silent; what they held is free again. Usage that still comes counts as late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.ledger.end_session import end_session
from app.world import World
from tabstop.session import SessionOutcome

DETAIL = "Nothing was heard of it until its lease ran out."


def run(world: World, _organization_id: int | None, _payload: Mapping[str, Any]) -> None:
    """End the silent sessions of every organization."""
    now = world.now()
    for organization in world.store.organizations():
        with world.store.look(organization.id) as db:
            silent = bool(db.live_sessions(silent_at=now))

        if silent:
            with world.store.open(organization.id) as db:
                for session in db.live_sessions(silent_at=now):
                    end_session(db, session, SessionOutcome.SILENT, DETAIL, now)
