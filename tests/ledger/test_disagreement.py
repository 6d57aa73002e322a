"""Reports of one call that contradict each other: found once, whatever the order, and the largest counts stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.books import AuditRow, UsageRow
from app.ledger.disagreement import MOST_TOLD
from app.ledger.recompute import recompute
from app.registry import Store
from app.store.memory import MemoryStore
from tabstop.usage import Grain, Tokens, Usage
from tests.ledger.builders import ENGINEER, NOW, a_report, a_start, a_usage, an_organization, at, begin, report
from tests.support.stores import KINDS

SESSIONS = ("session-proxy", "session-logs")


def call(*counts: int, keys: Sequence[str] = ("req",), **more: Any) -> Usage:
    """Counts: input, cache read, written for 5 minutes, for an hour, output."""
    return a_usage(*keys, tokens=Tokens(*counts), **more)


class Ledger:
    """Two sessions of one engineer, which tell of the same calls."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.organization = an_organization(store).id
        with store.open(self.organization) as books:
            for session_id in SESSIONS:
                begin(books, a_start(session_id.removeprefix("session-")))

    def tell(self, *usages: Usage, session: int = 0) -> None:
        with self.store.open(self.organization) as books:
            report(books, SESSIONS[session], a_report(usages), at(1))
            assert recompute(books, at(1)) == []

    def rows(self) -> list[UsageRow]:
        """Every usage that counts."""
        with self.store.look(self.organization) as books:
            return [row for one in SESSIONS for row in books.usages_of(one) if row.same_as is None]

    def disputed(self) -> int:
        with self.store.look(self.organization) as books:
            return sum(books.disputed_calls(NOW).values())

    def audited(self) -> list[AuditRow]:
        self.store.seal_audit(self.organization, b"key")
        with self.store.look(self.organization) as books:
            return [one.row for one in books.audit_rows() if one.row.kind == "usage.disagreement"]


CASES = [
    ("the same", [call(5, 9, 2, 1, 7), call(5, 9, 2, 1, 7)], False),
    ("another input", [call(5, 0, 0, 0, 7), call(6, 0, 0, 0, 7)], True),
    ("read from the cache instead", [call(9, 0, 0, 0, 7), call(0, 9, 0, 0, 7)], True),
    ("another kept time", [call(1, 0, 9, 0, 7), call(1, 0, 0, 9, 7)], True),
    ("a smaller output", [call(5, 9, 0, 0, 1), call(5, 9, 0, 0, 7)], False),
    ("the prompt grew with the output", [call(5, 9, 0, 0, 1), call(6, 9, 0, 0, 7)], False),
    ("the prompt grew twice", [call(5, 0, 0, 0, 1), call(6, 0, 0, 0, 2), call(6, 1, 0, 0, 7)], False),
    ("the prompt grew, the output did not", [call(5, 0, 0, 0, 7), call(6, 0, 0, 0, 7), call(9, 9, 9, 9, 9)], True),
    ("one count grew and one shrank", [call(5, 9, 0, 0, 1), call(6, 8, 0, 0, 7)], True),
    ("the output shrank", [call(5, 0, 0, 0, 7), call(6, 0, 0, 0, 1)], True),
    ("no model has so many rounds", [call(n, 0, 0, 0, n) for n in range(1, MOST_TOLD + 2)], True),
    ("as many rounds as may be", [call(n, 0, 0, 0, n) for n in range(1, MOST_TOLD + 1)], False),
    ("the cache is not told", [call(5, 9, 0, 0, 7), call(14, 0, 0, 0, 7, cache_split_known=False)], False),
    (
        "the cache is not told, and the output is larger",
        [call(5, 0, 0, 0, 7), call(9, 0, 0, 0, 9, cache_split_known=False), call(6, 0, 0, 0, 8)],
        False,
    ),
    (
        "as much output as a source said that does not tell the cache",
        [call(0, 0, 0, 0, 2, cache_split_known=False), call(2), call(2, 0, 0, 0, 2), call(3, 0, 0, 0, 2)],
        True,
    ),
    (
        "the cache is not told, and the prompt is longer",
        [call(9, 0, 0, 0, 7, cache_split_known=False), call(5, 3, 0, 0, 7)],
        True,
    ),
    ("another model", [call(5, 0, 0, 0, 7), call(5, 0, 0, 0, 7, model="gpt-5")], True),
    ("another model of the family", [call(5, model="gpt-5-nano"), call(5, model="gpt-5-mini")], True),
    ("a model whose number goes on", [call(5, model="gpt-5"), call(5, model="gpt-5.1")], True),
    ("the model's longer name", [call(5, model="gemini-3-pro"), call(5, model="gemini-3-pro-preview")], False),
    ("the longer name and another", [call(5, model=f"gpt-5{one}") for one in ("", "-nano", "-mini")], True),
    ("the model with its date", [call(5), call(5, model="claude-sonnet-4-5-20250929")], False),
    ("the model with its provider", [call(5), call(5, model="anthropic/claude-sonnet-4-5")], False),
    ("a source that does not know the model", [call(5), call(5, model="")], False),
    ("two that differ in their date", [call(5, model="gpt-5-2026-01-01"), call(5, model="gpt-5-2026-02-02")], False),
    ("totals over several calls", [call(5, grain=Grain.AGGREGATE), call(6, grain=Grain.AGGREGATE)], False),
]


@pytest.mark.parametrize(("told", "disputed"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize("backwards", [True, False], ids=["backwards", "forwards"])
def test_what_is_a_disagreement(told: list[Usage], *, disputed: bool, together: bool, backwards: bool) -> None:
    """Noticed once, in whichever order and however often it is told, by whichever session; the largest counts win as ever."""
    ledger = Ledger(MemoryStore())
    in_order = told[::-1] if backwards else told
    for _ in range(2):
        for session, batch in enumerate([in_order] if together else [[one] for one in in_order]):
            ledger.tell(*batch, session=session % 2)
    (row,) = ledger.rows()
    assert (row.disputed, ledger.disputed(), len(ledger.audited())) == (disputed, disputed, disputed)
    assert row.tokens.output == max(one.tokens.output for one in told)
    assert not (row.disputed and row.told and row.cache_split_known)


@pytest.mark.parametrize("kind", KINDS)
def test_the_audit_log_tells_both_sides(kind: str, new_store: Callable[[str], Store]) -> None:
    """With the keys, what was told, and what is counted and charged; nobody's name."""
    ledger = Ledger(new_store(kind))
    ledger.tell(call(5, 9, 0, 0, 1, keys=("a", "b")), session=1)
    ledger.tell(call(6, 9, 0, 0, 3, keys=("a",)))
    assert ledger.audited() == []
    ledger.tell(call(7, 8, 0, 0, 3, keys=("b",), model="gpt-5"))
    (row,) = ledger.rows()
    (said,) = ledger.audited()
    assert (said.subject, said.at, said.engineer_id) == ("session-logs", at(1), ENGINEER)
    counts = ("model", "input", "cache_read", "cache_write_5m", "cache_write_1h", "least_output", "most_output")
    told = [
        ("claude-sonnet-4-5", 5, 9, 0, 0, 1, 1),
        ("claude-sonnet-4-5", 6, 9, 0, 0, 3, 3),
        ("gpt-5", 7, 8, 0, 0, 3, 3),
    ]
    assert said.body == {
        "usage": row.id,
        "keys": ["a", "b"],
        "told": [dict(zip(counts, one, strict=True)) for one in told],
        "counted": {
            "model": "claude-sonnet-4-5",
            "input": 7,
            "cache_read": 9,
            "cache_write_5m": 0,
            "cache_write_1h": 0,
            "output": 3,
            "nano": 19_000,
            "price": "known",
        },
    }


def test_two_usages_that_are_one_are_compared() -> None:
    """A report with the keys of both joins them; what each was told is compared, and only what counts is disputed."""
    ledger = Ledger(MemoryStore())
    ledger.tell(call(5, 0, 0, 0, 7, keys=("a",)))
    ledger.tell(call(6, 0, 0, 0, 7, keys=("b",)), session=1)
    assert ledger.disputed() == 0
    ledger.tell(call(6, 0, 0, 0, 7, keys=("a", "b")), session=1)
    assert (ledger.disputed(), len(ledger.rows()), len(ledger.audited())) == (1, 1, 1)


def test_a_disputed_usage_that_is_another_one_is_one_disputed_call() -> None:
    """Its dispute goes with it, and is not told again of what it was."""
    ledger = Ledger(MemoryStore())
    ledger.tell(call(5, 0, 0, 0, 7, keys=("a",)))
    ledger.tell(call(5, 0, 0, 0, 7, keys=("b",)))
    ledger.tell(call(6, 0, 0, 0, 7, keys=("b",)))
    for _ in range(2):
        ledger.tell(call(6, 0, 0, 0, 7, keys=("a", "b")))
    assert (ledger.disputed(), len(ledger.rows()), len(ledger.audited())) == (1, 1, 1)


COUNTS = st.builds(Tokens, st.integers(0, 2), st.integers(0, 2), output=st.integers(0, 3))
TELLINGS = st.builds(
    lambda tokens, model, known, key: call(
        *(tokens.input, tokens.cache_read, 0, 0, tokens.output), keys=(key,), model=model, cache_split_known=known
    ),
    COUNTS,
    st.sampled_from(["claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5", "gpt-5", "gpt-5-mini"]),
    st.sampled_from([True, True, False]),
    st.sampled_from(["a", "a", "b"]),
)


@given(told=st.lists(TELLINGS, min_size=2, max_size=6), data=st.data())
def test_neither_order_nor_repetition_matters(told: list[Usage], data: st.DataObject) -> None:
    """The same calls are disputed, each with one audit row, however its reports are ordered, batched, repeated and spread over sessions."""

    def outcome(batches: Sequence[Sequence[Usage]]) -> object:
        ledger = Ledger(MemoryStore())
        for batch in batches:
            ledger.tell(*batch, session=data.draw(st.sampled_from([0, 1])))
        rows = ledger.rows()
        with ledger.store.look(ledger.organization) as books:
            keys = books.keys_of([row.id for row in rows])
        noted = sorted(one.body["keys"] for one in ledger.audited())
        assert noted == sorted([list(keys[row.id]) for row in rows if row.disputed])
        return sorted((keys[row.id], row.disputed, row.told, row.tokens, row.model) for row in rows), noted

    def batches() -> list[list[Usage]]:
        more = data.draw(st.lists(st.sampled_from(told), max_size=3))
        order = data.draw(st.permutations([*told, *more]))
        cut = data.draw(st.integers(0, len(order)))
        return [order[:cut], *([one] for one in order[cut:])]

    def comparable(found: Any) -> object:
        return [(key, disputed, told) for key, disputed, told, *_ in found[0]], found[1]

    assert comparable(outcome([told])) == comparable(outcome(batches()))


def test_every_order_of_three() -> None:
    """Two that contradict each other do so too when a larger one came first, in whose shadow both lie."""
    told = [call(1, 0, 0, 0, 1), call(0, 1, 0, 0, 1), call(1, 1, 0, 0, 2)]
    for order in permutations(told):
        ledger = Ledger(MemoryStore())
        for one in order:
            ledger.tell(one)
        assert (ledger.disputed(), len(ledger.audited())) == (1, 1)


def test_what_another_telling_stands_for_leaves_nothing() -> None:
    """A whole prompt told twice, once in the shadow of one that splits, is remembered alike in every order."""
    told = [
        call(0, 1, 0, 0, 2),
        call(1, 0, 0, 0, 2, cache_split_known=False),
        call(1, 0, 0, 0, 1, cache_split_known=False),
    ]
    remembered = set()
    for order in permutations(told):
        ledger = Ledger(MemoryStore())
        for one in order:
            ledger.tell(one)
        remembered.add(ledger.rows()[0].told)
    assert len(remembered) == 1
