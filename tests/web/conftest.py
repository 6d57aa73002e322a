"""A server in the test's own process: real routes and store (SQLite), GitHub in memory, a clock the test moves."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.github_api.fake import FakeGitHub
from app.github_api.protocol import RemoteRepository
from app.identity.engineer_token import digest_of, written
from app.identity.oidc import OidcVerifier, keys_at
from app.pricing import models_of, most_in_a_call, price_card, price_usage
from app.registry import (
    Engineer,
    EngineerKind,
    EngineerToken,
    InForce,
    Organization,
    PolicyFile,
    Repository,
)
from app.settings import Settings
from app.store.migrate import upgrade
from app.store.open import open_store
from app.store.sql_store import SqlStore
from app.web.application import application
from app.web.metrics import meters
from app.world import World
from tests.support.oidc_issuer import OidcIssuer, github_claims

AUDIENCE = "http://localhost:8000"
SECRET = "webhook-secret"
ACME = 1
WIDGET = 1


@dataclass
class Clock:
    """Time that moves only when told."""

    now: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)


@dataclass
class Bench:
    """The server, and shorthands for who calls it."""

    world: World
    client: FlaskClient
    github: FakeGitHub
    clock: Clock
    issuer: OidcIssuer
    organization: Organization
    repository: Repository
    _keys: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def token(self, **claims: Any) -> str:
        """A fresh identity token of a `pull_request` run on #7, unless told otherwise."""
        wanted = {"event_name": "pull_request", "pull_request": 7, "branch": "claude/fix", **claims}
        return self.issuer.token(github_claims(**wanted), audience=AUDIENCE)

    def start(self, *, token: str = "", key: str = "", **body: Any) -> TestResponse:
        """Ask for a session."""
        return self.client.post(
            "/api/v1/sessions",
            json={"agent": "claude-code", **body},
            headers={
                "Authorization": f"Bearer {token or self.token()}",
                "Idempotency-Key": key or f"start-{next(self._keys):06}",
            },
        )

    def report(self, started: TestResponse, *calls: dict[str, Any], **body: Any) -> TestResponse:
        """Report usage of an admitted session."""
        answer = json_of(started)
        return self.client.post(
            f"/api/v1/sessions/{answer['session']}/usage",
            json={"calls": list(calls), **body},
            headers={"Authorization": f"Bearer {answer['token']}"},
        )

    def end(self, started: TestResponse, outcome: str = "finished") -> TestResponse:
        """End an admitted session."""
        answer = json_of(started)
        return self.client.post(
            f"/api/v1/sessions/{answer['session']}/end",
            json={"outcome": outcome},
            headers={"Authorization": f"Bearer {answer['token']}"},
        )

    def a_call(self, key: str, output: int = 1_000, **changes: Any) -> dict[str, Any]:
        """A call of claude-sonnet-4-5: $15 a million output tokens, so 1,000 cost 1.5 cents."""
        tokens = {"input": 0, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "output": output}
        return {
            "keys": [f"anthropic:req:{key}"],
            "model": "claude-sonnet-4-5",
            "tokens": tokens,
            "occurred_at": self.clock.now.isoformat(),
            **changes,
        }

    def engineer_token(self, login: str, *scopes: str) -> str:
        """A member's own token with these scopes."""
        self.clock.pass_by(seconds=1)
        text = written(uuid.uuid4().hex * 2)
        with self.world.store.open(self.organization.id) as books:
            github_id = int.from_bytes(login.encode()[:6], "big")
            engineer = books.save_engineer(Engineer(0, github_id, login, EngineerKind.MEMBER, self.clock.now))
            token = EngineerToken(
                books.new_id(),
                self.organization.id,
                engineer.id,
                digest_of(text),
                "laptop",
                scopes,
                self.clock.now,
            )
            books.add_engineer_token(token)
        return text

    def policy(self, text: str) -> None:
        """Put a policy in force for the repository."""
        with self.world.store.open(self.organization.id) as books:
            books.add_policy_file(PolicyFile(self.repository.id, "c0ffee", text, "valid", (), self.clock.now))

    def organization_policy(self, text: str) -> None:
        """Put the organization's policy in force."""
        with self.world.store.open(self.organization.id) as books:
            books.add_policy_file(PolicyFile(None, "0dd5", text, "valid", (), self.clock.now))

    def in_force(self) -> InForce:
        """The policy in force for the repository."""
        with self.world.store.look(self.organization.id) as books:
            return books.policy_in_force(self.repository.id)


def json_of(response: TestResponse) -> Any:
    """The body of an answer."""
    return json.loads(response.get_data(as_text=True))


EACH_DATABASE = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
"""A server's tests on both, where a module or a test says so."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """Of the server's database: of the kind that `EACH_DATABASE` names, else empty for a new file of SQLite."""
    kind = getattr(request, "param", "")
    return str(request.getfixturevalue("new_url")(kind)) if kind else ""


@pytest.fixture
def bench(tmp_path: Path, oidc_issuer: OidcIssuer, database_url: str) -> Iterator[Bench]:
    """A fresh server with acme/widget installed."""
    made = new_bench(tmp_path, oidc_issuer, url=database_url)
    yield made
    if isinstance(made.world.store, SqlStore):
        made.world.store.close()


def new_bench(tmp_path: Path, oidc_issuer: OidcIssuer, clock: Clock | None = None, url: str = "") -> Bench:
    """The same where there is no pytest. url: of a migrated database; without one it is a new file."""
    if not url:
        url = f"sqlite:///{tmp_path / 'books.db'}"
        upgrade(url)
    settings = Settings.from_environ(
        {
            "TABSTOP_DATABASE_URL": url,
            "TABSTOP_SECRET_KEY": "t" * 40,
            "TABSTOP_PUBLIC_URL": AUDIENCE,
            "TABSTOP_GITHUB_WEBHOOK_SECRET": SECRET,
            "TABSTOP_OIDC_ISSUER": oidc_issuer.issuer,
            "TABSTOP_OIDC_JWKS_URL": oidc_issuer.jwks_url,
        }
    )
    clock, github = clock or Clock(datetime.now(UTC).replace(microsecond=0)), FakeGitHub()
    github.install(777, ACME, "acme", RemoteRepository(WIDGET, "acme/widget", "main", private=True))
    github.members["acme"] = {"alice", "bob"}
    store = open_store(url)
    organization = store.register(ACME, "acme", 777)
    with store.open(organization.id) as books:
        repository = books.save_repository(Repository(0, WIDGET, "acme/widget"))
    world = World(
        settings=settings,
        store=store,
        github=github,
        chat=None,
        now=clock,
        new_session_id=lambda: f"ses_{uuid.uuid4().hex}",
        price=price_usage,
        price_card=price_card,
        models_of=models_of,
        most_in_a_call=most_in_a_call,
    )
    verifier = OidcVerifier(settings.oidc_issuer, settings.audience, keys_at(settings.jwks_url))
    flask = application(world, verifier, meters())
    return Bench(world, flask.test_client(), github, clock, oidc_issuer, organization, repository)


ORGANIZATIONS = "approvers: [carol, 'team:leads']\nslack:\n  channel: '#spend'\n"
"""A policy with which somebody may grant more."""


@pytest.fixture
def approvers(bench: Bench) -> None:
    """Carol may approve, and whoever is in the team of leads."""
    bench.organization_policy(ORGANIZATIONS)
    bench.github.members["acme"] |= {"carol", "lee"}
    bench.github.teams["acme", "leads"] = {"lee"}
