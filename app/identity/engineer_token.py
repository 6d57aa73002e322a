"""Engineers' own tokens: random, shown once, stored as a digest, revocable, scoped."""

from __future__ import annotations

import hashlib

PREFIX = "tabstop_eng_"
"""Lets secret scanners find a leaked one, and the server tell it from other bearers without looking it up."""

SCOPES = ("start", "read", "approve", "telemetry")
"""What a token may be good for: ask for sessions (each then has its own token), ask how things stand, raise a session's limits
where the policy names its engineer as an approver, or send telemetry of usage and nothing else (`start` may send it too)."""

USUAL = ("start", "read")
"""What it is good for unless told otherwise: an agent that finds the token on a laptop must not be able to raise its own limits."""


def digest_of(token: str) -> str:
    """What is stored: SHA-256 in hex. The token has 256 random bits, so no salt or slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def written(random_hex: str) -> str:
    """The token's text from 32 random bytes in hex."""
    return PREFIX + random_hex
