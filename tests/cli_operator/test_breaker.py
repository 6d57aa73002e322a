"""Breakers from the command line: which are open and why, and closing one with a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tabstop.breaker_memory import BreakerMetric, BreakerState, RememberedBreaker, Trip
from tests.cli_operator.operator_at_work import Acme, AtWork


def open_breaker(at_work: AtWork, acme: Acme, *, minutes_ago: int = 5) -> None:
    """One that a session of `claude-code` tripped."""
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    trip = Trip("ses_1", BreakerMetric.TOOL_FAILURES, "Bash", 100, 60, at)
    with at_work.store().open(acme.organization.id) as books:
        books.keep_breaker(acme.widget.id, "claude-code", RememberedBreaker(trip, at + timedelta(minutes=15)))


def test_list_says_what_is_open_and_why(at_work: AtWork) -> None:
    """State, until when, and the arithmetic of the trip; closed ones are not listed."""
    acme = at_work.with_acme()
    assert at_work.types("breaker", "list").output == "No breaker is open.\n"
    open_breaker(at_work, acme)
    [row] = [json.loads(line) for line in at_work.types("breaker", "list", "--json").stdout.splitlines()]
    assert (row["repository"], row["agent"], row["state"], row["session"]) == (
        "acme/widget", "claude-code", "open", "ses_1",
    )  # fmt: skip
    assert "Bash failed in 100 % of its last calls, threshold 60 %" in at_work.types("breaker", "list").output
    open_breaker(at_work, acme, minutes_ago=20)
    assert " half-open " in at_work.types("breaker", "list", "--organization", "acme").output


@pytest.mark.parametrize("words", [("acme/widget",), ("widget", "--organization", "ACME"), ("Acme/Widget",)])
def test_clear_closes_it_with_a_reason(at_work: AtWork, words: tuple[str, ...]) -> None:
    """Who and why stand in the audit log."""
    acme = at_work.with_acme()
    open_breaker(at_work, acme)
    result = at_work.types(
        "breaker", "clear", words[0], "claude-code", *words[1:], "--why", "shell fixed", "--by", "Alice"
    )
    assert result.exit_code == 0, result.output
    assert result.output.startswith("The breaker of claude-code in acme/widget is closed. It had tripped at ")
    store = at_work.store()
    store.seal_audit(acme.organization.id, b"k")
    with store.look(acme.organization.id) as books:
        _, found = books.learned(acme.widget.id, "claude-code")
        row = books.audit_rows()[-1].row
    assert found.stands_at(datetime.now(UTC)) is BreakerState.CLOSED
    assert (row.kind, row.body["why"], row.engineer_id) == ("breaker.cleared", "shell fixed", acme.alice.id)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("acme/widget", "codex", "--why", "x"),
            "The breaker of codex in acme/widget is closed. Not closed there: claude-code.",
        ),
        (("widget", "claude-code", "--why", "x"), "Write the repository with its owner"),
        (("acme/wodget", "claude-code", "--why", "x"), "acme has no repository acme/wodget. Known: widget."),
        (("acme/widget", "claude-code", "--why", "x", "--by", "zoe"), "Tabstop has not met zoe"),
        (("acme/widget", "claude-code"), "Missing option '--why'"),
    ],
)
def test_what_cannot_be_cleared_is_said(at_work: AtWork, words: tuple[str, ...], said: str) -> None:
    """Nothing is changed, and the error says what to write."""
    acme = at_work.with_acme()
    open_breaker(at_work, acme)
    result = at_work.types("breaker", "clear", *words)
    assert result.exit_code != 0
    assert said in " ".join(result.output.split())
    assert "claude-code" in at_work.types("breaker", "list").output
