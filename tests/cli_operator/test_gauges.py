"""Gauges from the command line: how full whose windows are, and what is not known any more."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.registry import Engineer
from tabstop.gauge import GaugeReading, GaugeSource
from tests.cli_operator.operator_at_work import AtWork


def test_gauges_are_listed_by_engineer(at_work: AtWork) -> None:
    """Share, reset, when it was read and how it is known; a window that has begun anew is unknown, not empty."""
    acme = at_work.with_acme()
    assert "No gauge is known." in at_work.types("gauges").output
    now = datetime.now(UTC)
    week = GaugeReading("anthropic", "org-1", "weekly", 9_999, now, GaugeSource.HEADER, now + timedelta(days=2), 10_080)
    hours = replace(
        week, window="5h", used=10_000, resets_at=now - timedelta(minutes=1), minutes=300, status="rejected"
    )
    with at_work.store().open(acme.organization.id) as books:
        bob = books.save_engineer(Engineer(0, 502, "Bob"))
        for engineer_id, reading in ((bob.id, hours), (acme.alice.id, week), (acme.alice.id, hours)):
            books.keep_gauge(engineer_id, reading)
        books.keep_gauge(4, week)  # whose engineer is not there any more
    lines = at_work.types("gauges").output.splitlines()
    assert lines[0].startswith("engineer  vendor     account  window  used     an hour ")
    assert lines[0].endswith("from    plan  status")
    assert [line.split()[0] for line in lines[1:]] == ["4", "alice", "alice", "Bob"]
    assert " 99.9 % " in lines[3]
    assert " unknown " in lines[2]
    assert lines[2].endswith("rejected")
    [row] = [json.loads(line) for line in at_work.types("gauges", "--engineer", "BOB", "--json").stdout.splitlines()]
    assert (row["engineer"], row["used"], row["used_now"], row["source"]) == ("Bob", 10_000, None, "header")
    assert (row["an_hour"], row["full_at"]) == (None, None)
    missing = at_work.types("gauges", "--engineer", "zoe")
    assert (missing.exit_code, "Tabstop has not met zoe" in missing.output) == (1, True)


def test_what_is_to_be_expected_of_them(at_work: AtWork) -> None:
    """How much goes in an hour, and when it is full at this rate; read from two sources, a window is one line."""
    acme = at_work.with_acme()
    now = datetime.now(UTC)
    resets = now + timedelta(hours=1)
    header = GaugeReading("anthropic", "org-1", "5h", 8_600, now, GaugeSource.HEADER, resets, 300)
    status_line = replace(header, account="", source=GaugeSource.STATUS_LINE, observed_at=now + timedelta(seconds=1))
    with at_work.store().open(acme.organization.id) as books:
        for reading in (header, status_line):
            books.keep_gauge(acme.alice.id, reading)
    [_, line] = at_work.types("gauges").output.splitlines()
    assert " org-1 " in line
    assert " 21.4 % on average " in line
    for more in ((), ("--engineer", "alice")):
        [row] = [json.loads(line) for line in at_work.types("gauges", *more, "--json").stdout.splitlines()]
        assert (row["account"], row["an_hour"], row["used_now"]) == ("org-1", 2_149, 8_600)
        assert row["average"]
        assert now + timedelta(minutes=38) < datetime.fromisoformat(row["full_at"]) < now + timedelta(minutes=41)


def test_the_rate_is_of_the_recent_past(at_work: AtWork) -> None:
    """As far as earlier readings are kept."""
    acme = at_work.with_acme()
    now = datetime.now(UTC)
    read = GaugeReading("anthropic", "org-1", "5h", 5_000, now, GaugeSource.HEADER, now + timedelta(hours=2), 300)
    earlier = replace(read, used=4_000, observed_at=now - timedelta(minutes=30))
    with at_work.store().open(acme.organization.id) as books:
        books.keep_gauge(acme.alice.id, read)
        books.change_earlier_gauges(acme.alice.id, added=[earlier], dropped=[])
    [_, line] = at_work.types("gauges").output.splitlines()
    assert " 20.0 %  " in line
    [row] = [json.loads(line) for line in at_work.types("gauges", "--json").stdout.splitlines()]
    assert (row["an_hour"], row["average"], row["full_at"]) == (2_000, False, None)
