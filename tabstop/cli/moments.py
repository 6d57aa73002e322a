"""Moments people type: `7d`, `12h`, `today`, `2026-11-01`, each as the time from which something counts."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import click

_BACK = re.compile(r"([1-9][0-9]{0,4}) ?(m|h|d|w)")
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def since(text: str, now: datetime, zone: tzinfo | None) -> datetime:
    """The beginning. Minutes and hours are counted back from now; days and weeks are whole days, today included.

    zone: of days; None for this machine's. Raises `ValueError` with what is allowed.
    """
    here = now.astimezone(zone)
    if text == "today":
        return _midnight(here.date(), zone)
    if found := _BACK.fullmatch(text):
        number, unit = int(found[1]), found[2]
        if unit in "mh":
            return max(_EARLIEST, now - timedelta(**{"minutes" if unit == "m" else "hours": number}))
        days = number * (7 if unit == "w" else 1)
        return max(_EARLIEST, _midnight(here.date() - timedelta(days=min(days, 10_000) - 1), zone))
    try:
        return _midnight(date.fromisoformat(text), zone)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time; write `7d` (today and the six days before), `12h`, `2w`, `today` or a day such as `2026-11-01`."
        ) from None


def since_option(text: str | None, now: datetime, zone: tzinfo | None) -> datetime | None:
    """Of `--since`: None where it is not given. Raises `click.BadParameter`."""
    if text is None:
        return None
    try:
        return since(text, now, zone)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    if zone is None:
        return datetime.combine(day, time()).astimezone().astimezone(UTC)
    return datetime.combine(day, time(), zone).astimezone(UTC)
