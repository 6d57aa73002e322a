"""Webhook signatures, checked by githubkit."""

from __future__ import annotations

from githubkit.webhooks import verify


def signed_by(secret: str, body: bytes, signature: str) -> bool:
    """Whether `X-Hub-Signature-256` is HMAC-SHA256 of the raw body under this secret (GitHub docs, validating deliveries)."""
    return signature.startswith("sha256=") and verify(secret, body, signature)
