"""Status windows: earlier readings of the plan's windows, in a file quick enough to read for a status line; they give its rate."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tabstop.beside.plan_sessions import state_folder
from tabstop.gauge import GaugeReading, GaugeSource

_SIZE = 64 * 1024
"""Bytes; ten windows of forty readings need half."""


def earlier_windows(environ: Mapping[str, str]) -> tuple[GaugeReading, ...]:
    """What is kept of them; nothing of a file that cannot be read."""
    path = _path(environ)
    with suppress(OSError, ValueError, RecursionError, TypeError, OverflowError):
        if path is not None and path.stat().st_size <= _SIZE:
            return tuple(_reading(*row) for row in json.loads(path.read_bytes()))
    return ()


def keep_windows(environ: Mapping[str, str], told: Iterable[GaugeReading]) -> None:
    """Keep these too, and of those before as much as a rate needs. Raises `OSError`."""
    from tabstop.beside.session_folder import write_privately  # noqa: PLC0415 - not quick to load; the line is written
    from tabstop.gauge_history import with_history  # noqa: PLC0415

    path = _path(environ)
    if path is not None:
        kept = with_history((*earlier_windows(environ), *told)).values()
        rows = [_row(reading) for few in kept for reading in few]
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_privately(path, json.dumps(rows).encode())


def _path(environ: Mapping[str, str]) -> Path | None:
    folder = state_folder(environ)
    return folder and folder / "windows.json"


def _row(reading: GaugeReading) -> list[object]:
    resets = None if reading.resets_at is None else reading.resets_at.timestamp()
    return [reading.window, reading.minutes, reading.used, reading.observed_at.timestamp(), resets]


def _reading(window: str, minutes: int, used: int, observed: float, resets: float | None) -> GaugeReading:
    """Raises `TypeError`, `ValueError` or `OverflowError` for what no reading can be."""
    return GaugeReading(
        vendor="anthropic",
        account="",
        window=window,
        used=int(used),
        observed_at=datetime.fromtimestamp(observed, UTC),
        source=GaugeSource.STATUS_LINE,
        resets_at=None if resets is None else datetime.fromtimestamp(resets, UTC),
        minutes=int(minutes),
    )
