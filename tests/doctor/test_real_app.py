"""What `doctor` asks of GitHub, by the real client over recorded answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.doctor.examine import AskableApp
from app.doctor.github import deliveries, hook, refused
from app.github_api.kit import KitApp
from app.github_api.protocol import GitHubError
from app.settings import Settings

NOW = datetime.now(UTC)
SETTINGS = Settings(secret_key="k" * 32, public_url="https://tabstop.acme.example", github_app_id="4711")
FAILED = {
    "id": 12, "guid": "0b989ba4", "delivered_at": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"), "redelivery": False,
    "duration": 10.0, "status": "timed out", "status_code": 0, "event": "push", "action": None,
    "installation_id": 9001, "repository_id": 7001,
}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "/app": {"slug": "tabstop-acme", "permissions": {"checks": "write"}, "events": ["push"]},
    "/app/installations": [{"id": 9001, "account": {"id": 101, "login": "acme"}, "suspended_at": None}],
    "/app/hook/config": {"url": "https://tabstop.acme.example/webhooks/github", "content_type": "json"},
    "/app/hook/deliveries": [FAILED],
}


def pem() -> str:
    """A key as GitHub gives them."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def asking(key: str) -> AskableApp:
    """The real client, with GitHub's answers recorded."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=ANSWERS[request.url.path]))
    return KitApp("4711", key, transport=transport)


def test_the_real_client_answers_what_is_asked() -> None:
    """Registration, installations, webhook address and failed deliveries, each as the checks take them."""
    app = asking(pem())
    assert app.app().events == ("push",)
    assert list(app.installations()) == [(9001, 101, "acme")]
    assert hook(SETTINGS, app.hook_url()).found == "GitHub sends to https://tabstop.acme.example/webhooks/github."
    failed = list(app.failed_deliveries(NOW - timedelta(days=1)))
    assert "1 webhook of the last 24 hours did not arrive" in deliveries(failed, more=False).found


def test_a_key_that_is_none() -> None:
    """The real client's own complaint about a broken key is recognised, and not repeated."""
    broken = asking("-----BEGIN RSA PRIVATE KEY-----\nnonsense\n-----END RSA PRIVATE KEY-----")
    with pytest.raises(GitHubError) as caught:
        broken.app()
    assert refused(SETTINGS, caught.value).found == "The private key cannot be used: it is no PEM key."


def test_an_app_without_a_webhook_is_no_matter_of_credentials() -> None:
    """GitHub took them just before; it is the webhook that is not there."""
    error = GitHubError("GitHub answered 404 to GET /app/hook/config: Not Found", status=404)
    told = refused(SETTINGS, error)
    assert told.subject == "webhook address"
    assert "https://tabstop.acme.example/webhooks/github" in told.remedy
