"""Meters for Prometheus, one registry per application so that tests do not share counts."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


@dataclass(frozen=True, slots=True)
class Meters:
    """Everything `/metrics` shows."""

    registry: CollectorRegistry
    requests: Histogram
    starts: Counter
    usages: Counter
    webhooks: Counter
    jobs: Counter
    dead_jobs: Gauge


def meters() -> Meters:
    """Fresh meters at zero."""
    registry = CollectorRegistry()
    return Meters(
        registry,
        Histogram("tabstop_request_seconds", "Time to answer a request.", ["route", "status"], registry=registry),
        Counter("tabstop_starts", "Sessions asked for.", ["outcome"], registry=registry),
        Counter("tabstop_usages", "Usages reported.", ["kind"], registry=registry),
        Counter("tabstop_webhooks", "Webhooks received.", ["event", "kind"], registry=registry),
        Counter("tabstop_jobs", "Jobs done.", ["kind", "outcome"], registry=registry),
        Gauge("tabstop_dead_jobs", "Jobs that failed for good.", registry=registry),
    )
