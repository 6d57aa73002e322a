"""delivery: handle a webhook that was stored when it arrived. payload: guid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.events.dispatch import dispatch
from app.world import GiveUpError, World


def run(world: World, _organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Dispatch it; one whose body retention has taken is past helping, and said so."""
    stored = world.store.delivery(payload["guid"])
    if stored is None:
        raise GiveUpError("The webhook's body is gone (retention); hourly reconciling makes up for what it said.")
    event, body = stored

    try:
        dispatch(world.store, event, body, world.now())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise GiveUpError(f"The `{event}` webhook cannot be read ({type(error).__name__}: {error}).") from error
