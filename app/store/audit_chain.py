"""The audit log's chain: each row's hash covers the one before it, keyed, so that no row changes or goes unnoticed.

hash = HMAC-SHA256(key, previous hash || canonical JSON of the row), in hexadecimal; before the first stand 64 zeros.
The JSON has the row's number, id, kind, time (UTC, microseconds), subject, engineer and body, keys sorted, no spaces.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass

from app.ledger.books import AuditRow, Head, SealedRow
from app.store.columns import to_micros

BEFORE_THE_FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with the chain, and at which row's number."""

    seq: int
    what: str


def sealed(previous: str, seq: int, row_id: int, row: AuditRow, key: bytes) -> SealedRow:
    """The row with its number and its hash."""
    told = {
        "seq": seq,
        "id": row_id,
        "kind": row.kind,
        "at": to_micros(row.at),
        "subject": row.subject,
        "engineer": row.engineer_id,
        "body": row.body,
    }
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return SealedRow(seq, row_id, row, hmac.new(key, (previous + text).encode(), hashlib.sha256).hexdigest())


def verify(
    rows: Iterable[SealedRow], key: bytes, head: Head | None = None, *, start: Head | None = None
) -> Flaw | None:
    """The first flaw of a chain, or None when it is whole.

    head: the last number and hash as somebody kept them elsewhere; without it, rows cut off at the end leave no trace.
    The chain may have grown since. start: where `rows` continue from, when they are checked in parts.
    """
    last = start or Head(0, BEFORE_THE_FIRST)
    met = head is None or (head.seq == last.seq and hmac.compare_digest(head.hash, last.hash))
    for found in rows:
        if found.seq != last.seq + 1:
            missing = last.seq + 1
            if found.seq <= last.seq:
                return Flaw(found.seq, f"row {found.seq} stands after row {last.seq}: rows were reordered or repeated")
            return Flaw(missing, f"row {missing} is missing; the next one is {found.seq}")
        right = sealed(last.hash, found.seq, found.id, found.row, key)
        if not hmac.compare_digest(right.hash, found.hash):
            return Flaw(found.seq, f"row {found.seq} ({found.row.kind}, {found.row.subject}) is not what was sealed")
        last = Head(found.seq, found.hash)
        if head is not None and head.seq == last.seq:
            if not hmac.compare_digest(head.hash, last.hash):
                return Flaw(head.seq, f"row {head.seq} is not the one whose hash was kept: the chain was made anew")
            met = True
    if head is not None and not met:
        return Flaw(last.seq + 1, f"the chain ends at row {last.seq}, but row {head.seq} was sealed: rows were cut off")
    return None
