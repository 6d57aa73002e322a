"""What an edit of the policy changes, and the policy as it is stored beside decisions."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.orders import Step
from tabstop.governor.settings import (
    Breaker,
    Degradation,
    Detector,
    Exhaustion,
    Heartbeats,
    InSession,
    KindBudget,
    OnFull,
    OnLimit,
    PlanAllowance,
    Response,
    Runaway,
    Rung,
    Sharing,
    Subtasks,
    Throttle,
    Unbounded,
    UnknownPrice,
    Windows,
)
from tabstop.money import NANO_PER_DOLLAR as D
from tabstop.policy import notation as n
from tabstop.policy.change import Change, changed_limits
from tabstop.policy.limits import LIMITS
from tabstop.policy.model import (
    Cap,
    CheckMode,
    CommentMode,
    Downgrade,
    OnEmpty,
    Policy,
    PriceOverride,
    SessionLimits,
    SlackPolicy,
    Unreachable,
)
from tabstop.policy.saved import from_json, to_json
from tabstop.policy.usual import dollars_for, in_both_forms, tokens_for
from tabstop.window import WindowKind
from tests.support.golden import expect

BASE = Policy()
BEFORE = replace(
    BASE,
    engineers=(("octocat", Cap(5 * D)),),
    prices=(PriceOverride("claude-*", discount_percent=Decimal(10)),),
    purposes=("review",),
    slack=SlackPolicy(people=(("alice", "alice@example.com"), ("octocat", "U012AB3CD"))),
)
AFTER = Policy(
    session=SessionLimits(tokens=None, tool_calls=400, wall_clock_seconds=5_400, cost=D // 2),
    exhaustion=Exhaustion(OnLimit.ASK, OnLimit.HALT, summary_tokens=500, ask_percent=20),
    degradation=Degradation((Rung(70, Step.NO_TOOLS), Rung(80, Step.COMPACT)), (("a", "b"), ("c", "d"))),
    runaway=Runaway(
        token_spike=Detector(300, 20, Response.TRIP),
        tool_rate=Detector(10, 10, Response.OFF, persists=0),
        backoff=Detector(90, 3),
    ),
    breaker=Breaker(failures_percent=50, repeats=None, cost_per_minute=None, cooldown=60, remember=False),
    throttle=Throttle(calls_per_minute=None, retry_pauses=None),
    subtasks=Subtasks(Sharing.STATIC, (KindBudget("docs", 5_000),), share_percent=10, depth=0),
    heartbeats=Heartbeats(30, 90),
    windows=Windows(OnFull.DEFER, threshold=80, fit_sessions=True, accounts=("a",), openai=PlanAllowance(week=5)),
    tab=Cap(60 * D, 1_500_000, WindowKind.LIFETIME, "x"),
    engineer=Cap(None, 1_000_000, WindowKind.WEEK),
    engineers=(("hubot", Cap(7 * D)),),
    on_empty=OnEmpty.DOWNGRADE,
    downgrade=Downgrade(("small",), D, 9 * D),
    guest=Cap(why="words only"),
    steps=(80,),
    hold=2 * D,
    approvers=("octocat", "team:platform"),
    check=CheckMode.ADVISE,
    comment=CommentMode.OFF,
    slack=SlackPolicy("#agents", True, ("#a",), (("hubot", "hubot@example.com"), ("octocat", "U012AB3CE"))),
    prices=(
        PriceOverride("claude-*", discount_percent=Decimal("12.5"), from_date=date(2026, 1, 1)),
        PriceOverride("own", input=Decimal("0.40"), output=Decimal(2)),
    ),
    subscription_counts=True,
    timezone="Europe/Berlin",
)


def test_changes_are_printed_old_and_new() -> None:
    """A reviewer sees every changed limit, what it was, what it becomes, and whether it loosens."""
    lines = [f"{c.key}: {c.old} -> {c.new}{' (looser)' if c.loosens else ''}\n" for c in changed_limits(BEFORE, AFTER)]
    expect("policy/changes.txt", "".join(lines))


def test_words_are_no_limits() -> None:
    """A new reason, or a window of a budget that bounds nothing, changes no limit."""
    assert changed_limits(BASE, replace(BASE, tab=replace(BASE.tab, why="new"))) == ()
    assert changed_limits(BASE, replace(BASE, organization=Cap(window=WindowKind.DAY))) == ()
    assert changed_limits(BASE, BASE) == ()


def test_an_engineer_is_compared_with_what_else_binds() -> None:
    """A cap taken away falls back to everybody's."""
    special = replace(BASE, engineers=(("octocat", Cap(5_000 * D)),))
    assert changed_limits(special, BASE) == (
        Change("engineers.octocat", "$5,000 a month", "$1,000 a month", loosens=False),
    )
    assert changed_limits(BASE, special)[0].loosens


def test_another_order_of_prices_is_a_change() -> None:
    """The first rule that matches counts, so order matters."""
    one, two = PriceOverride("a*", input=Decimal(1)), PriceOverride("ab", input=Decimal(2))
    (change,) = changed_limits(replace(BASE, prices=(one, two)), replace(BASE, prices=(two, one)))
    assert (change.key, change.old, change.new, change.loosens) == ("prices", "a*, ab", "ab, a*", True)


DAVE = ("dave", ("d@example.com",))

nano = st.none() | st.integers(0, 10**18)
count = st.none() | st.integers(1, 10**15)
caps = st.builds(Cap, nano, st.none() | st.integers(0, 10**15), st.sampled_from(WindowKind), st.text(max_size=20))
rates = st.none() | st.decimals(0, 10**6, places=9, allow_nan=False, allow_infinity=False)
word = st.text("ab#*", min_size=1, max_size=10)
names = st.lists(word, max_size=3).map(tuple)
people = st.dictionaries(word, word, max_size=2).map(lambda told: tuple(told.items()))
aliases = st.dictionaries(word, st.lists(word, min_size=1, max_size=3).map(tuple), max_size=2).map(
    lambda told: tuple(sorted(told.items()))
)
percents = st.integers(1, 99)
plans = st.builds(PlanAllowance, count, count)
detectors = st.builds(Detector, st.integers(1, 999), st.integers(1, 99), st.sampled_from(Response), st.integers(0, 9))
rungs = st.dictionaries(st.sampled_from(Step), percents).map(
    lambda shares: tuple(
        sorted((Rung(at, step) for step, at in shares.items()), key=lambda r: (r.at, list(Step).index(r.step)))
    )
)
policies = st.builds(
    Policy,
    session=st.builds(SessionLimits, count, count, count, count, nano),
    aliases=aliases,
    exhaustion=st.builds(Exhaustion, st.sampled_from(OnLimit), st.sampled_from(OnLimit), percents, percents, percents),
    degradation=st.builds(Degradation, rungs, st.lists(names, max_size=2).map(tuple)),
    runaway=st.builds(Runaway, *[detectors] * 7),
    breaker=st.builds(
        Breaker, st.none() | percents, repeats=st.none() | percents, cost_per_minute=nano, remember=st.booleans()
    ),
    throttle=st.builds(Throttle, count, count, st.none() | st.lists(percents, max_size=3).map(tuple)),
    subtasks=st.builds(
        Subtasks, st.sampled_from(Sharing), st.lists(st.builds(KindBudget, word, percents), max_size=2).map(tuple)
    ),
    heartbeats=st.builds(Heartbeats, percents, percents),
    windows=st.builds(
        Windows, st.sampled_from(OnFull), st.sampled_from(InSession), percents, st.booleans(), names, plans, plans
    ),
    tab=caps,
    engineer=caps,
    engineers=st.lists(st.tuples(word, caps), max_size=3).map(tuple),
    on_empty=st.sampled_from(OnEmpty),
    downgrade=st.builds(Downgrade, names, st.integers(1, 10**18), st.integers(1, 10**18)),
    guest=caps,
    repository=caps,
    organization=caps,
    steps=st.lists(st.integers(1, 99), max_size=3).map(tuple),
    hold=nano,
    approvers=names,
    unknown_price=st.sampled_from(UnknownPrice),
    unbounded=st.sampled_from(Unbounded),
    unreachable=st.sampled_from(Unreachable),
    check=st.sampled_from(CheckMode),
    comment=st.sampled_from(CommentMode),
    slack=st.builds(SlackPolicy, word, st.booleans(), names, people),
    purposes=names,
    prices=st.lists(
        st.builds(
            PriceOverride,
            st.text(max_size=10),
            rates,
            rates,
            rates,
            rates,
            rates,
            rates,
            st.none() | st.dates(),
            st.text(),
        ),
        max_size=2,
    ).map(tuple),
    subscription_counts=st.booleans(),
    timezone=word,
)


@given(policies)
def test_a_stored_policy_comes_back_the_same(policy: Policy) -> None:
    """The policy that was in force can be read from any decision, to the digit."""
    assert from_json(to_json(policy)) == policy
    assert to_json(from_json(to_json(policy))) == to_json(policy)


@given(policies, policies)
def test_no_difference_is_silent(old: Policy, new: Policy) -> None:
    """Whenever a value differs that binds, a change says so, and its old and new texts differ."""
    changes = changed_limits(old, new)
    assert all(
        change.old != change.new or change.key.startswith("prices") for change in changes if "[" not in change.key
    )
    for limit in LIMITS:
        if not limit.is_cap and limit.path != "prices" and limit.of(old) != limit.of(new):
            assert any(change.key == limit.path or change.key.startswith(f"{limit.path}.") for change in changes)


def test_who_is_who_changes_person_by_person() -> None:
    """How many other names each has; the names, addresses among them, are not said."""
    old = Policy(aliases=(("alice", ("alice@example.com", "ci-bot[bot]")), ("bob", ("b@example.com",)), DAVE))
    new = Policy(aliases=(("alice", ("ci-bot[bot]",)), ("bob", ("rob@example.com",)), ("carol", ("c",)), DAVE))
    assert changed_limits(old, new) == (
        Change("aliases.alice", "2 other names", "1 other name", loosens=False),
        Change("aliases.bob", "1 other name", "1 other name, not the same", loosens=False),
        Change("aliases.carol", "0 other names", "1 other name", loosens=False),
    )


def test_a_change_holds_no_address() -> None:
    """It goes into the audit log, which outlives the file; that somebody else now reads the messages is said."""
    assert "example.com" not in str(changed_limits(BEFORE, AFTER))
    assert "U012AB3C" not in str(changed_limits(BEFORE, AFTER))


def test_an_older_release_stored_less() -> None:
    """A value that did not exist yet takes its default; one that exists no longer is dropped."""
    stored = json.loads(to_json(AFTER))
    del stored["downgrade"]["cap"]
    stored["gone"] = 1
    assert from_json(json.dumps(stored)) == replace(AFTER, downgrade=Downgrade(("small",), D))
    with pytest.raises(ValueError, match="validation error"):
        from_json('{"session": 5}')


@given(st.integers(0, n.MOST_TOKENS))
def test_tokens_read_back_what_they_print(count: int) -> None:
    """Two counts never look alike, and a printed count can be pasted into a file."""
    assert n.read_tokens(n.show_tokens(count), at_least=0) == count


@given(st.integers(0, n.MOST_DOLLARS * D))
def test_dollars_read_back_what_they_print(amount: int) -> None:
    """Neither do two amounts."""
    assert n.read_dollars(n.show_dollars(amount)) == amount


@given(st.integers(60, n.MOST_SECONDS))
def test_durations_read_back_what_they_print(seconds: int) -> None:
    """Nor two lengths of time."""
    assert n.read_seconds(n.show_seconds(seconds)) == seconds


@given(caps)
def test_caps_read_back_what_they_print(cap: Cap) -> None:
    """Nor two caps."""
    assert n.read_cap(n.show_bounds(cap)) == Cap(cap.nano, cap.tokens)


def test_ten_million_tokens_in_dollars() -> None:
    """10 M tokens at $3 and $15: $30 to $150 at the ends, $50 to $100 usually, and the other way round."""
    worth = dollars_for(10_000_000)
    assert [worth.low, worth.usual_low, worth.usual_high, worth.high] == [30 * D, 50 * D, 100 * D, 150 * D]
    buys = tokens_for(10 * D)
    assert [buys.low, buys.usual_low, buys.usual_high, buys.high] == [666_666, 1_000_000, 2_000_000, 3_333_333]


@pytest.mark.parametrize(
    ("session", "lines"),
    [
        (SessionLimits(), ("10M tokens cost $30-150, usually $50-100", "$10 buys 670k-3.3M tokens, usually 1M-2M", "the cost is usually reached first")),
        (SessionLimits(tokens=50_000, cost=10 * D), ("50k tokens cost $0.15-0.75, usually $0.25-0.50", "$10 buys 670k-3.3M tokens, usually 1M-2M", "the tokens are usually reached first")),
        (SessionLimits(tokens=1_500_000), ("1.5M tokens cost $4.50-23, usually $7.50-15", "$10 buys 670k-3.3M tokens, usually 1M-2M", "either may be reached first")),
        (SessionLimits(tokens=None, cost=None), ("neither tokens nor cost are limited",)),
        (SessionLimits(None, None, None, None, None), ("no limit is left; the defaults apply where no budget bounds a session", "10M tokens cost $30-150, usually $50-100", "$10 buys 670k-3.3M tokens, usually 1M-2M", "the cost is usually reached first")),
    ],
)  # fmt: skip
def test_a_session_in_both_forms(session: SessionLimits, lines: tuple[str, ...]) -> None:
    """Whoever thinks in tokens sees dollars, and whoever thinks in dollars sees tokens."""
    assert in_both_forms(session) == lines


def test_the_model_is_light() -> None:
    """Who only needs the values does not load the parser: neither PyYAML nor pydantic."""
    program = "import sys, tabstop.policy.model; print(*{'yaml', 'pydantic', 'rich', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_few_tokens_are_not_rounded() -> None:
    """A cost far below a cent's worth of tokens is still said in tokens."""
    assert in_both_forms(SessionLimits(tokens=None, cost=300_000)) == ("$0.0003 buys 20-100 tokens, usually 30-60",)
