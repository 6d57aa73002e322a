"""A transaction commits as a whole or not at all, and a look keeps nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.registry import Repository, Store
from app.store.sql_transaction import UnknownOrganizationError
from app.store.writer_lock import NestedTransactionError
from tests.ledger.builders import NOW, REPOSITORY, a_start, an_organization, begin


class OutageError(Exception):
    """What goes wrong in the middle of a transaction."""


def test_work_and_its_consequences_commit_together(store: Store) -> None:
    """After the end of the block everything is there: session, hold, audit row, job (promise 8)."""
    organization = an_organization(store)
    with store.open(organization.id) as books:
        begin(books, a_start())
    with store.look(organization.id) as books:
        assert [session.id for session in books.live_sessions()] == ["session-one"]
        assert all(budget.held.nano > 0 for budget in books.all_budgets(NOW))
    assert store.seal_audit(organization.id, b"key") == 1
    job = store.take_job("worker", NOW)
    assert job is not None
    assert (job.organization_id, job.kind) == (organization.id, "refresh_tab")


def fail_half_way(store: Store, organization_id: int) -> None:
    with store.open(organization_id) as books:
        begin(books, a_start("lost", branch="other"))
        books.save_repository(Repository(0, 5, "acme/other"))
        raise OutageError


def test_an_exception_takes_everything_back(store: Store) -> None:
    """Nothing of a transaction that failed is left, whatever it wrote."""
    organization = an_organization(store)
    with store.open(organization.id) as books:
        begin(books, a_start("kept"))
        before = books.all_budgets(NOW)
    store.seal_audit(organization.id, b"key")
    with pytest.raises(OutageError):
        fail_half_way(store, organization.id)
    with store.look(organization.id) as books:
        assert books.session("session-lost") is None
        assert books.attempt("key-lost", "token-lost") is None
        assert books.tab_of_branch(REPOSITORY, "other") is None
        assert books.all_budgets(NOW) == before
        assert [repository.full_name for repository in books.repositories()] == ["acme/web"]
    assert store.seal_audit(organization.id, b"key") == 0


def test_a_look_keeps_nothing(store: Store) -> None:
    """A dry question may go through everything a start does; afterwards nothing has happened."""
    organization = an_organization(store)
    with store.look(organization.id) as books:
        assert begin(books, a_start()).status == 201
    with store.look(organization.id) as books:
        assert books.all_budgets(NOW) == []
        assert books.live_sessions() == []
    assert store.take_job("worker", NOW) is None
    assert store.seal_audit(organization.id, b"key") == 0


def test_organizations_do_not_see_each_other(store: Store) -> None:
    """Keys, tokens and sessions are the organization's own: the same ones elsewhere mean something else."""
    first, second = an_organization(store, "acme"), an_organization(store, "globex")
    with store.open(first.id) as books:
        begin(books, a_start())
    with store.open(second.id) as books:
        assert books.attempt("key-one", "token-one") is None
        assert books.all_budgets(NOW) == []
        begin(books, a_start())
        assert len(books.live_sessions()) == 1


def test_an_unknown_organization_is_said_so(store: Store) -> None:
    """Opening the books of nobody is an error, not an empty ledger."""
    with pytest.raises(UnknownOrganizationError), store.open(12345):
        pass


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_thread_never_waits_for_itself(new_store: Callable[[str], Store], kind: str) -> None:
    """Two open transactions in one thread are a mistake that is reported, where waiting would never end."""
    store = new_store(kind)
    organization = an_organization(store)
    with store.open(organization.id), pytest.raises(NestedTransactionError), store.open(organization.id):
        pass
    with store.open(organization.id) as books:
        assert books.organization() == organization
