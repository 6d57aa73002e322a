"""A Flask application with the set-up pages only, over secrets kept in memory and recorded answers of GitHub."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import httpx
from flask import Flask
from flask.testing import FlaskClient

from app.github_api.fake import FakeGitHub
from app.pricing import models_of, most_in_a_call, price_card, price_usage
from app.registry import Store
from app.settings import Settings
from app.web.setup import setup
from app.world import World

SETTINGS = Settings(
    secret_key="k" * 32,
    setup_token="let-me-in",
    public_url="https://tabstop.acme.example",
    github_url="https://github.com",
)

# The fields GitHub's documentation shows for this answer, with values of our own. Not recorded from a live server:
# the emulator has no manifest flow, so what GitHub really answers is the documentation's word.
CONVERTED: dict[str, Any] = {
    "id": 4711,
    "slug": "tabstop-acme",
    "node_id": "MDM6QXBw",
    "owner": {"login": "acme", "id": 1},
    "name": "Tabstop acme",
    "html_url": "https://github.com/apps/tabstop-acme",
    "client_id": "Iv1.8a61f9b3a7aba766",
    "client_secret": "1726be1638095a19edd134c77bde3aa2ece1e5d8",
    "webhook_secret": "e340154128314309424b7c8e90325147d99fdafa",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nnot a key\n-----END RSA PRIVATE KEY-----\n",
    "permissions": {"checks": "write"},
    "events": ["push"],
}


class KeepsSecrets:
    """The part of a store that the pages use. `broken`: it takes nothing."""

    def __init__(self) -> None:
        """Empty."""
        self.kept: dict[str, bytes] = {}
        self.broken = False

    def keep_secret(self, name: str, sealed: bytes) -> None:
        """Store one."""
        if self.broken:
            raise OSError("disk full")
        self.kept[name] = sealed

    def secret(self, name: str) -> bytes | None:
        """Read one."""
        return self.kept.get(name)


@dataclass
class SetupServer:
    """The server, and what GitHub answers: a function of the request."""

    settings: Settings = SETTINGS
    answer: Callable[[httpx.Request], httpx.Response] = lambda _request: httpx.Response(201, json=CONVERTED)
    can_renew: bool = True
    secrets: KeepsSecrets = field(default_factory=KeepsSecrets)
    asked: list[httpx.Request] = field(default_factory=list)
    renewed: int = 0

    def world(self) -> World:
        """The world of the pages."""
        return World(
            settings=self.settings,
            store=cast("Store", self.secrets),
            github=FakeGitHub(),
            chat=None,
            now=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC),
            new_session_id=lambda: "ses_1",
            price=price_usage,
            price_card=price_card,
            models_of=models_of,
            most_in_a_call=most_in_a_call,
        )

    def flask(self) -> Flask:
        """The application."""
        app = Flask("app.web")
        client = httpx.Client(transport=httpx.MockTransport(self._answer))
        app.register_blueprint(setup(self.world(), self._renew if self.can_renew else None, client))
        return app

    def browser(self, *, inside: bool = True) -> FlaskClient:
        """A browser; `inside` has shown the token."""
        browser = self.flask().test_client()
        if inside:
            browser.get("/setup?token=let-me-in", base_url=self.settings.public_url)
        return browser

    def running_with(self, **settings: str) -> SetupServer:
        """The same server, started again with other settings."""
        return replace(self, settings=replace(self.settings, **settings))

    def _renew(self) -> None:
        self.renewed += 1

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)
