"""Calls that cannot have been: left out of `tabstop cost` and told, whatever else their logs hold."""

from collections import Counter
from pathlib import Path

import pytest

from tabstop.usage import Tokens
from tests.agents.claude_code.test_bulk import an_answer, lines
from tests.beside.local_machine import OLD, Machine, tokens_of
from tests.support.samples import CLAUDE

NO_CALL = 10**12
"""Tokens that a damaged or made-up row tells."""


@pytest.mark.parametrize(
    ("model", "used", "why"),
    [
        ("claude-opus-4-5", {"input_tokens": NO_CALL}, "a prompt of more than 2,000,000 tokens"),
        ("claude-opus-4-5", {"output_tokens": 1_000_001}, "an answer of more than 1,000,000 tokens"),
        ("claude-opus-4-5", {"output_tokens": 1_000_000}, ""),
        ("claude-opus-5-5", {"input_tokens": 4_000_000, "cache_read_input_tokens": 6_000_000}, ""),
        (
            "claude-opus-5-5",
            {"input_tokens": 4_000_000, "cache_read_input_tokens": 6_000_001},
            "a prompt of more than 10,000,000 tokens",
        ),
        ("nobodys-model-9", {"output_tokens": 20_000_000}, ""),
        ("nobodys-model-9", {"output_tokens": 20_000_001}, "an answer of more than 20,000,000 tokens"),
    ],
)
def test_more_tokens_than_a_model_can_have(model: str, used: dict[str, int], why: str, machine: Machine) -> None:
    """By the server's rule: the call is left out, and told with its model and time; its neighbours count."""
    path = machine.write("a", lines(an_answer("req_1"), an_answer("req_2", model=model, usage=used), "broken"))
    usage = machine.read()
    assert sum(one.calls for one in usage.groups) == (1 if why else 2)
    [skipped] = usage.skipped
    assert skipped.path == str(path)
    assert skipped.first[-1] == (3, "not a JSON object")
    told_of = [(0, f"{why}: {model} at 2026-11-21T12:00:00Z")] if why else []
    assert list(skipped.first[:-1]) == told_of
    assert skipped.reasons == Counter([why] * bool(why) + ["not a JSON object"])


def test_many_calls_are_not_one(machine: Machine) -> None:
    """A quarter of an hour may have more answers than one call can."""
    machine.write("a", lines(*(an_answer(f"req_{n}", usage={"output_tokens": 900_000}) for n in range(3))))
    usage = machine.read()
    assert (sum(one.calls for one in usage.groups), usage.skipped) == (3, ())


def test_a_damaged_copy_leaves_the_call(machine: Machine) -> None:
    """Another file tells it as it was, and that counts."""
    machine.write("a", lines(an_answer("req_1")))
    damaged = an_answer("req_1", usage={"input_tokens": NO_CALL}, sessionId="22222222-2222-4222-8222-222222222222")
    machine.write("b", lines(damaged))
    usage = machine.read()
    assert tokens_of(usage) == {"claude-opus-5-5": Tokens(input=10, output=5)}
    assert [Path(one.path).stem for one in usage.skipped] == ["b"]


def test_what_is_left_out_is_no_rest(machine: Machine) -> None:
    """Nor does it come back as what the client counted beyond its calls."""
    case = next((CLAUDE / "compacted" / "projects").rglob("*.jsonl"))
    machine.write(case.stem, case.read_bytes())
    before = machine.read()
    late = an_answer(
        "req_late", usage={"output_tokens": NO_CALL}, sessionId=case.stem, timestamp="2026-12-01T12:00:00.000Z"
    )
    machine.write(case.stem, case.read_bytes() + lines(late), OLD + 1)
    after = machine.read()
    assert tokens_of(after, aggregate=True) == tokens_of(before, aggregate=True) != {}
    assert tokens_of(after) == tokens_of(before)
