"""Pytest fixtures over this folder's services. What cannot run here skips its tests, saying why; heavy imports wait until used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.emulator import Emulators
    from tests.support.oidc_issuer import OidcIssuer
    from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One private PostgreSQL server per test process."""
    from tests.support.postgres import PostgresServer, PostgresUnavailableError  # noqa: PLC0415 (heavy; most runs do without)

    try:
        server = PostgresServer.start()
    except PostgresUnavailableError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """A fresh, empty database (`postgresql+psycopg://…`), dropped afterwards."""
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture(scope="module")
def start_emulators() -> Iterator[Callable[[str], Emulators]]:
    """Starts emulated GitHub and Slack whose webhooks go to the given address; stopped when the module ends."""
    from tests.support.emulator import Emulators, EmulatorsUnavailableError  # noqa: PLC0415 (heavy; most runs do without)

    running: list[Emulators] = []

    def start(webhook_url: str) -> Emulators:
        try:
            running.append(Emulators.start(webhook_url=webhook_url))
        except EmulatorsUnavailableError as error:
            pytest.skip(str(error))
        return running[-1]

    yield start
    for emulators in running:
        emulators.stop()


@pytest.fixture(scope="module")
def oidc_issuer() -> Iterator[OidcIssuer]:
    """A running OIDC issuer with one published key."""
    from tests.support.oidc_issuer import OidcIssuer  # noqa: PLC0415 (heavy; most runs do without)

    with OidcIssuer.start() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def example_payloads() -> Callable[[str], list[dict[str, Any]]]:
    """GitHub's example payloads of an event (`github_payloads.octokit_examples`)."""
    from tests.support.github_payloads import (  # noqa: PLC0415 (heavy; most runs do without)
        PayloadsUnavailableError,
        octokit_events,
        octokit_examples,
    )

    try:
        octokit_events()
    except PayloadsUnavailableError as error:
        pytest.skip(str(error))
    return octokit_examples
