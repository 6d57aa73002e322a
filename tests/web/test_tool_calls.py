"""Tools in a report: a call names those whose results it carried; they are counted, and nothing of them is written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.web.conftest import Bench, json_of

NAME, DIGEST = "mcp__tracker__a_name_of_ours", "d1" * 32


def tools(*failed: bool) -> list[dict[str, object]]:
    """One tool's results."""
    return [{"name": NAME, "arguments_hmac": DIGEST, "failed": one} for one in failed]


def test_tools_are_counted_once(bench: Bench) -> None:
    """Failed ones too; of one call told twice the longer list counts, whatever came first."""
    bench.policy("session:\n  tool_calls: 3\n")
    started = bench.start()
    first = bench.a_call("r1", tool_calls=tools(False, True))
    assert json_of(bench.report(started, first, first))["verdict"]["findings"] == []
    assert json_of(bench.report(started, bench.a_call("r1", tool_calls=tools(False))))["verdict"]["findings"] == []
    [limit] = json_of(bench.report(started, bench.a_call("r2", tool_calls=tools(False))))["verdict"]["findings"]
    assert (limit["scope"], limit["spent"], limit["cap"], limit["outcome"]) == ("tool_calls", 3, 3, "stop")


def test_names_and_digests_are_not_written(bench: Bench, tmp_path: Path) -> None:
    """What the server keeps of tools is their number."""
    started = bench.start()
    assert bench.report(started, bench.a_call("r1", tool_calls=tools(False, True))).status_code == 200
    bench.end(started)
    with sqlite3.connect(tmp_path / "books.db") as db:
        kept = "\n".join(db.iterdump())
    db.close()
    assert json_of(started)["session"] in kept
    assert NAME not in kept
    assert DIGEST not in kept
