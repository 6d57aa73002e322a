"""seal_audit: number and chain the audit rows of each organization, in order."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from app.world import World


def run(world: World, _organization_id: int | None, _payload: Mapping[str, Any]) -> None:
    """Seal what is not sealed yet."""
    key = seal_key(world.settings.secret_key)
    for organization in world.store.organizations():
        world.store.seal_audit(organization.id, key)


def seal_key(secret_key: str) -> bytes:
    """The chain's key, from TABSTOP_SECRET_KEY: a key of its own, so that it can be handed to an auditor."""
    return hmac.new(secret_key.encode(), b"tabstop audit seal", hashlib.sha256).digest()
