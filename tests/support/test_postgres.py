"""The private PostgreSQL: real, fresh databases, gone afterwards."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.postgres


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def test_each_database_is_fresh_and_a_template_is_copied(postgres: PostgresServer) -> None:
    """Databases do not see each other; one made from a template has its tables and rows."""

    def prepare(url: str) -> None:
        db = connect(url)
        db.execute("CREATE TABLE seen AS SELECT 42 AS n")
        db.close()

    postgres.create_template("prepared", prepare)
    copied, empty = connect(postgres.create_database("prepared")), connect(postgres.create_database())
    try:
        assert copied.execute("SELECT n FROM seen").fetchall() == [(42,)]
        assert empty.execute("SELECT to_regclass('seen')").fetchone() == (None,)
        assert empty.execute("SHOW timezone").fetchone() == ("UTC",)
    finally:
        copied.close()
        empty.close()


def test_a_database_is_dropped_under_its_connections(postgres: PostgresServer) -> None:
    """A test that left connections open does not keep its database alive."""
    url = postgres.create_database()
    left_open = connect(url)
    postgres.drop_database(url)
    with pytest.raises(psycopg.OperationalError):
        connect(url)
    left_open.close()


@pytest.mark.slow
def test_the_server_goes_when_its_process_is_killed() -> None:
    """A kill -9 of the test process leaves neither server nor files behind."""
    program = "from tests.support.postgres import PostgresServer as P; print(P.start().folder, flush=True); input()"
    owner = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    with owner:
        assert owner.stdout
        folder = Path(owner.stdout.readline().strip())
        assert (folder / "data").is_dir()
        owner.kill()
    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()
