"""Migrations make exactly the tables the code speaks to, from nothing, on both databases, any number of times."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from app.ledger.recompute import recompute
from app.store.engine import Database
from app.store.migrate import is_current, upgrade
from app.store.sql_store import SqlStore
from app.store.tables import METADATA
from tabstop.budget import Scope
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.usage import Billing
from tabstop.window_share import WindowShare
from tests.ledger.builders import NOW, a_policy, a_report, a_start, a_usage, an_organization, begin, report

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The URL of a database with nothing in it."""

    def new(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/new.db"
        url: str = request.getfixturevalue("postgres_url")
        return url

    return new


_ADDED = {
    "0013": ["DROP TABLE former_default"],
    "0012": ["DROP TABLE earlier_gauge", "UPDATE session_gauge SET moved = 0 WHERE moved IS NULL"],
    "0011": ["DROP INDEX usage_disputed", *(f"ALTER TABLE usage DROP COLUMN {one}" for one in ("disputed", "told"))],
    "0010": [f"ALTER TABLE budget DROP COLUMN {one}" for one in ("unplaced_nano", "unplaced_tokens")],
}
"""What takes back what a revision added, newest first."""


def back_to(url: str, revision: str) -> None:
    """Make a database what it was at an earlier revision."""
    database = Database(url)
    with database.writing() as db:
        for statement in [one for added, undo in _ADDED.items() if added > revision for one in undo]:
            db.exec_driver_sql(statement)
        db.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
    database.close()


def checks(db: Connection) -> set[str]:
    inspector = inspect(db)
    return {str(c["name"]) for table in inspector.get_table_names() for c in inspector.get_check_constraints(table)}


@pytest.mark.parametrize("kind", DATABASES)
def test_migrations_make_the_tables(kind: str, empty_url: Callable[[str], str]) -> None:
    """Nothing is missing, nothing is left over: columns, types, indexes, checks."""
    url = empty_url(kind)
    assert not is_current(url)
    upgrade(url)
    upgrade(url)
    assert is_current(url)
    database = Database(url)
    with database.reading() as db:
        assert compare_metadata(MigrationContext.configure(db, opts={"compare_type": True}), METADATA) == []
        declared = {
            str(c.name) for table in METADATA.tables.values() for c in table.constraints if "held" in str(c.name)
        }
        assert declared <= checks(db)
    database.close()


@pytest.mark.parametrize("kind", DATABASES)
def test_two_servers_may_start_at_once(kind: str, empty_url: Callable[[str], str]) -> None:
    """One migrates, the other waits and finds it done."""
    url = empty_url(kind)
    errors: list[BaseException] = []

    def start() -> None:
        try:
            upgrade(url)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert is_current(url)


@pytest.mark.parametrize("kind", DATABASES)
def test_what_lies_on_no_tab_is_found_in_an_older_ledger(kind: str, new_url: Callable[[str], str]) -> None:
    """A database from before budgets knew of it says afterwards what its entries say, notional dollars as the policy counts them."""
    url = new_url(kind)
    store = SqlStore(url)
    organization = an_organization(store).id
    counting = a_policy(subscription_counts=True)
    with store.open(organization) as books:
        for name, start in (
            ("web", a_start("web")),
            ("main", a_start("main", branch="")),
            ("plan", a_start("plan", branch="", billing=Billing.SUBSCRIPTION)),
            ("counted", a_start("counted", branch="", billing=Billing.SUBSCRIPTION, policy=counting)),
        ):
            begin(books, start)
            report(books, f"session-{name}", a_report([a_usage(name)], policy=start.policy))
        month = next(one for one in books.all_budgets(NOW) if one.key.scope is Scope.REPOSITORY)
        assert 0 < month.unplaced.nano < month.spent.nano
        assert recompute(books, NOW) == []
    store.close()

    back_to(url, "0009")
    upgrade(url)

    store = SqlStore(url)
    with store.look(organization) as books:
        assert recompute(books, NOW) == []
        assert month in books.all_budgets(NOW)
    store.close()


@pytest.mark.parametrize("kind", DATABASES)
def test_calls_of_an_older_ledger_are_undisputed(kind: str, new_url: Callable[[str], str]) -> None:
    """Of a call stored before, what is stored is what was told: a report that says otherwise makes it disputed."""
    url = new_url(kind)
    store = SqlStore(url)
    organization = an_organization(store).id
    with store.open(organization) as books:
        begin(books, a_start())
        report(books, "session-one", a_report([a_usage("key")]))
    store.close()
    back_to(url, "0010")
    upgrade(url)

    store = SqlStore(url)
    with store.open(organization) as books:
        report(books, "session-one", a_report([a_usage("key")]))
        assert books.disputed_calls(NOW) == {}
        report(books, "session-one", a_report([a_usage("key", model="gpt-5")]))
        assert books.disputed_calls(NOW) == {"session-one": 1}
    store.close()


@pytest.mark.parametrize("kind", DATABASES)
def test_windows_of_an_older_ledger_moved_or_nobody_knows(kind: str, new_url: Callable[[str], str]) -> None:
    """Before, nothing moved and nobody looked twice were told alike: what had moved stays, of the rest nothing is known."""
    url = new_url(kind)
    store = SqlStore(url)
    organization = an_organization(store).id
    read = GaugeReading("anthropic", "", "5h", 3_000, NOW, GaugeSource.HEADER, NOW + timedelta(hours=1), 300)
    once = replace(read, window="weekly", minutes=10_080)
    with store.open(organization) as books:
        begin(books, a_start())
        books.keep_window_shares("session-one", [WindowShare(read, 500), WindowShare(once)])
    store.close()
    back_to(url, "0011")
    upgrade(url)

    store = SqlStore(url)
    with store.look(organization) as books:
        shares = {share.last.window: share.moved for _, share in books.window_shares(["session-one"])}
        assert recompute(books, NOW) == []
    assert shares == {"5h": 500, "weekly": None}
    store.close()
