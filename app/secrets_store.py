"""Secrets that `/setup` obtained, encrypted in the database under a key derived from TABSTOP_SECRET_KEY."""

from __future__ import annotations

import base64
import json
from typing import Protocol

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_APP = "github-app"


class SecretPlace(Protocol):
    """Where sealed secrets lie."""

    def keep_secret(self, name: str, sealed: bytes) -> None:
        """Store one."""

    def secret(self, name: str) -> bytes | None:
        """Read one."""


class SecretKeyError(Exception):
    """What is stored cannot be opened: TABSTOP_SECRET_KEY is not the one it was sealed with."""


def derived(secret_key: str, purpose: str) -> bytes:
    """32 bytes for one purpose (`secrets`, `audit`), so that no key serves two."""
    return HKDF(hashes.SHA256(), 32, salt=None, info=f"tabstop:{purpose}".encode()).derive(secret_key.encode())


def keep_app(place: SecretPlace, secret_key: str, credentials: dict[str, str]) -> None:
    """Store the App's credentials: `app_id`, `slug`, `private_key`, `webhook_secret`, `client_id`, `client_secret`."""
    place.keep_secret(_APP, _box(secret_key).encrypt(json.dumps(credentials).encode()))


def kept_app(place: SecretPlace, secret_key: str) -> dict[str, str] | None:
    """The stored credentials, or None before `/setup`. Raises `SecretKeyError`."""
    sealed = place.secret(_APP)
    if sealed is None:
        return None
    try:
        found: dict[str, str] = json.loads(_box(secret_key).decrypt(sealed))
    except InvalidToken as error:
        raise SecretKeyError(
            "The stored App credentials were sealed with another TABSTOP_SECRET_KEY. Set that one again, "
            "or set TABSTOP_GITHUB_APP_ID, TABSTOP_GITHUB_PRIVATE_KEY and TABSTOP_GITHUB_WEBHOOK_SECRET."
        ) from error
    return found


def _box(secret_key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived(secret_key, "secrets")))
