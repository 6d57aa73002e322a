"""Reports that say what they may not: of another person's calls, of two calls that they are one, of a call that it was less."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ledger.books import AuditRow, SessionRow, UsageRow
from app.registry import Store
from app.store.memory import MemoryStore
from tabstop.cost import Cost, CostState
from tabstop.evidence import Evidence
from tabstop.usage import Tokens, Usage
from tests.ledger.always import entries_of
from tests.ledger.builders import ENGINEER, a_price, a_report, a_start, a_usage, an_organization, at, begin, report
from tests.ledger.drawn import MODELS, evidence
from tests.support.stores import KINDS

VICTIM, STRANGER = "session-victim", "session-stranger"


class Ledger:
    """Two sessions; of whom the second is, each test says."""

    def __init__(
        self, store: Store, *, victim: dict[str, Any] | None = None, stranger: dict[str, Any] | None = None
    ) -> None:
        self.store = store
        self.organization = an_organization(store).id
        self.price = a_price
        with store.open(self.organization) as books:
            begin(books, a_start("victim", **(victim or {})))
            begin(books, a_start("stranger", **({"engineer_id": 202} if stranger is None else stranger)))

    def tell(self, *usages: Usage, by: str = VICTIM) -> None:
        with self.store.open(self.organization) as books:
            report(books, by, a_report(usages, price=self.price), at(1))

    def rows(self, of: str = VICTIM) -> list[UsageRow]:
        """Those that count."""
        with self.store.look(self.organization) as books:
            return [row for row in books.usages_of(of) if row.same_as is None]

    def tokens(self, of: str = VICTIM) -> list[Tokens]:
        return [row.tokens for row in self.rows(of)]

    def session(self, of: str = VICTIM) -> SessionRow:
        with self.store.look(self.organization) as books:
            found = books.session(of)
            assert found is not None
            return found

    def entries(self) -> list[Any]:
        with self.store.look(self.organization) as books:
            return entries_of(books)

    def audited(self) -> list[AuditRow]:
        self.store.seal_audit(self.organization, b"key")
        with self.store.look(self.organization) as books:
            return [one.row for one in books.audit_rows() if one.row.kind == "usage.disagreement"]


def call(*keys: str, size: int = 10, **more: Any) -> Usage:
    """Keys without their vendor are Anthropic's."""
    named = (key if key.count(":") > 1 else f"anthropic:{key}" for key in keys)
    return a_usage(*named, tokens=Tokens(input=size, output=1), **more)


ONE = [
    ("request id, then message id, then both", [call("req:1"), call("msg:1"), call("req:1", "msg:1")]),
    ("both, in the other order", [call("msg:1"), call("req:1"), call("req:1", "msg:1")]),
    (
        "a side conversation's log repeats a message under a request id of its own",
        [call("req:1", "msg:1"), call("req:2", "msg:1")],
    ),
    ("Claude, by OpenCode", [call("opencode:msg:1"), call("msg:1"), call("opencode:msg:1", "msg:1")]),
    (
        "OpenCode knows the ids of several tools",
        [call("opencode:tool:s/a", "opencode:tool:s/b", "opencode:msg:1"), call("opencode:tool:s/b", "msg:1")],
    ),
]

SEVERAL = [
    ("two requests", [call("req:1"), call("req:2"), call("req:1", "req:2")], 2),
    ("two messages", [call("req:1", "msg:1"), call("msg:2"), call("req:1", "msg:2")], 2),
    ("two vendors' answers", [call("req:1"), call("openai:resp:1"), call("req:1", "openai:resp:1")], 2),
    (
        "a side conversation's own call was told before its log repeats another's message",
        [call("req:1", "msg:1"), call("req:2"), call("req:2", "msg:1")],
        2,
    ),
    ("three, of which two are one", [call("req:1"), call("msg:1"), call("msg:2"), call("req:1", "msg:1", "msg:2")], 3),
]


@pytest.mark.parametrize("told", [case[1] for case in ONE], ids=[case[0] for case in ONE])
def test_what_is_one_call(told: list[Usage]) -> None:
    """By ids that one response may have, whichever source tells them first, in one batch or several."""
    for batches in ([[one] for one in told], [told]):
        ledger = Ledger(MemoryStore())
        for batch in batches:
            ledger.tell(*batch)
        assert (len(ledger.rows()), ledger.audited()) == (1, [])


@pytest.mark.parametrize(("told", "calls"), [case[1:] for case in SEVERAL], ids=[case[0] for case in SEVERAL])
def test_what_cannot_be_one_call(told: list[Usage], calls: int) -> None:
    """A report that calls several one changes nothing: it repeats the first, of which there is one audit row, however often it comes."""
    ledger = Ledger(MemoryStore())
    *stored, joining = told
    for one in stored:
        ledger.tell(one)
    before = ledger.entries()
    for _ in range(2):
        ledger.tell(replace(joining, tokens=Tokens(input=10, output=500)))
    assert (len(ledger.rows()), ledger.entries()) == (calls, before)
    (said,) = ledger.audited()
    assert (said.subject, said.body["refused_from"], said.body["usage"]) == (VICTIM, VICTIM, ledger.rows()[0].id)


def test_nor_through_a_key_that_nobody_knew() -> None:
    """Two reports of one batch hang together by it; the second is one too many. What else hangs on is told apart, or new."""
    ledger = Ledger(MemoryStore())
    ledger.tell(call("req:1"), call("req:2", size=20))
    longer = replace(call("req:1", "y:1"), tokens=Tokens(input=11, output=2))
    more = [call("x:new"), longer, call("y:1", "y:2"), call("y:2", "req:2", "x:new", size=99)]
    for _ in range(2):
        ledger.tell(*more)
        assert ledger.tokens() == [longer.tokens, Tokens(input=20, output=1), Tokens(input=10, output=1)]
    assert [said.body["told"][-1]["input"] for said in ledger.audited()] == [99]


WHO = [
    ("their own session", {}, {}, True),
    ("another's", {}, {"engineer_id": 202}, False),
    ("another's, of no run, of a run's", {"run_id": "7"}, {"engineer_id": 202}, False),
    ("their own, of a run's", {"run_id": "7"}, {}, True),
    ("another's run", {"run_id": "7"}, {"engineer_id": 202, "run_id": "8"}, False),
    ("the same run, of a bot", {"run_id": "7"}, {"engineer_id": 202, "run_id": "7"}, True),
    ("the same run, of nobody known", {"run_id": "7"}, {"engineer_id": None, "run_id": "7"}, True),
    (
        "a run of the same number elsewhere",
        {"run_id": "7"},
        {"engineer_id": 202, "run_id": "7", "repository_id": 0},
        False,
    ),
    ("nobody's, of nobody's", {"engineer_id": None}, {"engineer_id": None}, False),
]


@pytest.mark.parametrize(("victim", "other", "believed"), [case[1:] for case in WHO], ids=[case[0] for case in WHO])
def test_whose_calls_a_session_may_correct(victim: dict[str, Any], other: dict[str, Any], *, believed: bool) -> None:
    """Those of the same person's sessions, or of the same run's. Else the call stays, and what was told of it is in the audit log."""
    ledger = Ledger(MemoryStore(), victim=victim, stranger=other)
    ledger.tell(call("req:1"))
    ledger.tell(call("req:1", size=99), by=STRANGER)
    assert ledger.tokens() == [Tokens(input=99 if believed else 10, output=1)]
    assert ledger.tokens(STRANGER) == []
    if not believed:
        (said,) = ledger.audited()
        assert (said.subject, said.body["refused_from"]) == (VICTIM, STRANGER)
        assert said.body["counted"]["input"] == 10
        assert [one["input"] for one in said.body["told"]] == [10, 99]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_who_says_nothing_else_is_no_disagreement(kind: str, new_store: Callable[[str], Store]) -> None:
    """They tell the same, or what was written before the call was done. What they tell of calls of their own is theirs."""
    ledger = Ledger(new_store(kind))
    ledger.tell(call("req:1", size=10))
    told = [call("req:1"), replace(call("req:1"), tokens=Tokens(input=10)), call("req:1", "msg:1"), call("msg:2")]
    for _ in range(2):
        ledger.tell(*told, by=STRANGER)
    assert (len(ledger.rows()), len(ledger.rows(STRANGER)), ledger.audited()) == (1, 1, [])


def test_a_strangers_call_takes_nothing_with_it() -> None:
    """A report that calls a stranger's call and one's own one is refused: neither is taken back, and no key is learned."""
    ledger = Ledger(MemoryStore())
    ledger.tell(call("req:1"))
    ledger.tell(call("msg:1"), by=STRANGER)
    ledger.tell(call("req:1", "msg:1", "x:1", size=99), by=STRANGER)
    ledger.tell(call("x:1"), by=STRANGER)
    assert (ledger.tokens(), len(ledger.rows(STRANGER))) == ([Tokens(input=10, output=1)], 2)
    assert [said.body["refused_from"] for said in ledger.audited()] == [STRANGER]


WHOLE = replace(call("req:1"), tokens=Tokens(input=100, output=9), cache_split_known=False)
PROMPTS = [
    ("as long", Tokens(input=10, cache_read=90, output=9), True, False),
    ("longer", Tokens(input=10, cache_read=95, output=9), True, False),
    ("shorter", Tokens(input=10, cache_read=80, output=9), False, True),
    ("shorter, with more output", Tokens(input=10, cache_read=80, output=12), False, True),
    ("shorter, when the call was not done", Tokens(input=10, cache_read=80, output=1), False, False),
]


@pytest.mark.parametrize(
    ("tokens", "stands", "disputed"), [case[1:] for case in PROMPTS], ids=[case[0] for case in PROMPTS]
)
@pytest.mark.parametrize("whole_first", [True, False])
def test_a_prompt_that_is_split_is_no_shorter(
    tokens: Tokens, *, stands: bool, disputed: bool, whole_first: bool
) -> None:
    """It stands in place of the whole, so that the price is exact; but not where it leaves out some of it. In any order, told twice."""
    ledger = Ledger(MemoryStore())
    split = replace(WHOLE, tokens=tokens, cache_split_known=True)
    for one in [WHOLE, split, WHOLE, split] if whole_first else [split, WHOLE, split, WHOLE]:
        ledger.tell(one)
    output = max(tokens.output, 9)
    assert ledger.tokens() == [replace(tokens if stands else WHOLE.tokens, output=output)]
    assert (ledger.rows()[0].cache_split_known, len(ledger.audited())) == (stands, disputed)


def test_prompts_that_contradict_each_other_come_to_the_same_in_any_order() -> None:
    """What was told of the split is remembered while a longer prompt stands; told again, nothing is posted."""
    prompts = [Tokens(input=60, output=9), Tokens(cache_read=80, output=9)]
    told = [WHOLE, *(replace(WHOLE, tokens=tokens, cache_split_known=True) for tokens in prompts)]
    for order in permutations(told):
        ledger = Ledger(MemoryStore())
        for one in order:
            ledger.tell(one)
        before = ledger.entries()
        ledger.tell(call("req:1", size=70), by=STRANGER)
        ledger.tell(*order)
        assert ledger.tokens() == [Tokens(input=60, cache_read=80, output=9)]
        assert (ledger.entries(), len(ledger.audited())) == (before, 1)


def test_how_the_prompt_grew_is_kept_apart_from_how_it_splits() -> None:
    """What a smaller part of the call said of its length still tells that a later, shorter prompt is wrong."""
    split = [replace(WHOLE, tokens=Tokens(input=n, output=m), cache_split_known=True) for n, m in ((100, 9), (50, 5))]
    for told in ([*split, replace(WHOLE, tokens=Tokens(input=90, output=2))], [WHOLE, *split[1:], split[0]]):
        for order in (told, told[::-1]):
            ledger = Ledger(MemoryStore())
            for one in order:
                ledger.tell(one)
            assert ledger.tokens() == [Tokens(input=100, output=9)]
            assert len(ledger.audited()) == (told[-1].tokens.input == 90)


def by_model(usage: Usage) -> Cost:
    """Nothing is known of `mystery`; a mini costs a tenth, and a batch half."""
    usual = a_price(usage)
    if usual.nano is None or "mystery" in usage.model:
        return Cost(CostState.UNKNOWN, None, why="no price")
    return replace(usual, nano=usual.nano // (10 if "mini" in usage.model else 2 if "batch" in usage.model else 1))


@pytest.mark.parametrize(
    ("first", "then", "counts", "disputed"),
    [
        ("gpt-5", "gpt-5-mini", "gpt-5", True),
        ("gpt-5", "gpt-5-mystery", "gpt-5", True),
        ("gpt-5", "gpt-5-2026-01-01", "gpt-5-2026-01-01", False),
        ("gpt-5", "gpt-5[batch]", "gpt-5[batch]", False),
        ("mystery", "gpt-5-mini", "gpt-5-mini", True),
        ("o1-mini", "gpt-5-pro", "gpt-5-pro", True),
    ],
)
def test_another_model_makes_no_call_cheaper(first: str, then: str, counts: str, *, disputed: bool) -> None:
    """Nor of unknown price. Its own name in full does, and how it was served."""
    ledger = Ledger(MemoryStore())
    ledger.price = by_model
    for _ in range(2):
        for model in (first, then):
            ledger.tell(call("req:1", model=model))
    (row,) = ledger.rows()
    assert (row.model, len(ledger.audited())) == (counts, disputed)


SIZES = st.builds(Tokens, st.integers(0, 3), st.integers(0, 3), output=st.integers(0, 3))
IDS = st.integers(0, 3)


def calls_with(keys: st.SearchStrategy[Sequence[str]]) -> st.SearchStrategy[list[Usage]]:
    """Batches of calls that say anything of those keys."""
    one = st.builds(
        lambda names, tokens, known, model, minute, where: a_usage(
            *dict.fromkeys(names),
            tokens=tokens,
            cache_split_known=known,
            model=model,
            occurred_at=at(minute),
            evidence=where,
        ),
        *(keys, SIZES, st.booleans(), st.sampled_from(MODELS), st.integers(-3, 3), evidence),
    )
    return st.lists(one, min_size=1, max_size=4)


ANY = st.lists(
    st.one_of(IDS.map("anthropic:req:{}".format), IDS.map("anthropic:msg:{}".format), IDS.map("x:y:{}".format)),
    min_size=1,
    max_size=3,
)


@settings(max_examples=80, deadline=None)
@given(own=calls_with(ANY), theirs=st.lists(calls_with(ANY), min_size=1, max_size=4))
def test_a_stranger_changes_nothing_that_is_stored(own: list[Usage], theirs: list[list[Usage]]) -> None:
    """Any report of another engineer's session of another run: each call of a session stays as it was, and so does what it comes to."""

    def of_victim() -> Any:
        rows = [row._replace(disputed=False, told="") for row in ledger.rows()]
        session = ledger.session()
        return rows, session.spent, session.notional, session.unknown_usages, session.iterations

    ledger = Ledger(MemoryStore())
    ledger.tell(*own)
    before = of_victim()
    for batch in theirs:
        ledger.tell(*batch, by=STRANGER)
        assert of_victim() == before
    entries = ledger.entries()
    for batch in theirs:
        ledger.tell(*batch, by=STRANGER)
    assert ledger.entries() == entries


REQUESTS = st.builds(lambda request, more: [f"anthropic:req:{request}", *more], IDS, ANY | st.just([]))


@settings(max_examples=80, deadline=None)
@given(told=st.lists(calls_with(REQUESTS), min_size=2, max_size=6), data=st.data())
def test_a_persons_own_reports_take_nothing_back(told: list[list[Usage]], data: st.DataObject) -> None:
    """Where every call was told with an id of one kind: whatever else is said of them, no call goes, none gets shorter or cheaper,
    and none loses its price. `a_price` charges every token alike, so a prompt's split makes no difference here.
    """
    ledger = Ledger(MemoryStore(), stranger={})
    lengths: dict[int, tuple[int, int, int, bool]] = {}
    for batch in told:
        ledger.tell(*batch, by=data.draw(st.sampled_from([VICTIM, STRANGER])))
        rows = {row.id: row for of in (VICTIM, STRANGER) for row in ledger.rows(of)}
        now = {
            name: (row.tokens.prompt, row.tokens.output, row.cost, row.cost_state is not CostState.UNKNOWN)
            for name, row in rows.items()
        }
        assert lengths.keys() <= now.keys()
        assert all(part >= was for name, before in lengths.items() for part, was in zip(now[name], before, strict=True))
        lengths = now


def test_what_a_stranger_tells_first_is_theirs() -> None:
    """The one who made the call repeats it then, and may not change it: only who knows a call's id before it is told can do so."""
    ledger = Ledger(MemoryStore())
    ledger.tell(call("req:1", size=1, evidence=Evidence("acme/web", "main")), by=STRANGER)
    ledger.tell(call("req:1", size=99))
    assert (ledger.tokens(), ledger.tokens(STRANGER)) == ([], [Tokens(input=1, output=1)])
    (said,) = ledger.audited()
    assert (said.subject, said.body["refused_from"], said.engineer_id) == (STRANGER, VICTIM, 202)
    assert ledger.session().engineer_id == ENGINEER
