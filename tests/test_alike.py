"""Calls without a common id: however reports of several sources arrive, there are as many calls as were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.alike import MOST, Stored, recognized, tell_apart
from tabstop.usage import Grain, Tokens, Usage

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class Shelf:
    """Stores usages by their keys, as the ledger does: what shares a key is one."""

    owner: str = "engineer 1"
    keys: dict[str, int] = field(default_factory=dict)
    times: dict[int, datetime] = field(default_factory=dict)
    cached: dict[int, int | None] = field(default_factory=dict)
    asked: int = 0

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        self.asked += 1
        return {
            key: Stored(n, self.times[n], self.cached[n], tuple(k for k, other in self.keys.items() if other == n))
            for key in keys
            if (n := self.keys.get(key)) is not None
        }

    def take(self, *usages: Usage, owner: str = "") -> int:
        """Store a batch; how many calls there are now."""
        for usage in recognized(usages, owner or self.owner, self.lookup):
            found = sorted({self.keys[key] for key in usage.keys if key in self.keys})
            number = found[0] if found else max(self.times, default=0) + 1
            for key, other in self.keys.items():
                if other in found:
                    self.keys[key] = number
            self.keys.update(dict.fromkeys(usage.keys, number))
            known = [self.times.pop(one) for one in found]
            self.times[number] = min(known, default=usage.occurred_at)
            told = [self.cached.pop(one) for one in found]
            told += [usage.tokens.cache_read if usage.cache_split_known else None]
            self.cached[number] = next((one for one in told if one is not None), None)
        return len(self.times)


def told(*keys: str, prompt: int = 100, output: int = 10, at: float = 0.0, thread: str = "s", cached: int = 0) -> Usage:
    """A report of a call. at: seconds after noon."""
    tokens = Tokens(input=prompt - cached, cache_read=cached, output=output)
    return Usage(keys, "gemini-2.5-pro", tokens, NOON + timedelta(seconds=at), "gemini-cli", thread)


def chat(n: int, **more: float | str) -> Usage:
    return told(f"google:chat:s/{n}", **more)  # type: ignore[arg-type]


def hook(n: int, **more: float | str) -> Usage:
    return replace(told(f"google:hook:s/{n}", **more), cache_split_known=False)  # type: ignore[arg-type]


def proxied(n: int, **more: float | str) -> Usage:
    return told(f"google:resp:{n}", **{"thread": "", **more})  # type: ignore[arg-type]


def test_three_sources_of_one_call_are_one() -> None:
    """What of the prompt was cached is not told by all of them."""
    shelf = Shelf()
    assert shelf.take(chat(1, cached=50)) == 1
    assert shelf.take(hook(7, at=0.4)) == 1
    assert shelf.take(proxied(3, at=-0.2, cached=50)) == 1


def test_equal_calls_that_a_source_names_differently_are_two() -> None:
    """However alike and close they are; and other sources' reports of them are joined to them one by one."""
    shelf = Shelf()
    assert shelf.take(chat(1), chat(2, at=0.1)) == 2
    assert shelf.take(hook(1, at=0.1)) == 2
    assert shelf.take(proxied(1), proxied(2)) == 2
    assert shelf.take(hook(2)) == 2
    assert shelf.take(chat(1), hook(2), chat(2, at=0.1), proxied(1)) == 2
    assert shelf.take(proxied(3)) == 3


def test_other_counts_times_threads_and_owners_are_other_calls() -> None:
    """Each alone keeps them apart."""
    shelf = Shelf()
    assert shelf.take(chat(1)) == 1
    assert shelf.take(hook(1, output=11)) == 2
    assert shelf.take(hook(2, prompt=101)) == 3
    assert shelf.take(hook(3, at=10.1)) == 4
    assert shelf.take(hook(4, thread="t")) == 5
    assert shelf.take(proxied(5, at=21)) == 6
    assert shelf.take(proxied(6), owner="engineer 2") == 7


def test_what_was_cached_tells_calls_apart() -> None:
    """Where both sources tell it; where one does not, it may be either, and is rather the one that is not known."""
    shelf = Shelf()
    assert shelf.take(chat(1, cached=50), hook(7)) == 1
    assert shelf.take(proxied(3)) == 2
    assert shelf.take(hook(8)) == 2
    assert shelf.take(hook(9)) == 3
    assert shelf.take(proxied(4, cached=50)) == 3
    assert shelf.take(proxied(5, cached=50)) == 3


def test_one_that_names_no_thread_is_near_in_time() -> None:
    """Also across the border of two spans of time; and it is of no second thread then."""
    shelf = Shelf()
    assert shelf.take(proxied(1, at=59.5)) == 1
    assert shelf.take(chat(1, at=60.5)) == 1
    assert shelf.take(told("google:chat:t/1", at=60.0, thread="t")) == 2


def test_of_very_many_that_look_the_same_only_so_many_are_paired() -> None:
    """Looking for pairs among thousands would take long; nothing is lost by it, and telling all again changes nothing."""
    shelf = Shelf()
    chats, seen = [chat(n) for n in range(MOST + 4)], [proxied(n) for n in range(MOST + 4)]
    assert shelf.take(*chats) == MOST + 4
    assert shelf.take(*seen) == MOST + 8
    assert shelf.take(*seen, *chats) == MOST + 8


def test_an_answer_that_grows_is_found_when_it_is_whole() -> None:
    """Hooks tell a streamed answer in parts, under one key."""
    shelf = Shelf()
    assert shelf.take(hook(1, output=3)) == 1
    assert shelf.take(chat(1, output=9, at=1)) == 2
    assert shelf.take(hook(1, output=9, at=1)) == 1
    assert shelf.take(hook(1, output=9, at=1), hook(1, output=9, at=1)) == 1


def test_what_ids_join_stays_joined() -> None:
    """Reports with an id in common are one call, whatever their counts; so are those that a later report joins."""
    shelf = Shelf()
    assert shelf.take(told("opencode:msg:m", "opencode:tool:t1"), told("opencode:resp:r", output=4)) == 2
    assert shelf.take(told("opencode:resp:r", "opencode:tool:t1", output=4)) == 1
    assert shelf.take(told("opencode:msg:m", "opencode:call:1-2")) == 1
    assert shelf.take(told("opencode:resp:q", "opencode:tool:t2")) == 2


APART = [
    ("two requests", "anthropic:req:1", "anthropic:req:2", True),
    ("a request and a message", "anthropic:req:1", "anthropic:msg:1", False),
    ("two vendors", "anthropic:msg:1", "openai:chat:1", True),
    ("OpenCode asks any vendor", "opencode:msg:1 opencode:tool:s/1", "google:resp:1", False),
    ("other tools", "opencode:tool:s/1", "opencode:tool:s/2", True),
    ("one tool in common", "opencode:tool:s/1 opencode:tool:s/3", "opencode:tool:s/2 opencode:tool:s/3", False),
    ("calls of one thread", "tabstop:alike:google:s/9.1@7#0", "tabstop:alike:google:s/8.2@7#1", False),
    (
        "of two threads, which a report may add",
        "tabstop:alike:google:s/9.1@7#0",
        "tabstop:alike:google:t/9.1@7#0",
        False,
    ),
    ("one that was given another vendor's id", "anthropic:msg:1 openai:resp:x", "openai:chat:1", True),
    ("near each other", "tabstop:near:google:1/9.1@7#0", "tabstop:near:google:2/9.1@7#0", False),
    ("ids of no known form", "a", "b", False),
]


@pytest.mark.parametrize(("one", "other", "apart"), [case[1:] for case in APART], ids=[case[0] for case in APART])
def test_what_tells_two_usages_apart(one: str, other: str, *, apart: bool) -> None:
    """An id of the same kind, or ids of two vendors. Either way round."""
    assert tell_apart(one.split(), other.split()) is tell_apart(other.split(), one.split()) is apart


def test_a_report_that_names_two_calls_makes_none_of_them_the_other() -> None:
    """Each is still paired with one call of another source; a third has no partner."""
    shelf = Shelf()
    assert shelf.take(chat(1), chat(2)) == 2
    both = told("google:chat:s/1", "google:chat:s/2")
    found = recognized([both, proxied(1), proxied(2), proxied(3)], shelf.owner, shelf.lookup)
    partners = [{shelf.keys[key] for key in one.keys if key in shelf.keys} for one in found]
    assert partners == [{1, 2}, {1}, {2}, set()]


def test_usage_with_ids_that_all_its_sources_know_costs_no_look() -> None:
    """Claude Code's and Codex's calls are joined by their own keys alone; so are totals."""
    shelf = Shelf()
    usages = (told("anthropic:req:1"), told("openai:resp:1"))
    assert recognized(usages, "x", shelf.lookup) is usages
    total = Usage(("google:total:1",), "m", Tokens(output=1), NOON, grain=Grain.AGGREGATE)
    assert recognized([total], "x", shelf.lookup) == [total]
    assert shelf.asked == 0


@dataclass(frozen=True)
class Made:
    """A call that was made. at: seconds after noon."""

    prompt: int
    at: int


KINDS = {"chat": ("chat:s/", "s"), "hook": ("hook:s/", "s"), "proxy": ("resp:", ""), "telemetry": ("resp:", "s")}
"""By source, how its keys begin, and the thread it names."""

made = st.lists(st.builds(Made, st.sampled_from([100, 200]), st.sampled_from([0, 0, 1, 2, 59, 60, 5_000])), max_size=6)


def reports(calls: Iterable[tuple[int, Made]], source: str, jitter: float) -> list[Usage]:
    kind, thread = KINDS[source]
    return [told(f"google:{kind}{n}", prompt=call.prompt, at=call.at + jitter, thread=thread) for n, call in calls]


@settings(deadline=None, max_examples=200)
@given(calls=made, data=st.data())
def test_there_are_as_many_calls_as_the_source_that_saw_all_of_them_has(calls: list[Made], data: st.DataObject) -> None:
    """In any order, in any batches, with anything told twice, and with other sources that saw only some."""
    numbered = list(enumerate(calls))
    sources = data.draw(st.lists(st.sampled_from(["chat", "hook", "proxy", "telemetry"]), min_size=1, unique=True))
    everything = reports(numbered, sources[0], 0.0)
    for source in sources[1:]:
        some = data.draw(st.lists(st.sampled_from(numbered), unique=True)) if numbered else []
        everything += reports(some, source, data.draw(st.sampled_from([-0.9, -0.1, 0.1, 0.9])))
    again = data.draw(st.lists(st.sampled_from(everything), max_size=4)) if everything else []
    waiting = data.draw(st.permutations([*everything, *again]))
    shelf, count = Shelf(), 0
    while waiting:
        size = data.draw(st.integers(1, len(waiting)))
        count = shelf.take(*waiting[:size])
        waiting = waiting[size:]
    assert count == len(calls)
