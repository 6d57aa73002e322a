"""Pausing an organization: what the server then reads, and the audit rows."""

from __future__ import annotations

from tests.cli_operator.operator_at_work import AtWork


def test_pause_and_resume(at_work: AtWork) -> None:
    """A paused organization admits nobody; both decisions are in the audit log, a repeated one is not."""
    acme = at_work.with_acme()
    store = at_work.store()
    said = [at_work.types("pause", "ACME", "--why", "runaway agent").output for _ in range(2)]
    assert said == [
        "acme is paused: new sessions are refused until `resume acme`.\n",
        "acme is already paused.\n",
    ]
    assert store.organizations()[0].paused
    said = [at_work.types("resume", "acme").output for _ in range(2)]
    assert said == ["acme is not paused any more: sessions start again.\n", "acme is not paused.\n"]
    assert not store.organizations()[0].paused
    store.seal_audit(acme.organization.id, b"k")
    with store.look(acme.organization.id) as books:
        rows = [(r.row.kind, r.row.body["why"]) for r in books.audit_rows()]
    assert rows[-2:] == [("organization.paused", "runaway agent"), ("organization.resumed", "")]


def test_a_pause_has_a_reason(at_work: AtWork) -> None:
    """Whoever reads the log later has to know why everybody had to stop."""
    at_work.with_acme()
    assert "Missing option '--why'" in at_work.types("pause", "acme").output
    assert not at_work.store().organizations()[0].paused


def test_an_organization_nobody_installed(at_work: AtWork) -> None:
    """Before the App is installed the error says that, not a list of nothing."""
    assert "the App is not installed anywhere" in at_work.types("pause", "acme", "--why", "x").output
