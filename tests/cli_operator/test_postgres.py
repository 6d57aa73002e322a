"""The same commands on PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from app.ledger.books import AuditRow
from app.store.unsealed import unsealed
from tests.cli_operator.operator_at_work import AtWork
from tests.house.source import ROOT


@pytest.mark.postgres
def test_commands_work_there_too(on_postgres: AtWork) -> None:
    """Pause, raise, list, prove: what works on SQLite works here."""
    on_postgres.with_acme()
    for words in (
        "migrate",
        "pause acme --why x",
        "token new --organization acme --engineer alice",
        "token list",
        "overdrive grant --organization acme --tab widget#7 --amount 5 --why x",
        "overdrive list",
        "audit verify",
        "audit recompute",
        "jobs list",
    ):
        result = on_postgres.types(*words.split())
        assert result.exit_code == 0, (words, result.output)


@pytest.mark.postgres
def test_unsealed_rows(on_postgres: AtWork) -> None:
    """`doctor` sees how many rows wait for the seal, and since when."""
    acme = on_postgres.with_acme()
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    store = on_postgres.store()
    with store.open(acme.organization.id) as books:
        for minutes in (5, 0, 9):
            books.audit(AuditRow("test", at + timedelta(minutes=minutes), "x", {}))
    [found] = unsealed(on_postgres.url)
    assert (found.login, found.rows, found.oldest) == ("acme", 3, at)
    store.seal_audit(acme.organization.id, b"k")
    assert unsealed(on_postgres.url) == []


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_stops_when_told(on_postgres: AtWork, number: signal.Signals) -> None:
    """A worker process says that it works, and ends well on SIGTERM and on Ctrl-C, however soon and often they come."""
    command = [sys.executable, "-m", "app.cli", "worker"]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **on_postgres.env}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "Doing jobs." in process.stderr.readline()
    process.send_signal(number)
    process.send_signal(number)
    assert process.wait(30) == 0
    process.stderr.close()
