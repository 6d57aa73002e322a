"""What Codex tells of a plan's windows: every shape it writes, and nothing that is none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.agents.codex.logs import read
from tabstop.agents.codex.rate_limits import readings_of_rate_limits
from tabstop.agents.codex.rollout import RolloutFollower
from tabstop.agents.log_files import LogFile
from tabstop.gauge import GaugeReading, GaugeSource

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
LATER = int((NOW + timedelta(hours=2)).timestamp())
SAMPLE = Path(__file__).parents[2] / "samples/codex/rollout.jsonl"

EVENT = GaugeReading("openai", "", "5h", 700, NOW, GaugeSource.EVENT, NOW + timedelta(hours=2), 300, "plus")
WEEK = replace(EVENT, window="weekly", used=7_700, minutes=10_080)


PRIMARY = {"used_percent": 7.0, "window_minutes": 300, "resets_at": LATER}
SECONDARY = {"used_percent": 77.0, "window_minutes": 10_080, "resets_at": LATER}


@pytest.mark.parametrize(
    ("limits", "readings"),
    [
        ({"primary": PRIMARY, "secondary": SECONDARY, "limit_id": "codex", "plan_type": "plus"}, (EVENT, WEEK)),
        ({"primary": {"used_percent": 7, "window_minutes": 299, "resets_in_seconds": 7200}, "plan_type": "plus"}, (replace(EVENT, minutes=299),)),
        ({"primary": PRIMARY, "limit_id": "codex_other", "limit_name": "GPT Other"}, (replace(EVENT, window="5h_codex_other", plan="GPT_Other"),)),
        ({"primary": PRIMARY | {"resets_at": 5}, "plan_type": "plus"}, (replace(EVENT, resets_at=None),)),
        ({"primary": None, "secondary": None, "plan_type": None}, ()),
        ({"primary": PRIMARY | {"window_minutes": None}}, ()),
        ({"primary": PRIMARY | {"used_percent": 10**5_000}}, ()),  # more digits than Python prints
        ({"primary": PRIMARY | {"window_minutes": 10**9}}, ()),
        ({"primary": [7], "secondary": {}}, ()),
        (None, ()),
    ],
)  # fmt: skip
def test_codex_tells_of_a_plan(limits: object, readings: tuple[GaugeReading, ...]) -> None:
    """Both windows by their length, old and new clients; an API key has none; a single model's window keeps its name."""
    assert readings_of_rate_limits(limits, NOW) == readings


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["primary", "used_percent", "window_minutes", "resets_at"]),
            inner,
        )
    ),
    max_leaves=10,
)


@given(anything)
def test_nothing_that_is_written_there_is_too_strange(said: Any) -> None:
    """It is a file that others write."""
    readings_of_rate_limits(said, NOW)


def on_a_plan(path: Path) -> Path:
    """A captured rollout as it would be on a plan: used one percent more with each count."""
    lines, percent = [], 0
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row.get("payload", {}).get("type") == "token_count":
            percent += 1
            primary = {"used_percent": percent, "window_minutes": 300, "resets_in_seconds": 600}
            row["payload"]["rate_limits"] = {"primary": primary, "secondary": None, "plan_type": "plus"}
        lines.append(json.dumps(row))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_rollout_tells_the_newest_reading(tmp_path: Path) -> None:
    """Read as a whole, line by line, and as it grows: the same."""
    path = on_a_plan(tmp_path / "rollout-1.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    every = [
        reading
        for row in rows
        for reading in readings_of_rate_limits(
            row.get("payload", {}).get("rate_limits"), datetime.fromisoformat(row["timestamp"])
        )
    ]
    assert len(every) > 1
    (whole,) = read(LogFile("codex", path))
    assert whole.gauges == (every[-1],)
    followed = [one for found in RolloutFollower(path).read() for one in found.gauges]
    assert followed == [one for one in every if one in followed]
    (bare,) = read(LogFile("codex", SAMPLE))
    assert bare.gauges == ()
