"""Tools under the governor: counted, slowed, refused, and braked when they keep failing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, assert_type

import pytest

from tabstop.governor.facts import ToolStarted
from tabstop.governor.settings import Breaker, Degradation, Rules, Throttle
from tabstop.library import BudgetExceeded, CallDenied, Governor, SessionSuspended, limits
from tests.library.builders import Clock, governor
from tests.support.golden import expect


def test_a_tool_keeps_its_name_its_types_and_its_result() -> None:
    """Decorated with and without parentheses, sync and async."""
    g = governor()

    @g.tool
    def double(number: int) -> int:
        """Twice."""
        return number * 2

    @g.tool(name="half")
    async def halve(number: int) -> float:
        return number / 2

    assert assert_type(double(4), int) == 8
    assert (double.__name__, double.__doc__) == ("double", "Twice.")
    assert asyncio.run(halve(4)) == 2
    assert asyncio.iscoroutinefunction(halve)
    assert g.totals.tool_calls == 2


def test_the_limit_of_calls_lets_as_many_run() -> None:
    """The one after them is stopped before it runs."""
    ran: list[int] = []
    # So near the limit the ladder would refuse tools first; it has a test of its own.
    g = governor(limits(tool_calls=2), rules=Rules(degradation=Degradation(ladder=())))
    tool = g.tool(ran.append)
    tool(1)
    tool(2)
    with pytest.raises(BudgetExceeded):
        tool(3)
    assert ran == [1, 2]


def test_near_a_limit_tools_are_refused_and_the_model_is_told() -> None:
    """The sentence says what to do instead; the session goes on."""
    g = governor(limits(cost=1))
    g.charged(0.9)
    with pytest.raises(CallDenied) as denied:
        g.tool(print)("never")
    expect("library/call-denied.txt", f"{denied.value}\n{denied.value.sentence}\n")
    g.check()


def answer(url: str) -> str:
    if url == "works":
        return "as it should"
    raise ConnectionError(url)


def failing(g: Governor, asynchronous: bool) -> Callable[[str], Any]:
    if not asynchronous:

        @g.tool
        def fetch(url: str) -> str:
            return answer(url)

        return fetch

    @g.tool(name="fetch")
    async def afetch(url: str) -> str:
        return answer(url)

    return lambda url: asyncio.run(afetch(url))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_failing_tool_waits_one_second_then_five_then_suspends(asynchronous: bool) -> None:
    """The thought brake: the third failure of the same call needs a person; a release lets it go on."""
    clock = Clock()
    g = governor(clock=clock)
    fetch = failing(g, asynchronous)
    fetch("works")  # a tool that has only failed is the breaker's
    for _ in range(2):
        with pytest.raises(ConnectionError):
            fetch("a")
    with pytest.raises(SessionSuspended) as suspended:
        fetch("a")
    assert isinstance(suspended.value.__cause__, ConnectionError)
    assert clock.slept == [1.0, 5.0]
    expect("library/retry-brake.txt", f"{suspended.value}\n")
    with pytest.raises(SessionSuspended):
        fetch("b")
    g.release()
    with pytest.raises(ConnectionError):
        fetch("a")


def test_other_arguments_are_another_call() -> None:
    """Only the same call waits; how it is spelled does not matter."""
    clock = Clock()
    g = governor(clock=clock)

    @g.tool
    def read(path: str, *, lines: int = 10) -> str:
        if path == "works":
            return path
        raise OSError(path)

    read("works")
    for path in ("a", "b"):
        with pytest.raises(OSError, match=path):
            read(path)
    with pytest.raises(OSError, match="a"):
        read(path="a", lines=10)
    assert clock.slept == [1.0]


def test_a_result_can_say_that_the_tool_failed() -> None:
    """As frameworks do that never raise."""
    clock = Clock()
    g = governor(clock=clock)

    @g.tool(failed=lambda result: result.startswith("error"))
    def run(command: str) -> str:
        return f"error in {command}" if command == "x" else "ok"

    run("y")
    assert run("x") == "error in x"
    assert run("x") == "error in x"
    with pytest.raises(SessionSuspended):
        run("x")


def test_arguments_leave_no_trace_but_a_digest() -> None:
    """Whatever they are; equal ones are equal, and each session has its own key."""
    seen: list[str] = []

    class Spy(Governor):
        def tell(self, fact: Any) -> Any:
            if isinstance(fact, ToolStarted):
                seen.append(fact.arguments)
            return super().tell(fact)

    loop: list[Any] = []
    loop.append(loop)
    clock = Clock()
    g = Spy(environ={}, now=clock.now, sleep=clock.sleep)
    tool = g.tool(lambda *values: len(values))
    for values in (("secret",), ("secret",), (loop,), ({1: "a", "b": 2},), (b"\x00",)):
        tool(*values)
    assert seen[0] == seen[1]
    assert len(set(seen)) == 4
    assert not [one for one in seen if "secret" in one or len(one) != 64]
    Spy(environ={}, now=clock.now, sleep=clock.sleep).tool(lambda *values: len(values))("secret")
    assert seen[-1] != seen[0]


def test_a_wrong_call_fails_as_it_would_without_us() -> None:
    """The program sees Python's own error."""
    with pytest.raises(TypeError, match="unexpected keyword"):
        governor().tool(lambda value: value)(other=1)  # type: ignore[call-arg]


def test_the_brake_can_be_switched_off() -> None:
    """As a policy would."""
    rules = Rules(throttle=Throttle(retry_pauses=None), breaker=Breaker(failures_percent=None, repeats=None))
    fetch = failing(governor(rules=rules), asynchronous=False)
    for _ in range(5):
        with pytest.raises(ConnectionError):
            fetch("a")
