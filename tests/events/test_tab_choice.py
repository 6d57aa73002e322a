"""Tab choice: the same tabs in whatever order we hear of a branch's pull requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.jobs.town import NOW, Town, a_town_in_memory


class Seen(NamedTuple):
    """A pull request as GitHub told of it: minutes by its clock. ended: None while it is open."""

    number: int
    opened: int
    ended: int | None
    told: int


Life = tuple[int, ...]
"""Minutes at which one was opened, closed, opened again, and so on."""


def sightings(lives: Sequence[Life]) -> list[Seen]:
    """Everything GitHub would tell of them, numbered from 1."""
    return [
        Seen(number, life[0], at if place % 2 else None, at)
        for number, life in enumerate(lives, start=1)
        for place, at in enumerate(life)
    ]


def hear(told: Sequence[Seen]) -> Town:
    """Told in this order, a minute between any two."""
    town = a_town_in_memory()
    for one in told:
        town.pass_time(minutes=1)
        state = "open" if one.ended is None else "closed"
        opened_at, updated_at = minute(one.opened), minute(one.told)
        ended_at = None if one.ended is None else minute(one.ended)
        changes = {"opened_at": opened_at, "ended_at": ended_at, "updated_at": updated_at, "head_branch": "feature"}
        town.pull_event("edited", town.pull(one.number, state, **changes))
        town.settle()
    return town


def minute(number: int) -> datetime:
    """By GitHub's clock, long before anything is heard."""
    return NOW - timedelta(days=1) + timedelta(minutes=number)


def together(lives: Sequence[Life]) -> set[frozenset[int]]:
    """A second definition: on the line of time, who was open from the first opening to the last end, without a gap in between."""
    spans = sorted((life[0], life[-1] if len(life) % 2 == 0 else 10_000, n) for n, life in enumerate(lives, start=1))
    found: list[tuple[int, set[int]]] = []
    for opened, ended, number in spans:
        if found and opened < found[-1][0]:
            reach, numbers = found[-1]
            found[-1] = max(reach, ended), numbers | {number}
        else:
            found.append((ended, {number}))
    return {frozenset(numbers) for _, numbers in found}


@pytest.mark.slow
@settings(max_examples=150, deadline=None, phases=(Phase.explicit, Phase.generate, Phase.shrink))
@given(data=st.data())
def test_those_that_were_open_at_once_share_a_tab(data: st.DataObject) -> None:
    """And others do not, in whatever order we hear of them; the tab ends when the last of them does."""
    minutes = st.lists(st.integers(0, 40), min_size=1, max_size=4, unique=True)
    lives = data.draw(st.lists(minutes.map(lambda one: tuple(sorted(one))), min_size=1, max_size=4))
    town = hear(data.draw(st.permutations(sightings(lives))))
    pulls = {number: town.seen(number) for number in range(1, len(lives) + 1)}
    by_tab: dict[int, set[int]] = {}
    for number, pull in pulls.items():
        by_tab.setdefault(pull.tab_id, set()).add(number)
    assert {frozenset(numbers) for numbers in by_tab.values()} == together(lives)
    with town.store.look(town.org) as db:
        for tab_id, numbers in by_tab.items():
            tab = db.tab(tab_id)
            assert tab is not None
            of_it = [lives[number - 1] for number in numbers]
            is_open = any(len(life) % 2 for life in of_it)
            assert tab.ended_at == (None if is_open else minute(max(life[-1] for life in of_it)))
    town.store.close()
