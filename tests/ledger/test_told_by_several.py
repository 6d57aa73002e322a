"""One call told by several sources that know no id in common: one usage, whatever arrives first; two equal calls stay two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ledger.books import SessionRow
from app.ledger.recompute import recompute
from app.registry import Store, Transaction
from app.store.memory import MemoryStore
from tabstop.cost import CostState
from tabstop.usage import Tokens, Usage
from tests.ledger.builders import a_report, a_start, a_usage, an_organization, at, begun, report
from tests.support.stores import KINDS


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, new_store: Callable[[str], Store]) -> Store:
    """Each kind of store in turn: which keys a usage has is asked of it."""
    return new_store(request.param)


@dataclass
class Bench:
    """One engineer's laptop: three sessions of ours, of which one is the proxy's, about one client's."""

    books: Transaction
    sessions: tuple[SessionRow, ...]

    def tell(self, session: int, *usages: Usage) -> None:
        report(self.books, self.sessions[session].id, a_report(usages), at(60))

    def tokens(self) -> list[Tokens]:
        """Of every usage that counts, in order."""
        rows = [row for one in self.sessions for row in self.books.usages_of(one.id) if row.same_as is None]
        assert recompute(self.books, at(60)) == []
        return sorted((row.tokens for row in rows), key=lambda tokens: (tokens.prompt, tokens.output))

    @property
    def spent(self) -> int:
        return sum(found.spent.nano for one in self.sessions if (found := self.books.session(one.id)) is not None)


@contextmanager
def bench(store: Store, **more: Any) -> Iterator[Bench]:
    with store.open(an_organization(store).id) as books:
        names = ("hooks", "logs", "proxy")
        yield Bench(books, tuple(begun(books, a_start(name, **more)) for name in names))


def chat(n: int, tokens: Tokens, seconds: float = 0.0) -> Usage:
    return a_usage(f"google:chat:s/{n}", tokens=tokens, thread="s", occurred_at=at(seconds / 60))


def hook(n: int, tokens: Tokens, seconds: float = 0.0) -> Usage:
    """What of the prompt was cached is not told."""
    whole = Tokens(input=tokens.prompt, output=tokens.output)
    told = a_usage(f"google:hook:s/{n}", tokens=whole, thread="s", occurred_at=at(seconds / 60))
    return replace(told, cache_split_known=False)


def proxied(n: int, tokens: Tokens, seconds: float = 0.0) -> Usage:
    return a_usage(f"google:resp:{n}", tokens=tokens, thread="", occurred_at=at(seconds / 60))


SOURCES: tuple[tuple[int, Callable[[int, Tokens, float], Usage]], ...] = ((0, hook), (1, chat), (2, proxied))
"""Each with the session it reports to."""

CACHED = Tokens(input=30, cache_read=70, output=10)


def test_the_source_that_knows_what_was_cached_corrects_the_others(store: Store) -> None:
    """Hooks' word is an upper bound until then."""
    with bench(store) as on:
        on.tell(0, hook(1, CACHED))
        assert on.tokens() == [Tokens(input=100, output=10)]
        on.tell(1, chat(1, CACHED))
        on.tell(0, hook(1, CACHED))
        assert on.tokens() == [CACHED]
        assert {row.cost_state for row in on.books.usages_of("session-hooks")} == {CostState.KNOWN}


def test_equal_calls_of_one_second_stay_two(store: Store) -> None:
    """The chat names both, so both are there, and each is paired with one that the proxy saw."""
    with bench(store) as on:
        on.tell(1, chat(1, CACHED), chat(2, CACHED, 0.2))
        on.tell(2, proxied(1, CACHED), proxied(2, CACHED, 0.2))
        on.tell(0, hook(1, CACHED), hook(2, CACHED, 0.2))
        assert on.tokens() == [CACHED, CACHED]
        assert on.spent == 2 * 110_000


@pytest.mark.parametrize(("more", "calls"), [({}, 1), ({"run_id": "7"}, 2), ({"engineer_id": None}, 2)])
def test_whose_calls_may_be_one(more: dict[str, Any], calls: int) -> None:
    """On a laptop several sessions tell of one client's; each run of a workflow tells of its own alone."""
    with bench(MemoryStore(), **more) as on:
        on.tell(1, chat(1, CACHED))
        on.tell(2, proxied(1, CACHED))
        assert len(on.tokens()) == calls


def test_opencodes_database_and_the_proxy(store: Store) -> None:
    """By its tools' ids; an answer without any by its session, counts and time."""
    with bench(store) as on:
        said = Tokens(input=5, cache_write_5m=9, output=4)
        one = a_usage("opencode:msg:m1", "opencode:tool:ses/t1", tokens=said, thread="ses", cache_split_known=False)
        last = a_usage("opencode:msg:m2", tokens=said, thread="ses", occurred_at=at(0.05), cache_split_known=False)
        on.tell(1, one, last)
        exact = Tokens(input=5, cache_write_1h=9, output=4)
        seen = [
            ("anthropic:msg:1", "opencode:tool:ses/t1", "opencode:asked:1"),
            ("anthropic:msg:2", "opencode:asked:2"),
        ]
        on.tell(2, *(a_usage(*keys, tokens=exact, thread="ses", occurred_at=at(0.03)) for keys in seen))
        on.tell(2, a_usage("anthropic:msg:3", "opencode:asked:3", tokens=exact, thread="other"))
        assert on.tokens() == [exact] * 3


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_total_is_that_of_the_calls(data: st.DataObject) -> None:
    """Whichever sources there are, in whatever order and batches they tell, some of it twice: nothing is lost or added."""
    sizes = st.sampled_from([CACHED, Tokens(input=100, output=10), Tokens(input=7, output=9)])
    calls = data.draw(st.lists(st.tuples(sizes, st.sampled_from([0.0, 0.5, 3.0, 58.0])), max_size=5))
    sources = data.draw(st.lists(st.sampled_from(SOURCES), min_size=1, unique=True))
    told = [
        (session, source(n, tokens, seconds))
        for n, (tokens, seconds) in enumerate(calls)
        for session, source in sources
    ]
    told += data.draw(st.lists(st.sampled_from(told), max_size=3)) if told else []
    with bench(MemoryStore()) as on:
        for session, usage in data.draw(st.permutations(told)):
            on.tell(session, usage)
        found = on.tokens()
        assert [tokens.total for tokens in found] == sorted(tokens.total for tokens, _ in calls)
        assert on.spent == sum(tokens.total for tokens, _ in calls) * 1_000
