"""The short form of `make soak`: the real server is killed under load, and nothing is lost, doubled or left wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.soak.run import Outcome, Plan, soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PLAN = Plan(seed=7, kills=2, pull_requests=3, alive_seconds=(0.8, 1.6), hurry=True)


def test_nothing_is_lost_when_the_server_is_killed_on_sqlite(tmp_path: Path) -> None:
    """Promises 2, 3, 5 and 8 outlive kill -9 with one file as the database."""
    _is_whole(soak(f"sqlite:///{tmp_path / 'soak.db'}", tmp_path, PLAN))


@pytest.mark.postgres
def test_nothing_is_lost_when_the_server_is_killed_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    """The same with PostgreSQL, where the database outlives the server."""
    _is_whole(soak(postgres_url, tmp_path, PLAN))


def _is_whole(outcome: Outcome) -> None:
    assert not outcome.violations, "\n".join(outcome.violations)
    assert outcome.counts["batches acknowledged"] > 10, outcome.counts
    assert outcome.counts["sessions admitted"] > 3, outcome.counts
