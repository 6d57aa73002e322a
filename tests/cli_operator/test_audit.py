"""`audit verify`: a whole chain prints its head; what was changed, removed or cut off is found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.cli.audit import PART
from app.jobs.seal_audit import seal_key
from app.ledger.books import AuditRow
from tests.cli_operator.operator_at_work import SECRET, AtWork


def sealed(at_work: AtWork, pauses: int = 3) -> None:
    """An organization with some sealed decisions."""
    acme = at_work.with_acme()
    for _ in range(pauses):
        at_work.types("pause", "acme", "--why", "x")
        at_work.types("resume", "acme")
    at_work.store().seal_audit(acme.organization.id, seal_key(SECRET))


def sql(at_work: AtWork, statement: str) -> None:
    """Somebody with access to the database."""
    with sqlite3.connect(at_work.folder / "tabstop.db") as db:
        db.execute(statement)
    db.close()


def heads(at_work: AtWork) -> Path:
    """What `verify` printed, kept."""
    kept = at_work.folder / "heads"
    kept.write_text(at_work.types("audit", "verify").stdout, encoding="utf-8")
    return kept


def test_a_whole_chain_prints_its_head(at_work: AtWork) -> None:
    """What is printed is what `--head` takes, and it stays right while the chain grows."""
    sealed(at_work)
    kept = heads(at_work)
    assert kept.read_text(encoding="utf-8").startswith("acme 6 ")
    sealed(at_work, 1)
    result = at_work.types("audit", "verify", "--head", str(kept))
    assert result.exit_code == 0, result.output
    [row] = [json.loads(line) for line in at_work.types("audit", "verify", "--json").stdout.splitlines()]
    assert (row["rows"], row["flaw"]) == (8, None)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE audit SET subject = 'other' WHERE seq = 3",
            "row 3 (organization.paused, other) is not what was sealed",
        ),
        ("DELETE FROM audit WHERE seq = 3", "row 3 is missing; the next one is 4"),
        ("DELETE FROM audit WHERE seq > 4", "rows were cut off"),
    ],
)
def test_tampering_is_found(at_work: AtWork, statement: str, said: str) -> None:
    """A changed, a missing and a cut row each have their sentence, and the exit code is 1."""
    sealed(at_work)
    sql(at_work, statement)
    result = at_work.types("audit", "verify")
    assert result.exit_code == 1
    assert said in result.output


def test_a_thorough_thief_is_found_by_the_kept_head(at_work: AtWork) -> None:
    """Who cuts the end off and mends the stored head too is found only by a head kept elsewhere."""
    sealed(at_work)
    kept = heads(at_work)
    sql(at_work, "DELETE FROM audit WHERE seq > 4")
    sql(at_work, "UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)")
    assert at_work.types("audit", "verify").exit_code == 0
    result = at_work.types("audit", "verify", "--head", str(kept))
    assert result.exit_code == 1
    assert "the chain ends at row 4, but row 6 was sealed" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("kept_at", [PART - 1, PART, PART + 1])
def test_long_chains_are_checked_in_parts(at_work: AtWork, kept_at: int) -> None:
    """The kept head is met wherever the parts meet."""
    acme = at_work.with_acme()
    add = many(at_work, acme.organization.id)
    add(kept_at)
    kept = heads(at_work)
    add(PART + 3)
    assert at_work.types("audit", "verify", "--head", str(kept)).output.startswith(f"acme {kept_at + PART + 3} ")
    line = kept.read_text(encoding="utf-8").split()
    kept.write_text(f"{line[0]} {line[1]} {'0' * 64}\n", encoding="utf-8")
    assert (
        f"row {kept_at} is not the one whose hash was kept"
        in at_work.types("audit", "verify", "--head", str(kept)).output
    )


def many(at_work: AtWork, organization_id: int) -> Callable[[int], None]:
    """Adds and seals so many rows."""

    def add(count: int) -> None:
        store = at_work.store()
        with store.open(organization_id) as books:
            for number in range(count):
                books.audit(AuditRow("test", datetime(2026, 11, 21, tzinfo=UTC), str(number), {}))
        store.seal_audit(organization_id, seal_key(SECRET))

    return add


@pytest.mark.parametrize(
    ("text", "said"),
    [("acme six abc", "heads:1: 'acme six abc' is no head"), (None, "cannot be read")],
)
def test_a_kept_file_that_is_none(at_work: AtWork, text: str | None, said: str) -> None:
    """A wrong file is an error, never a passed check."""
    sealed(at_work)
    kept = at_work.folder / "heads"
    if text is not None:
        kept.write_text(text, encoding="utf-8")
    result = at_work.types("audit", "verify", "--head", str(kept))
    assert result.exit_code == 1
    assert said in result.output


def test_an_organization_that_vanished(at_work: AtWork) -> None:
    """A head of an organization that is not there any more is no success."""
    sealed(at_work)
    kept = at_work.folder / "heads"
    kept.write_text(f"gone 3 {'a' * 64}\n", encoding="utf-8")
    result = at_work.types("audit", "verify", "--head", str(kept))
    assert result.exit_code == 1
    assert "gone: a head was kept, but there is no such organization any more." in result.output
