"""Prices inside a program: the installed price book, prices of one's own over it, and what is assumed where neither knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tabstop.beside.hook_records import pricer_of
from tabstop.beside.pricing import Pricer, local_pricer
from tabstop.beside.session_folder import Record
from tabstop.governor.settings import Degradation
from tabstop.policy.model import PriceOverride


def pricer_for(record: Record | None, now: datetime, prices: Sequence[PriceOverride], models: Degradation) -> Pricer:
    """Prices by the card that a server sent with the session, else by the book at this moment, under `prices`. See `local_pricer`."""
    return pricer_of(record, now) if record is not None and record.price_card else local_pricer(now, prices, models)
