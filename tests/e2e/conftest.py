"""The main job's stage: the real server, emulated GitHub and Slack, a real issuer, and runners that run `action.yml`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.stage import Stage
from tests.support.emulator import Emulators
from tests.support.oidc_issuer import OidcIssuer
from tests.support.server import ServerProcess, free_port


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def stage(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    start_emulators: Callable[[str], Emulators],
    oidc_issuer: OidcIssuer,
) -> Iterator[Stage]:
    """Everything started, the App installed, no pull request yet; once per database."""
    folder = tmp_path_factory.mktemp(f"stage-{request.param}")
    port = free_port()
    emulators = start_emulators(f"http://127.0.0.1:{port}/webhooks/github")
    server = ServerProcess(environ(request, folder, emulators, oidc_issuer), folder, port)
    with server:
        yield Stage(server, emulators, oidc_issuer, folder)


def environ(request: pytest.FixtureRequest, folder: Path, emulators: Emulators, issuer: OidcIssuer) -> dict[str, str]:
    """The server's settings on this stage."""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres").create_database()
    else:
        database = f"sqlite:///{folder / 'tabstop.db'}"
    return {
        "TABSTOP_DATABASE_URL": database,
        "TABSTOP_SECRET_KEY": "e2e-" + "k" * 40,
        "TABSTOP_GITHUB_APP_ID": str(emulators.env.app_id),
        "TABSTOP_GITHUB_PRIVATE_KEY": emulators.env.private_key,
        "TABSTOP_GITHUB_WEBHOOK_SECRET": emulators.env.webhook_secret,
        "TABSTOP_GITHUB_API_URL": emulators.env.github_url,
        "TABSTOP_GITHUB_URL": emulators.env.github_url,
        "TABSTOP_OIDC_ISSUER": issuer.issuer,
        "TABSTOP_OIDC_JWKS_URL": issuer.jwks_url,
        "TABSTOP_SLACK_TOKEN": emulators.env.slack_token,
        "TABSTOP_SLACK_API_URL": f"{emulators.env.slack_url}/api/",
    }
