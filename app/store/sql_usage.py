"""Usage, its keys, the ledger's entries and clients' totals in a database. A batch is one statement per table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import and_, bindparam, func, select, text, update

from app.ledger.books import Entry, EntrySums, KnownUsage, UsageRow
from app.store.bulk import BulkInsert
from app.store.columns import from_micros, to_micros
from app.store.sql_part import AnyRow, SqlPart, per_database
from app.store.tables import CLIENT_TOTAL, ENTRY, USAGE, USAGE_KEY, USAGE_WITNESS
from app.store.usage_rows import entry_of, entry_values, usage_of, usage_values
from tabstop.usage import Grain, Tokens

_U, _K, _E, _C, _W = USAGE.c, USAGE_KEY.c, ENTRY.c, CLIENT_TOTAL.c, USAGE_WITNESS.c

_ADD_USAGES, _ADD_KEYS, _ADD_ENTRIES = BulkInsert(USAGE), BulkInsert(USAGE_KEY), BulkInsert(ENTRY)

# What is looked up comes as one JSON list. All are written so that there is a lookup per key and per id, whatever the
# planner thinks of the tables: CROSS JOIN keeps its order on SQLite; LATERAL with a LIMIT can only be done row by row on
# PostgreSQL, which otherwise may read all of an organization whose tables were not analyzed yet.
_KEYS_SQLITE = (
    "SELECT k.key, k.usage_id FROM json_each(?) j CROSS JOIN usage_key k ON k.key = j.value AND k.organization_id = ?"
)
_KEYS_POSTGRES = (
    "SELECT f.* FROM json_array_elements_text(%s::json) j CROSS JOIN LATERAL (SELECT k.key, k.usage_id"
    " FROM usage_key k WHERE k.key = j.value AND k.organization_id = %s LIMIT 1) f"
)
_KNOWN_COLUMNS = (
    "u.id, u.input, u.cache_read, u.cache_write_5m, u.cache_write_1h, u.output, u.cache_split_known,"
    " u.web_searches, u.tool_calls, u.model, u.occurred_at, u.session_id, u.evidence_id, u.disputed, u.told"
)
_KNOWN_SQLITE = (
    f"SELECT {_KNOWN_COLUMNS} FROM json_each(?) j"  # noqa: S608 - our own columns
    " CROSS JOIN usage u ON u.id = j.value AND u.organization_id = ?"
)
_KNOWN_POSTGRES = (
    f"SELECT f.* FROM json_array_elements_text(%s::json) j CROSS JOIN LATERAL (SELECT {_KNOWN_COLUMNS}"  # noqa: S608
    " FROM usage u WHERE u.id = j.value::bigint AND u.organization_id = %s LIMIT 1) f"
)
_KEYS_OF_SQLITE = "SELECT k.usage_id, k.key FROM json_each(?) j CROSS JOIN usage_key k ON k.usage_id = j.value AND k.organization_id = ?"
_KEYS_OF_POSTGRES = (
    "SELECT f.* FROM json_array_elements_text(%s::json) j CROSS JOIN LATERAL (SELECT k.usage_id, k.key"
    " FROM usage_key k WHERE k.usage_id = j.value::bigint AND k.organization_id = %s) f"
)

_USAGES = select(USAGE).where(_U.organization_id == bindparam("org"), _U.id.in_(bindparam("ids", expanding=True)))
# Sorted here, not there: for an ORDER BY that its key gives for nothing SQLite would read every row of the organization.
_OF_SESSION = select(USAGE).where(_U.organization_id == bindparam("org"), _U.session_id == bindparam("session"))
_CHANGED = {
    "place_id",
    "model",
    "matched",
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "web_searches",
    "tool_calls",
    "cost_state",
    "occurred_at",
    "cost",
    "cache_split_known",
    "same_as",
    "evidence_id",
    "disputed",
    "told",
}
_CHANGE = (
    update(USAGE)
    .where(_U.organization_id == bindparam("org"), _U.id == bindparam("usage"))
    .values({name: bindparam(f"new_{name}", type_=_U[name].type) for name in sorted(_CHANGED)})
)
_REPOINT = (
    update(USAGE_KEY)
    .where(_K.organization_id == bindparam("org"), _K.usage_id == bindparam("from_usage"))
    .values(usage_id=bindparam("to_usage"))
)
_ENTRIES = select(ENTRY).where(_E.organization_id == bindparam("org")).order_by(_E.id)
_SUMS = (
    select(
        _E.place_id, _E.session_id, func.sum(_E.nano), func.sum(_E.notional), func.sum(_E.tokens), func.sum(_E.unknown)
    )
    .where(_E.organization_id == bindparam("org"), _E.occurred_at >= bindparam("since"))
    .group_by(_E.place_id, _E.session_id)
)
_COUNTS = (
    select(_U.session_id, func.count(), func.sum(_U.tool_calls))
    .where(and_(_U.organization_id == bindparam("org"), _U.grain == Grain.CALL.value, _U.same_as.is_(None)))
    .group_by(_U.session_id)
)
_COUNTED = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "web_searches")
_CALL_SUMS = (
    select(_U.model, *(func.sum(_U[name]) for name in _COUNTED))
    .where(_U.organization_id == bindparam("org"), _U.session_id == bindparam("session"), _U.grain == Grain.CALL.value)
    .group_by(_U.model)
)
_WITNESSED_SUMS = (
    select(_U.model, *(func.sum(_U[name]) for name in _COUNTED))
    .select_from(USAGE_WITNESS)
    .join(USAGE, and_(_U.organization_id == _W.organization_id, _U.id == _W.usage_id))
    .where(
        _W.organization_id == bindparam("org"),
        _W.session_id == bindparam("session"),
        _U.session_id != bindparam("session"),
        _U.grain == Grain.CALL.value,
    )
    .group_by(_U.model)
)
_WITNESS = per_database(
    lambda into: (
        into(USAGE_WITNESS)
        .values(organization_id=bindparam("org"), session_id=bindparam("session"), usage_id=bindparam("usage"))
        .on_conflict_do_nothing()
    )
)
_WITNESSES = select(_W.session_id).where(
    _W.organization_id == bindparam("org"), _W.usage_id.in_(bindparam("ids", expanding=True))
)
_WITNESSED = select(_W.usage_id).where(_W.organization_id == bindparam("org"), _W.session_id == bindparam("session"))
_SHARES = _WITNESSED.limit(1)
_IDS_OF_SESSION = select(_U.id).where(_U.organization_id == bindparam("org"), _U.session_id == bindparam("session"))
_OF_THREADS = select(_U.id).where(
    _U.organization_id == bindparam("org"),
    _U.session_id == bindparam("session"),
    _U.thread.in_(bindparam("threads", expanding=True)),
    _U.grain == Grain.CALL.value,
)
_DISPUTED = (
    select(_U.session_id, func.count())
    .where(_U.organization_id == bindparam("org"), _U.occurred_at >= bindparam("since"), text("disputed"))
    .group_by(_U.session_id)
)  # in the words of its index, which SQLite would not use otherwise
_TOTALS = select(CLIENT_TOTAL).where(_C.organization_id == bindparam("org"), _C.session_id == bindparam("session"))


def _keep(into: Any) -> Any:
    statement = into(CLIENT_TOTAL).values(organization_id=bindparam("org"))
    return statement.on_conflict_do_update(
        index_elements=[_C.organization_id, _C.session_id, _C.thread, _C.model],
        set_={name: statement.excluded[name] for name in _COUNTED},
    )


_KEEP = per_database(_keep)


class SqlUsage(SqlPart):
    """The part of `app.ledger.books.Books` about usage and entries."""

    def known(self, keys: Sequence[str]) -> dict[str, KnownUsage]:
        """See `Books`."""
        if not keys:
            return {}
        ids: dict[str, int] = dict(self._looked_up(_KEYS_SQLITE if self._is_sqlite else _KEYS_POSTGRES, keys))
        if not ids:
            return {}
        wanted = sorted(set(ids.values()))
        rows = self._looked_up(_KNOWN_SQLITE if self._is_sqlite else _KNOWN_POSTGRES, wanted)
        usages = {row[0]: _known(row) for row in rows}
        return {key: usages[usage_id] for key, usage_id in ids.items()}

    def keys_of(self, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """See `Books`."""
        if not ids:
            return {}
        found: dict[int, list[str]] = {usage_id: [] for usage_id in ids}
        for usage_id, key in self._looked_up(_KEYS_OF_SQLITE if self._is_sqlite else _KEYS_OF_POSTGRES, sorted(found)):
            found[usage_id].append(key)
        return {usage_id: tuple(keys) for usage_id, keys in found.items()}

    def _looked_up(self, statement: str, wanted: Sequence[str] | Sequence[int]) -> Sequence[AnyRow]:
        return self._db.exec_driver_sql(statement, (json.dumps(wanted), self.organization_id)).all()

    def repoint_keys(self, from_usage: int, to_usage: int) -> None:
        """See `Books`."""
        self._write(_REPOINT, {"from_usage": from_usage, "to_usage": to_usage})

    def usages(self, ids: Sequence[int]) -> dict[int, UsageRow]:
        """See `Books`."""
        return {row.id: usage_of(row) for row in self._rows_by_id(_USAGES, ids)}

    def usages_of(self, session_id: str) -> list[UsageRow]:
        """See `Books`."""
        return sorted(map(usage_of, self._rows(_OF_SESSION, session=session_id)), key=itemgetter(0))

    def call_sums(self, session_id: str) -> dict[str, tuple[Tokens, int]]:
        """See `Books`."""
        sums: dict[str, tuple[Tokens, int]] = {}
        for statement in (_CALL_SUMS, _WITNESSED_SUMS):
            for model, *counts in self._rows(statement, session=session_id):
                tokens, searches = sums.get(model, (Tokens(), 0))
                sums[model] = (tokens + Tokens(*(int(count) for count in counts[:5])), searches + int(counts[5]))
        return sums

    def witness(self, session_ids: Iterable[str], usage_ids: Iterable[int]) -> None:
        """See `Books`."""
        sessions = list(session_ids)
        self._write(_WITNESS, [{"session": s, "usage": u} for u in usage_ids for s in sessions])

    def witnesses(self, usage_ids: Iterable[int]) -> set[str]:
        """See `Books`."""
        return {row[0] for row in self._rows_by_id(_WITNESSES, usage_ids)}

    def shares_calls(self, session_id: str) -> bool:
        """See `Books`."""
        return self._row(_SHARES, session=session_id) is not None

    def reported_too(self, session_id: str) -> list[UsageRow]:
        """See `Books`."""
        rows = self.usages([row[0] for row in self._rows(_WITNESSED, session=session_id)])
        return [rows[usage_id] for usage_id in sorted(rows) if rows[usage_id].session_id != session_id]

    def sessions_beside(self, session_id: str) -> list[str]:
        """See `Books`."""
        found = {row.session_id for row in self.reported_too(session_id)}
        found |= self.witnesses(row[0] for row in self._rows(_IDS_OF_SESSION, session=session_id))
        return sorted(found - {session_id})

    def disputed_calls(self, since: datetime) -> dict[str, int]:
        """See `Books`."""
        return {row[0]: int(row[1]) for row in self._rows(_DISPUTED, since=to_micros(since))}

    def calls_of_threads(self, session_id: str, threads: Iterable[str]) -> list[int]:
        """See `Books`."""
        return sorted(row[0] for row in self._rows(_OF_THREADS, session=session_id, threads=sorted(set(threads))))

    def add_usages(self, rows: Sequence[UsageRow], keys: Mapping[str, int]) -> None:
        """See `Books`."""
        if self._writes:
            org = self.organization_id
            _ADD_USAGES.insert(self._db, usage_values(org, rows), is_sqlite=self._is_sqlite)
            _ADD_KEYS.insert(self._db, ((org, key, to) for key, to in keys.items()), is_sqlite=self._is_sqlite)

    def change_usage(self, row: UsageRow) -> None:
        """See `Books`."""
        values = dict(zip(_ADD_USAGES.columns, *usage_values(self.organization_id, [row]), strict=True))
        self._write(_CHANGE, {"usage": row.id, **{f"new_{name}": values[name] for name in _CHANGED}})

    def add_entries(self, entries: Sequence[Entry]) -> None:
        """See `Books`."""
        if self._writes:
            _ADD_ENTRIES.insert(self._db, entry_values(self.organization_id, entries), is_sqlite=self._is_sqlite)

    def all_entries(self) -> list[Entry]:
        """See `Books`."""
        return [entry_of(row) for row in self._rows(_ENTRIES)]

    def entry_sums(self, since: datetime | None = None) -> list[EntrySums]:
        """See `Books`."""
        rows = self._rows(_SUMS, since=to_micros(since) if since else 0)
        # PostgreSQL adds bigints up as decimals.
        return [EntrySums(row[0], row[1], *(int(total) for total in row[2:])) for row in rows]

    def count_calls(self) -> dict[str, tuple[int, int]]:
        """See `Books`."""
        return {row[0]: (int(row[1]), int(row[2])) for row in self._rows(_COUNTS)}

    def client_totals(self, session_id: str) -> dict[tuple[str, str], tuple[Tokens, int]]:
        """See `Books`."""
        return {
            (row.thread, row.model): (
                Tokens(row.input, row.cache_read, row.cache_write_5m, row.cache_write_1h, row.output),
                row.web_searches,
            )
            for row in self._rows(_TOTALS, session=session_id)
        }

    def keep_client_total(self, session_id: str, thread: str, model: str, tokens: Tokens, web_searches: int) -> None:
        """See `Books`."""
        self._write(
            _KEEP,
            {
                "session_id": session_id,
                "thread": thread,
                "model": model,
                "input": tokens.input,
                "cache_read": tokens.cache_read,
                "cache_write_5m": tokens.cache_write_5m,
                "cache_write_1h": tokens.cache_write_1h,
                "output": tokens.output,
                "web_searches": web_searches,
            },
        )


def _known(row: Any) -> KnownUsage:
    """In the order of `_KNOWN_COLUMNS`. SQLite's 0 and 1 stand for False and True, whose values they are."""
    return KnownUsage._make((*row[:10], from_micros(row[10]), *row[11:]))
