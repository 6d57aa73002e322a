"""Redeliveries: which of the App's webhook deliveries failed and are worth asking for again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from app.github_api.answers import Json, delivery, instant
from app.github_api.protocol import FailedDelivery

ATTEMPTS = 5
"""After so many, a webhook that we cannot take is left alone."""


def failed(listed: Iterable[Json], since: datetime) -> Iterator[FailedDelivery]:
    """Of deliveries, newest first, those since an instant of which no attempt succeeded; the newest attempt of each.

    A redelivery keeps its GUID and is listed as one more delivery, so attempts are told apart by it. Failed is whatever
    is not `OK`: GitHub's own filter `status=failure` means codes 400 to 599 and misses time-outs.
    """
    attempts: dict[str, list[Json]] = {}
    for data in listed:
        if instant(data["delivered_at"]) < since:
            break
        attempts.setdefault(data["guid"], []).append(data)
    for tried in attempts.values():
        if len(tried) < ATTEMPTS and not any(data.get("status") == "OK" for data in tried):
            yield delivery(tried[0])
