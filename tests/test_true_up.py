"""What the client counted and no call accounts for: exact, shrinking, and gone when every call is known."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.true_up import remainder, true_up
from tabstop.usage import Grain, Tokens, Usage
from tabstop.wire import ClientTotal

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
counts = st.integers(0, 10**6)
some_tokens = st.builds(Tokens, counts, counts, counts, counts, counts)


def a_call(name: str, tokens: Tokens, model: str = "opus", web_searches: int = 0) -> Usage:
    return Usage((f"anthropic:req:{name}",), model, tokens, AT, web_searches=web_searches)


@pytest.mark.parametrize(
    ("total", "rows", "rest"),
    [
        (
            Tokens(92, 53_400, 19_600, 1_800, 1_320),
            Tokens(70, 37_400, 18_400, 1_200, 1_000),
            Tokens(22, 16_000, 1_200, 600, 320),
        ),
        (Tokens(5, output=5), Tokens(5, output=5), Tokens()),
        (Tokens(), Tokens(1, 1, 1, 1, 1), Tokens()),
        (Tokens(input=5, output=1), Tokens(input=3, output=9), Tokens(input=2)),
        # Rows that do not know the lifetime: 400 + 600 written, told as 1,000 of 5 minutes.
        (Tokens(cache_write_5m=400, cache_write_1h=600), Tokens(cache_write_5m=1_000), Tokens()),
        (Tokens(cache_write_5m=400, cache_write_1h=700), Tokens(cache_write_5m=1_000), Tokens(cache_write_1h=100)),
        (Tokens(cache_write_5m=900, cache_write_1h=100), Tokens(cache_write_5m=100), Tokens(0, 0, 800, 100)),
    ],
)
def test_remainder(total: Tokens, rows: Tokens, rest: Tokens) -> None:
    """Kind by kind, cache writes as a whole first."""
    assert remainder(total, rows) == rest


@given(some_tokens, some_tokens)
def test_rows_and_remainder_make_the_total(rows: Tokens, more: Tokens) -> None:
    """Where rows are part of the total, exactly; otherwise the remainder is never negative nor more than the total."""
    assert remainder(rows + more, rows) == more
    rest = remainder(more, rows)
    assert rest == rest.at_least_zero()
    assert rest.total <= more.total


@given(st.lists(some_tokens, max_size=5), st.lists(some_tokens, max_size=4), st.randoms())
def test_it_shrinks_to_nothing_as_calls_arrive(known: list[Tokens], late: list[Tokens], random: object) -> None:
    """Each late call takes its own tokens out, in whatever order they come."""
    calls = [a_call(f"k{i}", one) for i, one in enumerate(known)]
    rest = [a_call(f"l{i}", one) for i, one in enumerate(late)]
    total = sum(known + late, Tokens())
    totals = [ClientTotal("s", "opus", total)]
    random.shuffle(rest)  # type: ignore[attr-defined]
    missing = sum(late, Tokens())
    while True:
        now = true_up(calls, totals, session="s", at=AT)
        assert sum((one.tokens for one in now), Tokens()) == missing
        if not rest:
            break
        arrived = rest.pop()
        calls.append(arrived)
        missing -= arrived.tokens


def test_one_aggregate_per_model_with_a_lasting_key() -> None:
    """Threads are added up, spellings of a model are one, and the entry can be found again."""
    calls = [
        a_call("1", Tokens(input=5), "claude-haiku-5-5-20260901"),
        a_call("2", Tokens(input=7), "claude-opus-5-5[fast]"),
    ]
    totals = [
        ClientTotal("a", "claude-haiku-5-5", Tokens(input=6), web_searches=2),
        ClientTotal("a", "claude-opus-5-5", Tokens(input=4)),
        ClientTotal("b", "claude-opus-5-5", Tokens(input=4)),
    ]
    rest = true_up(calls, totals, session="s", at=AT, agent="claude-code")
    assert [(one.keys, one.model, one.tokens, one.web_searches, one.grain) for one in rest] == [
        (("tabstop:rest:s/claude-haiku-5-5",), "claude-haiku-5-5", Tokens(input=1), 2, Grain.AGGREGATE),
        (("tabstop:rest:s/claude-opus-5-5",), "claude-opus-5-5", Tokens(input=1), 0, Grain.AGGREGATE),
    ]


def test_an_earlier_true_up_is_no_call() -> None:
    """Computing it again over everything stored gives the same."""
    totals = [ClientTotal("a", "opus", Tokens(input=6))]
    first = true_up([], totals, session="s", at=AT)
    assert true_up(first, totals, session="s", at=AT) == first


def test_calls_without_a_total_leave_nothing() -> None:
    """A killed client tells no total: its calls are all there is."""
    assert true_up([a_call("1", Tokens(input=5))], [], session="s", at=AT) == ()
