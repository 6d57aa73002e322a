"""The wire's JSON: what is written reads back, what is wrong is said all at once, what is unknown is ignored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.settings import Rules, Throttle
from tabstop.session import Limits
from tabstop.usage import Billing, Grain, Tokens, ToolCall
from tabstop.verdict import Verdict
from tabstop.wire import Allowance, Call, ClientTotal, StartAnswer, StartRequest, UsageBatch
from tabstop.wire_json import WireError, from_json, to_json
from tests.policy.builders import in_force

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
counts = st.integers(0, 2**40)
tokens = st.builds(Tokens, counts, counts, counts, counts, counts)
instants = st.datetimes(timezones=st.just(UTC))
calls = st.builds(
    Call,
    keys=st.lists(texts, min_size=1, max_size=3).map(tuple),
    model=texts,
    tokens=tokens,
    occurred_at=instants,
    thread=texts,
    web_searches=counts,
    grain=st.sampled_from(Grain),
    cache_split_known=st.booleans(),
    tool_calls=st.lists(st.builds(ToolCall, texts, texts, st.booleans()), max_size=2).map(tuple),
)
batches = st.builds(
    UsageBatch,
    calls=st.lists(calls, max_size=3).map(tuple),
    client_totals=st.lists(st.builds(ClientTotal, texts, texts, tokens, counts), max_size=2).map(tuple),
    billing=st.none() | st.sampled_from(Billing),
    billing_evidence=texts,
)


@given(batches)
def test_what_is_written_reads_back(batch: UsageBatch) -> None:
    """Through real JSON text, to the microsecond and the last token."""
    assert from_json(UsageBatch, json.loads(json.dumps(to_json(batch)))) == batch


def test_a_newer_sides_fields_are_ignored() -> None:
    """An older side understands a newer one; what is left out takes its default."""
    found = from_json(StartRequest, {"agent": "codex", "mood": "good", "version": 7})
    assert found == StartRequest("codex", version=7)


def test_an_older_server_does_not_tell_what_happens_while_it_is_away() -> None:
    """Its answer reads as before, and nothing is taken for `allow` or `block`."""
    answer = to_json(StartAnswer(Verdict(), "s1", server_unreachable="block"))
    assert from_json(StartAnswer, answer).server_unreachable == "block"
    del answer["server_unreachable"]
    assert from_json(StartAnswer, answer).server_unreachable == ""


def test_a_session_is_sent_the_rules_its_governor_goes_by() -> None:
    """Every value the policy gives arrives as it was given."""
    example = Path(__file__).parents[1] / "examples" / "policies" / "governed.yml"
    rules = in_force(None, example.read_text(encoding="utf-8")).policy.rules
    sent = json.loads(json.dumps(to_json(Allowance(Limits(), governor=rules))))
    assert from_json(Allowance, sent).governor == rules != Rules()


def test_an_older_server_sends_no_rules() -> None:
    """Then the governor goes by the defaults; a part of them that is not told takes its default too."""
    assert from_json(Allowance, {"limits": {}}).governor == Rules()
    said = {"limits": {}, "governor": {"throttle": {"calls_per_minute": None}, "newer": {"x": 1.5}}}
    assert from_json(Allowance, said).governor == Rules(throttle=Throttle(calls_per_minute=None))


def test_rules_are_whole_numbers() -> None:
    """A fraction, and a word nobody knows, are said with their place."""
    said = {"limits": {}, "governor": {"breaker": {"cooldown": 1.5}, "exhaustion": {"on_limit": "explode"}}}
    with pytest.raises(WireError) as caught:
        from_json(Allowance, said)
    assert caught.value.problems == [
        "governor.exhaustion.on_limit: found 'explode', expected one of halt, suspend, summary, ask",
        "governor.breaker.cooldown: found 1.5, expected a whole number",
    ]


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ([], ["body: found [], expected an object"]),
        ({}, ["agent: missing"]),
        ({"agent": 7}, ["agent: found 7, expected a text"]),
        ({"agent": "x", "pull_request": "7"}, ["pull_request: found '7', expected a whole number"]),
        ({"agent": "x", "pull_request": True}, ["pull_request: found True, expected a whole number"]),
        (
            {"agent": None, "billing": "free"},
            [
                "agent: found None, expected a text",
                "billing: found 'free', expected one of api, subscription, credits, unknown",
            ],
        ),
        (
            {"agent": "x", "billing": ["api"]},
            ["billing: found ['api'], expected one of api, subscription, credits, unknown"],
        ),
    ],
)
def test_every_problem_is_said_at_once(body: Any, problems: list[str]) -> None:
    """Each with its path, what was found and what is expected."""
    with pytest.raises(WireError) as raised:
        from_json(StartRequest, body)
    assert raised.value.problems == problems


@pytest.mark.parametrize(
    ("at", "wrong"),
    [
        ("2026-11-20T12:00:00Z", False),
        ("2026-11-20T13:00:00+01:00", False),
        ("2026-11-20T12:00:00", True),
        ("yesterday", True),
        (1_700_000_000, True),
        (None, True),
    ],
)
def test_times_need_their_zone(at: Any, wrong: bool) -> None:
    """A time without one could be anywhere; with one it is the same instant in UTC."""
    body = {"keys": ["k"], "model": "m", "tokens": {"input": 1}, "occurred_at": at}
    if wrong:
        with pytest.raises(WireError, match=r"^calls\[0\]\.occurred_at: found .*, expected an ISO 8601 time"):
            from_json(UsageBatch, {"calls": [body]})
    else:
        (call,) = from_json(UsageBatch, {"calls": [body]}).calls
        assert call.occurred_at == datetime(2026, 11, 20, 12, tzinfo=UTC)
        assert to_json(call)["occurred_at"] == "2026-11-20T12:00:00Z"


def test_long_values_are_cut_in_problems() -> None:
    """A problem fits a line, whatever arrived."""
    with pytest.raises(WireError) as raised:
        from_json(StartRequest, {"agent": "x", "pull_request": "9" * 500})
    assert len(str(raised.value)) < 120


@dataclass(frozen=True)
class Bag:
    """Something with an open dictionary."""

    items: dict[str, int]
    more: Any = None


def test_dictionaries_and_anything() -> None:
    """Values are checked, keys become texts, `Any` is left alone."""
    assert from_json(Bag, {"items": {"a": 1}, "more": [None]}) == Bag({"a": 1}, [None])
    assert to_json({1: (2, [3.5])}) == {"1": [2, [3.5]]}
    with pytest.raises(WireError, match=r"items: found \[\], expected an object"):
        from_json(Bag, {"items": []})
    with pytest.raises(WireError, match=r"items\.a: found 'x', expected a whole number"):
        from_json(Bag, {"items": {"a": "x"}})
    with pytest.raises(WireError, match="calls: found 'x', expected a list"):
        from_json(UsageBatch, {"calls": "x"})


def test_what_is_no_wire_value_is_left_as_it_is() -> None:
    """`json.dumps` then says what it cannot write."""
    odd = object()
    assert to_json(odd) is odd
