"""The audit log is sealed in order into a keyed chain, and a changed, missing or reordered row is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.ledger.books import AuditRow, Head, SealedRow
from app.registry import Store
from app.store.audit_chain import BEFORE_THE_FIRST, Flaw, sealed, verify
from tests.ledger.builders import NOW, an_organization, at

KEY = b"a key of this server"


def a_chain(length: int) -> list[SealedRow]:
    rows: list[SealedRow] = []
    previous = BEFORE_THE_FIRST
    for number in range(1, length + 1):
        row = AuditRow("start.refused", at(number), f"key-{number}", {"n": number, "ü": [None, 1.5]}, number)
        rows.append(sealed(previous, number, 1000 + number, row, KEY))
        previous = rows[-1].hash
    return rows


def changed(rows: list[SealedRow], **fields: object) -> list[SealedRow]:
    return [*rows[:2], replace(rows[2], row=replace(rows[2].row, **fields)), *rows[3:]]  # type: ignore[arg-type]


Tamper = Callable[[list[SealedRow]], list[SealedRow]]


@pytest.mark.parametrize(
    ("tamper", "seq", "says"),
    [
        (lambda rows: changed(rows, subject="else"), 3, "not what was sealed"),
        (lambda rows: changed(rows, at=NOW), 3, "not what was sealed"),
        (lambda rows: changed(rows, kind="start.admitted"), 3, "not what was sealed"),
        (lambda rows: changed(rows, engineer_id=None), 3, "not what was sealed"),
        (lambda rows: changed(rows, body={"n": 4}), 3, "not what was sealed"),
        (lambda rows: [*rows[:2], replace(rows[2], id=1), *rows[3:]], 3, "not what was sealed"),
        (lambda rows: [*rows[:2], *rows[3:]], 3, "is missing"),
        (lambda rows: rows[1:], 1, "is missing"),
        (lambda rows: [rows[1], rows[0], *rows[2:]], 1, "is missing"),
        (lambda rows: [rows[0], *rows], 1, "reordered or repeated"),
        (lambda rows: [replace(rows[1], seq=1), replace(rows[0], seq=2), *rows[2:]], 1, "not what was sealed"),
        (lambda rows: rows[:3], 4, "cut off"),
        (lambda _: [], 1, "cut off"),
    ],
)
def test_tampering_is_found_and_named(tamper: Tamper, seq: int, says: str) -> None:
    """With the head kept elsewhere nothing stays hidden (promise 9)."""
    rows = a_chain(5)
    flaw = verify(tamper(rows), KEY, Head(5, rows[4].hash))
    assert flaw is not None
    assert (flaw.seq, says in flaw.what) == (seq, True), flaw


def test_a_chain_made_anew_is_found() -> None:
    """Whoever has the key can build another chain; the head kept elsewhere gives it away."""
    rows, kept = a_chain(5), a_chain(4)[-1]
    forged = [sealed(BEFORE_THE_FIRST, 1, 1001, AuditRow("x", NOW, "y", {}), KEY)]
    for row in rows[1:]:
        forged.append(sealed(forged[-1].hash, row.seq, row.id, row.row, KEY))
    assert verify(forged, KEY) is None
    flaw = verify(forged, KEY, Head(kept.seq, kept.hash))
    assert flaw is not None
    assert (flaw.seq, "made anew" in flaw.what) == (4, True)


def test_a_whole_chain_is_whole() -> None:
    """Grown since the head was kept, checked in parts, or empty: no flaw. Another key: the first row."""
    rows = a_chain(5)
    assert verify(rows, KEY) is None
    assert verify(rows, KEY, Head(3, rows[2].hash)) is None
    assert verify(rows[3:], KEY, start=Head(3, rows[2].hash)) is None
    assert verify([], KEY) is None
    assert verify(rows, b"another key") == Flaw(1, "row 1 (start.refused, key-1) is not what was sealed")


def test_rows_are_sealed_in_order(store: Store) -> None:
    """Numbered from 1 without gaps, in the order they were written, chained over several seals; twice changes nothing."""
    organization = an_organization(store).id
    for first in (0, 3):
        with store.open(organization) as books:
            for number in range(first, first + 3):
                books.audit(AuditRow("k", at(number), str(number), {"ü": {"nano": 2**53 + 1, "b": [True, None]}}, 7))
        assert store.seal_audit(organization, KEY) == 3
        assert store.seal_audit(organization, KEY) == 0
    with store.look(organization) as books:
        rows = books.audit_rows()
        assert [(row.seq, row.row.subject) for row in rows] == [(n + 1, str(n)) for n in range(6)]
        assert books.audit_head() == Head(6, rows[-1].hash)
        assert verify(rows, KEY, books.audit_head()) is None
        assert [row.seq for row in books.audit_rows(after=2, limit=3)] == [3, 4, 5]


def test_nothing_sealed_has_no_head(store: Store) -> None:
    """Unsealed rows are not shown as sealed."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        books.audit(AuditRow("k", NOW, "1", {}))
        assert books.audit_head() is None
        assert books.audit_rows() == []
