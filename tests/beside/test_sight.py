"""Sight: when tool calls without an answer mean that answers cannot be read; and what a session counts of such answers."""

from __future__ import annotations

import pytest

from tabstop.agents.dialect import not_read
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.pricing import Pricer
from tabstop.beside.sight import CALLS_AT_FIRST, CALLS_BETWEEN, Sight
from tabstop.governor.orders import Event, EventKind
from tabstop.governor.settings import Settings, UnknownPrice
from tabstop.money import dollars
from tabstop.price_card import PriceCard
from tabstop.session import Limits
from tabstop.usage import Usage
from tests.beside.test_governed_session import PRICER, Clock, used
from tests.governor.builders import BEGUN, ended, finished, started


def session(
    told: list[Event], reported: list[Usage] | None = None, unpriced: UnknownPrice = UnknownPrice.WARN
) -> GovernedSession:
    settings = Settings(limits=Limits(cost=dollars(1)), unpriced=unpriced)
    kept: list[Usage] = [] if reported is None else reported
    return GovernedSession(
        settings, PRICER, Clock(), on_event=lambda event, _order: told.append(event), on_usage=kept.append
    )


def calls(governed: GovernedSession, sight: Sight, count: int, begin: int = 0) -> bool:
    for number in range(begin, begin + count):
        governed.tell(fact := started(number / 1_000, f"t{number}", str(number)))
        sight.look(fact)
    return governed.state.totals.blind


def test_ten_calls_without_any_answer() -> None:
    """Then it is told, once; an answer takes it back, and from then on there may be more between two."""
    told: list[Event] = []
    governed = session(told)
    sight = Sight(governed)
    assert not calls(governed, sight, CALLS_AT_FIRST - 1)
    sight.look(ended())
    assert calls(governed, sight, 3, 10)
    assert len(told) == 1
    governed.answered(used(1))
    assert not calls(governed, sight, CALLS_BETWEEN - 1, 20)
    assert calls(governed, sight, 1, 80)


@pytest.mark.parametrize(("seconds", "blind"), [(59, False), (60, True)])
def test_a_minute_of_work_without_any_answer(seconds: int, blind: bool) -> None:
    """Counted from the first call; a tool that takes long is none once its answer was read."""
    governed = session([])
    sight = Sight(governed)
    sight.look(started(0))
    sight.look(finished(seconds))
    assert governed.state.totals.blind is blind
    seen = session([])
    sight = Sight(seen)
    seen.answered(used(1))
    sight.look(started(0))
    sight.look(finished(600))
    assert not seen.state.totals.blind


def test_an_answer_that_cannot_be_read_counts_once_and_is_not_reported() -> None:
    """Under the id it has in common with one that could be; later it may turn out to be readable after all."""
    reported: list[Usage] = []
    governed = session([], reported)
    unread = not_read("anthropic:msg:m1", "claude-code", None)
    for _ in range(2):
        governed.answered(unread, unread=True)
    totals = governed.state.totals
    assert (totals.iterations, totals.unread, totals.cost, reported) == (1, 1, 0, [])
    governed.answered(used(1))
    governed.answered(unread, unread=True)
    totals = governed.state.totals
    assert (totals.iterations, totals.cost, len(reported)) == (1, 1_000_000, 1)


def test_what_is_assumed_of_a_model_without_a_price_is_said_once() -> None:
    """The dearest known; where the policy blocks it nothing is assumed, and it stops; with no price at all, its tokens count."""
    told: list[Event] = []
    governed = session(told)
    for number in (1, 2):
        governed.answered(used(number, model="new"))
    (said,) = (one.finding for one in told if one.kind is EventKind.ALERT)
    assert said is not None
    assert said.sentence.startswith("The price of new is not known, so it is priced as m, the dearest model known.")
    assert (governed.state.totals.cost, governed.state.totals.assumed) == (2_000_000, 2)
    blocked = session([], unpriced=UnknownPrice.BLOCK)
    blocked.answered(used(1, model="new"))
    assert blocked.state.stopped is not None
    assert blocked.state.totals.cost == 0
    told.clear()
    nothing = GovernedSession(
        Settings(), Pricer(PriceCard(BEGUN)), Clock(), on_event=lambda event, _order: told.append(event)
    )
    nothing.answered(used(1, model=""))
    assert "An answer names no model, so it counts by its tokens only." in (told[0].finding or said).sentence
