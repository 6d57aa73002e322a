"""Recorded answers: a GitHub that says what it was told to, behind githubkit's transport, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.github_api.kit import KitApp
from app.github_api.pace import Pace

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

Answer = tuple[int, Any] | tuple[int, Any, Mapping[str, str]]


@dataclass
class Recorded:
    """`answers`: by `METHOD /path`, one answer for all calls or a list used up one by one. Tokens are made as GitHub does."""

    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)
    tokens: int = 0
    token_life: timedelta = timedelta(hours=1)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        key = f"{request.method} {request.url.path}"
        if key.endswith("/access_tokens"):
            self.tokens += 1
            expires = (datetime.now(UTC) + self.token_life).isoformat().replace("+00:00", "Z")
            return httpx.Response(201, json={"token": f"ghs_{self.tokens}", "expires_at": expires})
        self.asked.append(request)
        found = self.answers.get(key, (404, {"message": "Not Found"}))
        answer = (found.pop(0) if len(found) > 1 else found[0]) if isinstance(found, list) else found
        status, body, headers = (*answer, {})[:3]
        return httpx.Response(status, headers=headers, content=b"" if body is None else json.dumps(body).encode())

    def app(self, base_url: str = "https://api.github.com", now: Callable[[], datetime] | None = None) -> KitApp:
        """The App, talking to this."""
        return KitApp(
            "4242",
            private_key(),
            base_url,
            now=now or (lambda: datetime.now(UTC)),
            pace=Pace(every=0),
            transport=httpx.MockTransport(self),
        )

    def bodies(self, method: str) -> list[dict[str, Any]]:
        """What was sent with a method."""
        return [json.loads(r.content) for r in self.asked if r.method == method]


@cache
def private_key() -> str:
    """A key, made once."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode()
