"""An engineer's vendor windows, and what a batch may say of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.ledger.gauges import readings_of
from app.ledger.rows import NO_REPOSITORY
from app.registry import EngineerToken
from app.world import World
from tabstop.gauge import LONGEST_WINDOW, MOST_USED, GaugeReading
from tabstop.gauge_account import with_accounts
from tabstop.gauge_rate import outlook
from tabstop.wire import GaugesAnswer, gauge_now

NAME = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
"""A vendor, an account or a window."""

WORDS = re.compile(r"[A-Za-z0-9_.:/ -]{0,100}")
"""A plan's or limit's name, a vendor's status."""

_LONGEST_MINUTES = LONGEST_WINDOW.days * 24 * 60


def gauges_for(world: World, token: EngineerToken) -> GaugesAnswer:
    """The own ones of the person whose account the token is, all that is known. Numbers go to them, and to operators."""
    with world.store.look(token.organization_id) as books:
        account = books.engineer(token.engineer_id)
        login = books.policy_in_force(NO_REPOSITORY).policy.login_of(account.login) if account else ""
        person = books.engineer_by_login(login) if login else None
        readings = readings_of(books, person.id if person else token.engineer_id)
    now = world.now()
    return GaugesAnswer(tuple(gauge_now(outlook(one, now, readings)) for one in with_accounts(readings)))


def problems_of_gauge(path: str, reading: GaugeReading) -> Iterator[str]:
    """What no vendor's window can be. Whether its time can be believed is the ledger's to say."""
    for name, text in (("vendor", reading.vendor), ("account", reading.account or "-"), ("window", reading.window)):
        if not NAME.fullmatch(text):
            yield f"{path}.{name}: found {text[:60]!r}, expected up to 100 letters, digits and any of _ . : -"
    for name, text in (("plan", reading.plan), ("status", reading.status)):
        if not WORDS.fullmatch(text):
            yield f"{path}.{name}: found {text[:60]!r}, expected up to 100 letters, digits, spaces and any of _ . : / -"
    if not 0 <= reading.used <= MOST_USED:
        yield f"{path}.used: found {reading.used}, expected ten-thousandths of the window, 0 to {MOST_USED:,}"
    if not 0 <= reading.minutes <= _LONGEST_MINUTES:
        yield f"{path}.minutes: found {reading.minutes}, expected 0 to {_LONGEST_MINUTES:,}"
    if reading.resets_at is not None and abs(reading.resets_at - reading.observed_at) > LONGEST_WINDOW:
        yield f"{path}.resets_at: expected within {LONGEST_WINDOW.days} days of observed_at"
