"""Each response once, however often, in whatever order and under whichever of its ids it is told."""

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tabstop.agents.claude_code.responses import Responses, each_once
from tabstop.usage import Tokens, ToolCall, Usage

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)

usages = st.builds(
    Usage,
    keys=st.sets(
        st.sampled_from([f"anthropic:{kind}:{n}" for kind in ("req", "msg") for n in range(5)]), min_size=1, max_size=2
    )
    .map(sorted)
    .map(tuple),
    model=st.sampled_from(["opus", "haiku"]),
    tokens=st.builds(Tokens, *[st.integers(0, 3)] * 5),
    occurred_at=st.integers(0, 5).map(lambda second: AT + timedelta(seconds=second)),
    thread=st.sampled_from(["a", "b"]),
    web_searches=st.integers(0, 2),
    cache_split_known=st.booleans(),
    tool_calls=st.lists(st.builds(ToolCall, st.sampled_from(["Bash", "Read"])), max_size=2).map(tuple),
)


@given(st.lists(usages, max_size=12), st.integers(0, 2**32))
def test_order_and_repetition_do_not_matter(some: list[Usage], seed: int) -> None:
    """Chains too: reports that share no id are one when a third shares one with each."""
    shuffled = some * 2
    random.Random(seed).shuffle(shuffled)
    once = each_once(some)
    assert each_once(shuffled) == once
    assert each_once(once) == once
    keys = [key for usage in once for key in usage.keys]
    assert sorted(keys) == sorted({key for usage in some for key in usage.keys})


def test_a_response_is_known_by_any_of_its_keys() -> None:
    """Which is how a reader tells its first block from the next."""
    responses = Responses()
    responses.add(Usage(("anthropic:msg:1", "anthropic:req:1"), "opus", Tokens(), AT))
    assert ("anthropic:req:1", "anthropic:msg:9") in responses
    assert ("anthropic:req:2",) not in responses
