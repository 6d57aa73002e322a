"""A proxy before a model API, as a process of its own, with its journal on disk: `python -m bench.proxied URL FOLDER CAP`."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.journal import Journal
from tabstop.beside.pricing import Pricer
from tabstop.beside.proxy.routes import Upstreams
from tabstop.beside.proxy.running import running_proxy
from tabstop.governor.settings import Breaker, Degradation, Response, Runaway, Settings
from tabstop.price_card import ModelPrice, PriceCard, Rates, Tier
from tabstop.session import Limits

INPUT, OUTPUT = 4_000, 20_000
"""Nano-dollars a token."""


def main() -> None:
    """Run until the standard input ends."""
    url, folder, cap = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    now = datetime.now(UTC)
    rates = Rates(Decimal(INPUT), output=Decimal(OUTPUT))
    card = PriceCard(now, {"model": ModelPrice("model", "model", exact=True, tiers=(Tier(0, rates),))})
    # Thousands of calls a minute that all say the same are a runaway: its signs are looked for, and not acted on.
    breaker = Breaker(failures_percent=None, repeats=None, cost_per_minute=None)
    settings = Settings(
        limits=Limits(cost=cap), degradation=Degradation(ladder=()), breaker=breaker, runaway=_only_alerts(Runaway())
    )
    with Journal(folder / "journal.jsonl") as journal:
        governed = GovernedSession(settings, Pricer(card), lambda: datetime.now(UTC), journal=journal)
        with running_proxy(governed, upstreams=Upstreams(anthropic=url)) as proxy:
            print(proxy.base("anthropic"), flush=True)
            sys.stdin.read()


def _only_alerts(runaway: Runaway) -> Runaway:
    signs = {
        one.name: replace(getattr(runaway, one.name), response=Response.ALERT, persists=0) for one in fields(Runaway)
    }
    return Runaway(**signs)


if __name__ == "__main__":
    main()
