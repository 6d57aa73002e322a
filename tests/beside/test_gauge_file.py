"""The gauges of a session's folder: several may hear of them, and nothing in the file can stop a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tabstop.beside.gauge_file import keep_gauges, read_gauges
from tabstop.beside.session_folder import SessionFolder
from tabstop.gauge import GaugeReading, GaugeSource
from tests.governor.builders import at

READ = GaugeReading("anthropic", "org-1", "5h", 4_270, at(10), GaugeSource.HEADER, at(600), 300)
WEEK = replace(READ, window="weekly", minutes=10_080)


def test_who_hears_of_one_adds_it(tmp_path: Path) -> None:
    """A newer reading of the same window takes its place, an older one does not; others stay."""
    folder = SessionFolder(tmp_path)
    assert read_gauges(folder) == ()
    keep_gauges(folder, [WEEK])
    newer = replace(READ, used=4_300, observed_at=at(20), source=GaugeSource.STATUS_LINE)
    keep_gauges(folder, [newer])
    keep_gauges(folder, [READ])
    assert read_gauges(folder) == (newer, WEEK)
    assert (tmp_path / "gauges.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"", b"{", b"3", b'{"5h": 3}', b"[" * 100_000, b'[{"used": "much"}, 4, null]', b"\xff"]
)
def test_what_cannot_be_read_is_left_out(tmp_path: Path, content: bytes) -> None:
    """And is replaced by what is heard next."""
    (tmp_path / "gauges.json").write_bytes(content)
    folder = SessionFolder(tmp_path)
    assert read_gauges(folder) == ()
    keep_gauges(folder, [READ])
    assert read_gauges(folder) == (READ,)
