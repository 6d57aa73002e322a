"""ingest.*: usage rows a second through `record_usage`, against the raw driver's bulk insert of the same rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.ledger.record_usage import Report, record_usage
from app.pricing import price_usage
from app.store.engine import Database
from app.store.sql_store import SqlStore
from app.store.tables import ENTRY, USAGE, USAGE_KEY
from app.wiring import done_building
from bench.databases import Databases, Machine, raw_connection
from bench.figures import Figure, Part, medians
from bench.gate import prepared_scene
from bench.scene import ROOMY, Scene
from tabstop.cost import Cost
from tabstop.usage import Tokens, Usage

BATCHES, ROWS = 10, 1_000

REPEATS = 9

WARM_UP = 6
"""Empty batches before the time is taken; psycopg prepares what was sent five times."""

Rows = dict[str, list[tuple[Any, ...]]]
"""One batch as rows, by table."""


@dataclass(frozen=True, slots=True)
class Work:
    """A prepared database with a session on it, and the batches the session reports, priced as the API prices them."""

    databases: Databases
    prepared: str
    scene: Scene
    batches: list[dict[Usage, Cost]]


def parts(machine: Machine) -> list[Part]:
    """By database."""
    return [
        Part(("ingest.sqlite.new", "ingest.sqlite.replay"), lambda wanted: _ingest(machine.sqlite, wanted)),
        Part(("ingest.postgres.new", "ingest.postgres.replay"), lambda wanted: _ingest(machine.postgres, wanted)),
    ]


def _ingest(databases: Databases, wanted: Sequence[str]) -> Iterator[Figure]:
    prepared, scene = prepared_scene(databases)
    work = Work(databases, prepared, scene, [_batch(number) for number in range(BATCHES)])
    with databases.copy_of(prepared) as url:
        for _ in _ours(work, url):
            pass
        rows = _stored(url)
    done_building()
    assert all(len(batch["usage"]) == ROWS and len(batch["usage_key"]) == 2 * ROWS for batch in rows)
    for name in wanted:
        times = 2 if name.endswith(".replay") else 1
        pairs = [_rates(work, rows, times) for _ in range(REPEATS + 1)]
        value, floor = medians(name, pairs[1:])  # the first warms up
        yield Figure(name, value, "rows/s", floor)


def _batch(number: int) -> dict[Usage, Cost]:
    """A thousand responses of one session, as Claude Code's transcripts name them: by request and by message."""
    began = datetime.now(UTC) - timedelta(minutes=30)
    usages = [
        Usage(
            keys=(
                f"anthropic:req:req_011C{number:04d}{row:06d}abcdefghij",
                f"anthropic:msg:msg_01{number:04d}{row:06d}klmnopqrst",
            ),
            model="claude-sonnet-4-5-20250929",
            tokens=Tokens(row % 90, 15_000 + row, row % 700, row % 300, 1 + row % 900),
            occurred_at=began + timedelta(milliseconds=number * ROWS + row),
            agent="claude-code",
            thread="55dcfb74-b153-4761-a15f-181f6f16f300",
        )
        for row in range(ROWS)
    ]
    return {usage: price_usage(usage, ()) for usage in usages}


def _rates(work: Work, rows: Sequence[Rows], times: int) -> tuple[float, float]:
    """Rows a second, ours and the floor's, on two fresh copies; `times`: how often the rows come, of which the last counts.

    They take turns batch by batch, so that whoever else uses the machine hits both alike.
    """
    with work.databases.copy_of(work.prepared) as ours, work.databases.copy_of(work.prepared) as floor:
        for _ in range(times):
            seconds = list(zip(_ours(work, ours), _raw(floor, rows), strict=True))
    value, most = (BATCHES * ROWS / sum(side) for side in zip(*seconds, strict=True))
    return value, most


def _ours(work: Work, url: str) -> Iterator[float]:
    """A transaction per batch, as `app.api.report` makes it. Seconds of each."""
    org = work.scene.organization_id
    with closing(SqlStore(url)) as store:
        with store.look(org) as books:
            session_id = books.all_sessions()[0].id
        # As in a server that runs: SQLAlchemy has compiled the statements, and PostgreSQL prepared them.
        for _ in range(WARM_UP):
            _record(store, org, session_id, {})
        for priced in work.batches:
            begun = time.perf_counter()
            _record(store, org, session_id, priced)
            yield time.perf_counter() - begun


def _record(store: SqlStore, organization_id: int, session_id: str, priced: Mapping[Usage, Cost]) -> None:
    report = Report(list(priced), (), ROOMY, priced.__getitem__, "engineer-1")
    with store.open(organization_id) as books:
        session = books.session(session_id)
        assert session is not None
        record_usage(books, session, report, datetime.now(UTC))


def _stored(url: str) -> list[Rows]:
    """The rows our code stored, cut into the batches they came in: ids rise with time."""
    database = Database(url)
    found: list[Rows] = [{} for _ in range(BATCHES)]
    with closing(database), closing(raw_connection(database)) as raw:
        for table, order in ((USAGE, "id"), (USAGE_KEY, "usage_id"), (ENTRY, "id")):
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            rows = raw.execute(f'SELECT {names} FROM "{table.name}" ORDER BY "{order}"').fetchall()  # noqa: S608
            each = len(rows) // BATCHES
            for number, batch in enumerate(found):
                batch[table.name] = rows[number * each : (number + 1) * each]
    return found


def _raw(url: str, batches: Sequence[Rows]) -> Iterator[float]:
    """The same rows by the quickest way the driver has: `executemany`, COPY. Rows that are there are left. Seconds each."""
    database = Database(url)
    with closing(database), closing(raw_connection(database)) as raw:
        load = _executemany if database.is_sqlite else _copy
        there = raw.execute("SELECT count(*) FROM usage").fetchone()[0] > 0
        if not database.is_sqlite:
            if there:
                for table in batches[0]:
                    raw.execute(f'CREATE TEMP TABLE new_{table} (LIKE "{table}") ON COMMIT DELETE ROWS')
            raw.commit()
        for batch in batches:
            begun = time.perf_counter()
            load(raw, batch, there)
            yield time.perf_counter() - begun


def _executemany(raw: Any, batch: Rows, there: bool) -> None:
    raw.execute("BEGIN IMMEDIATE")
    for table, rows in batch.items():
        marks = ",".join("?" for _ in rows[0])
        raw.executemany(f'INSERT {"OR IGNORE " if there else ""}INTO "{table}" VALUES ({marks})', rows)  # noqa: S608
    raw.execute("COMMIT")


def _copy(raw: Any, batch: Rows, there: bool) -> None:
    cursor = raw.cursor()
    for table, rows in batch.items():
        target = f"new_{table}" if there else f'"{table}"'
        with cursor.copy(f"COPY {target} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        if there:
            cursor.execute(f'INSERT INTO "{table}" SELECT * FROM {target} ON CONFLICT DO NOTHING')  # noqa: S608
    raw.commit()
