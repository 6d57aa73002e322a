"""ingest.*: usage rows a second through `record_usage`, against the raw driver's bulk insert of the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.ledger.record_usage import Report, record_usage
from app.pricing import price_usage
from app.store.engine import Database
from app.store.sql_store import SqlStore
from app.store.tables import ENTRY, USAGE, USAGE_KEY
from bench.databases import Databases, Machine, raw_connection
from bench.figures import Figure, Part, in_turns
from bench.gate import prepared_scene
from bench.scene import ROOMY, Scene
from tabstop.cost import Cost
from tabstop.usage import Tokens, Usage

BATCHES, ROWS = 10, 1_000

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
        _ours(work, url)
        rows = _stored(url)
    assert all(len(batch["usage"]) == ROWS and len(batch["usage_key"]) == 2 * ROWS for batch in rows)
    for name in wanted:
        again = name.endswith(".replay")
        value, floor = in_turns(
            name,
            lambda again=again: _rate(work, lambda url: _ours(work, url), again=again),  # type: ignore[misc]
            lambda again=again: _rate(work, lambda url: _raw(url, rows), again=again),  # type: ignore[misc]
        )
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


def _rate(work: Work, run: Callable[[str], float], *, again: bool) -> float:
    """Rows a second on a fresh copy; `again`: of the same rows a second time."""
    with work.databases.copy_of(work.prepared) as url:
        seconds = run(url)
        if again:
            seconds = run(url)
    return BATCHES * ROWS / seconds


def _ours(work: Work, url: str) -> float:
    """A transaction per batch, as `app.api.report` makes it. Seconds."""
    org = work.scene.organization_id
    with closing(SqlStore(url)) as store:
        with store.look(org) as books:
            sessions = books.all_sessions()
        begun = time.perf_counter()
        for priced in work.batches:
            report = Report(list(priced), (), ROOMY, priced.__getitem__, "engineer-1")
            with store.open(org) as books:
                session = books.session(sessions[0].id)
                assert session is not None
                record_usage(books, session, report, datetime.now(UTC))
        return time.perf_counter() - begun


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


def _raw(url: str, batches: Sequence[Rows]) -> float:
    """The same rows by the quickest way the driver has: `executemany`, COPY. Rows that are there are left. Seconds."""
    database = Database(url)
    with closing(database), closing(raw_connection(database)) as raw:
        load = _executemany if database.is_sqlite else _copy
        there = raw.execute("SELECT count(*) FROM usage").fetchone()[0] > 0
        if not database.is_sqlite:
            raw.commit()
        begun = time.perf_counter()
        for batch in batches:
            load(raw, batch, there)
        return time.perf_counter() - begun


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
        if there:
            cursor.execute(f'CREATE TEMP TABLE {target} ON COMMIT DROP AS SELECT * FROM "{table}" WHERE false')  # noqa: S608
        with cursor.copy(f"COPY {target} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        if there:
            cursor.execute(f'INSERT INTO "{table}" SELECT * FROM {target} ON CONFLICT DO NOTHING')  # noqa: S608
    raw.commit()
