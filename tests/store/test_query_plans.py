"""How SQLite finds the rows of an admission, a report and a refresh: by an index, however large an organization grows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from app.ledger.attribute_again import attribute_again
from app.registry import Transaction
from app.store.open import open_store
from app.store.sql_store import SqlStore
from tabstop.budget import Scope
from tabstop.evidence import CommitMade, Evidence, PullRequestLink
from tests.ledger.builders import (
    ENGINEER,
    NOW,
    REPOSITORY,
    a_policy,
    a_report,
    a_start,
    a_usage,
    an_organization,
    begin,
    report,
)

HEAD = "0123456789abcdef0123456789abcdef01234567"

Sent = tuple[str, Any]


def admission(books: Transaction) -> None:
    """A start on a tab that has a session already."""
    assert begin(books, a_start("second", policy=a_policy(hold="1", organization="1000"))).status == 201


def a_batch(books: Transaction) -> None:
    """A report of which one usage is stored already."""
    report(books, "session-first", a_report([a_usage("anthropic:req:1"), a_usage("anthropic:req:2")]))
    books.gauges_of(ENGINEER)
    books.earlier_gauges(ENGINEER)


def a_told_batch(books: Transaction) -> None:
    """A report that tells where its calls were made, and what is asked when GitHub tells of a pull request."""
    told = [
        a_usage("anthropic:req:1", evidence=Evidence("acme/web", "claude/x")),
        a_usage("anthropic:req:2", evidence=Evidence("acme/web", "b")),
        a_usage("anthropic:req:3", evidence=Evidence("", "", HEAD)),
    ]
    link, made = PullRequestLink("acme/web", 7, "b", NOW), CommitMade(HEAD[:7], "", "b", NOW)
    report(books, "session-first", replace(a_report(told), pull_requests=[link], commits=[made]))
    books.sessions_that_saw("acme/web", 7, "b", HEAD)
    session = books.session("session-first")
    assert session is not None
    attribute_again(books, session, a_policy(), "alice", NOW)


def refresh(books: Transaction) -> None:
    """What a tab's pages and a pull request's check are made of."""
    session = books.session("session-first")
    assert session is not None
    assert session.tab_id is not None
    books.budgets_of_tab(session.tab_id, NOW)
    books.budget_in_window(Scope.ENGINEER, ENGINEER, NOW)
    books.pull_requests_of_tab(session.tab_id)
    books.plan_tokens_on(session.tab_id, [session.id])
    books.open_pull_requests()
    books.open_pull_requests(REPOSITORY)
    books.known(["anthropic:req:1", "anthropic:req:3"])
    books.usages([1, 2])


@pytest.mark.parametrize("work", [admission, a_batch, a_told_batch, refresh])
def test_no_hot_statement_reads_a_whole_table(
    work: Callable[[Transaction], None], new_url: Callable[[str], str]
) -> None:
    """Nor every row of an organization: that is the whole table where a server has one, and grows for ever."""
    store = open_store(new_url("sqlite"))
    assert isinstance(store, SqlStore)
    organization = an_organization(store).id
    with store.open(organization) as books:
        begin(books, a_start("first", policy=a_policy(hold="1", organization="1000")))
        report(books, "session-first", a_report([a_usage("anthropic:req:1")]))
    with _statements(store) as sent, store.open(organization) as books:
        work(books)
    plans = {statement: _plan(store, statement, parameters) for statement, parameters in sent}
    store.close()
    assert len(plans) >= 5, "the statements were not seen"
    too_much = {
        statement: wide for statement, plan in plans.items() if (wide := [step for step in plan if _reads_all(step)])
    }
    assert not too_much, "\n\n".join(f"{statement}\n-> {wide}" for statement, wide in too_much.items())


@pytest.mark.parametrize(
    ("step", "reads_all"),
    [
        ("SCAN budget", True),
        ("SCAN pull_request USING INDEX pull_request_tab", True),
        ("SEARCH budget USING PRIMARY KEY (organization_id=?)", True),
        ("SEARCH pull_request USING INDEX pull_request_open (organization_id=?)", True),
        ("SEARCH pull_request USING INDEX pull_request_open (organization_id=? AND state=?)", False),
        ("SEARCH organization USING INTEGER PRIMARY KEY (rowid=?)", False),
        ("SCAN j VIRTUAL TABLE INDEX 1:", False),
        ("MULTI-INDEX OR", False),
    ],
)
def test_a_plan_is_read_as_sqlite_writes_it(step: str, *, reads_all: bool) -> None:
    """So that the test above cannot pass by not understanding."""
    assert _reads_all(step) is reads_all


def _reads_all(step: str) -> bool:
    """Whether a step of a plan reads a table, or all of one organization's rows in it. `json_each` is a virtual table."""
    scans = step.startswith("SCAN ") and "VIRTUAL TABLE" not in step and step != "SCAN CONSTANT ROW"
    return scans or re.search(r"\(organization_id=\?\)", step) is not None


@contextmanager
def _statements(store: SqlStore) -> Iterator[list[Sent]]:
    sent: list[Sent] = []

    def seen(_db: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> None:
        sent.append((statement, parameters[0] if many else parameters))

    event.listen(store._database.engine, "before_cursor_execute", seen)
    yield sent
    event.remove(store._database.engine, "before_cursor_execute", seen)


def _plan(store: SqlStore, statement: str, parameters: Any) -> list[str]:
    if not statement.lstrip().startswith(("SELECT", "UPDATE")):
        return []
    with store._database.reading() as db:
        rows = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    return [str(row.detail) for row in rows]
