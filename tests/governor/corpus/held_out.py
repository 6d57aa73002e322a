"""The held-out corpus: other shapes and other seeds, written before anything was tuned. Nothing is ever tuned on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tabstop.lab.healthy import KINDS, edit_and_test, explore, healthy, remark
from tabstop.lab.runaways import RUNAWAYS, runaway
from tabstop.lab.script import Scenario, Script, script

SEEDS = range(9_001, 9_006)


def migration(s: Script) -> None:
    """One small change in 120 files, several a minute, the tests only at the end."""
    for number in range(120):
        s.answer("" if number % 5 else remark(s.random), seconds=s.random.uniform(2, 5))
        s.together([("Edit", f"{number} {s.random.random()}")], seconds=0.1)
        s.probe(changed=True)
    s.call("Bash", "make test", seconds=200)


def browser(s: Script) -> None:
    """A page is tried in a browser: click, look, click, look; to look is always the same call."""
    for number in range(60):
        s.answer(remark(s.random))
        s.call("browser_click", f"button {number} {s.random.random()}")
        s.call("browser_snapshot", "{}", result=3_000)
        s.probe(changed=False)


def paging(s: Script) -> None:
    """A long page is looked at by pressing the same key."""
    for number in range(9):
        s.answer(f"Part {number} of the page." if number % 2 else remark(s.random))
        s.call("browser_press_key", "PageDown")
        s.call("browser_snapshot", "{}", result=3_000)
        if number % 4 == 3:
            explore(s, 1)


def bisect(s: Script) -> None:
    """The culprit is searched among commits: the same two commands in turns, and the tree changes with each commit."""
    for _ in range(12):
        s.answer(remark(s.random))
        s.call("Bash", "git bisect good", seconds=2)
        s.probe(changed=True)
        s.answer()
        s.call("Bash", "make -s test-one", seconds=25, failed=s.random.random() < 0.5)
        s.probe(changed=False)


def shell_session(s: Script) -> None:
    """Another client's way to wait for a long command: the same empty input to the same shell."""
    for _ in range(5):
        s.answer(remark(s.random))
        s.call("exec_command", f"cargo build {s.random.random()}", seconds=10)
        for _ in range(s.random.randint(3, 14)):
            s.answer(output=30, seconds=2)
            s.call("write_stdin", "session 7, nothing", seconds=10, result=150)
        edit_and_test(s, 2)


def twelve_researchers(s: Script) -> None:
    """Subagents in three waves of four, some quick and some slow, over a long and idle main thread."""
    for wave in range(3):
        s.answer(remark(s.random))
        children = [s.spawn(f"r{wave}{n}", "research") for n in range(4)]
        for n, child in enumerate(children):
            child.call("Read", "README.md")
            explore(child, 5 + 9 * n, (1_000, 9_000))
        s.join(*children)
        s.tick(900, every=60)


def writes_a_book(s: Script) -> None:
    """Short steps for long, then ten long documents, one after the other."""
    edit_and_test(s, 20)
    for number in range(10):
        s.answer(remark(s.random), output=s.random.randint(6_000, 14_000), seconds=90)
        s.call("Write", f"chapter {number} {s.random.random()}")
        s.probe(changed=True)
    edit_and_test(s, 5)


def release_watch(s: Script) -> None:
    """A deployment is watched for half an hour, a look a minute."""
    edit_and_test(s, 4)
    for _ in range(30):
        s.answer("The rollout is still going on, so I wait another minute and look again at the pods.")
        s.call("Bash", "sleep 60 && kubectl get pods", seconds=61)
        s.probe(changed=False)


HEALTHY: dict[str, Callable[[Script], None]] = {
    one.__name__.replace("_", " "): one
    for one in (migration, browser, paging, bisect, shell_session, twelve_researchers, writes_a_book, release_watch)
}


def loops_of_three(s: Script) -> None:
    """Three calls in turns."""
    for number in range(150):
        s.answer(remark(s.random) if number % 3 == 0 else "")
        s.call("Bash", ("ls", "cat Makefile", "make")[number % 3], failed=number % 3 == 2, seconds=1.5)
        s.probe(changed=False)


def thinks_aloud(s: Script) -> None:
    """Hardly a tool; the same consideration with the order of its sentences changed."""
    parts = [
        "The cache must be invalidated before the write, otherwise a reader sees the old balance.",
        "But if the write fails the cache is empty for nothing and the database takes the load.",
        "A version number in the key would solve both at the price of some memory.",
    ]
    for _ in range(100):
        s.random.shuffle(parts)
        s.answer(" ".join(parts))


def uncached(s: Script) -> None:
    """From here on nothing is read from the cache, large as the context is."""
    s.unread += 140_000
    for number in range(60):
        s.answer(seconds=4, uncached=True)
        s.call("Read", f"{number}")


def announced_wait(s: Script) -> None:
    """The vendor says: not before two hours have passed."""
    for _ in range(3):
        s.fail(429, retry_after=7_200)
        s.tick(7_200, every=60)


def crawler(s: Script) -> None:
    """Pages are fetched six at a time, without end, a new one every time."""
    for _ in range(80):
        s.answer(seconds=2)
        for _ in range(6):
            s.together([("WebFetch", f"{s.random.random()}") for _ in range(6)], seconds=0.2, result=50)


RUNAWAY: dict[str, tuple[Callable[[Script], None], tuple[str, ...]]] = {
    "loops of three": (loops_of_three, ("repeats", "no_progress")),
    "thinks aloud": (thinks_aloud, ("likeness", "no_progress")),
    "uncached": (uncached, ("token_spike", "cost_rate", "cost")),
    "announced wait": (announced_wait, ("backoff",)),
    "crawler": (crawler, ("tool_spike", "tool_rate", "calls_per_minute")),
}


def healthy_sessions() -> Iterator[Scenario]:
    """Every kind with other seeds, and kinds of its own."""
    for seed in SEEDS:
        yield from (healthy(name, seed) for name in KINDS)
        for name, go_on in HEALTHY.items():
            s = script(seed)
            explore(s, 5)
            go_on(s)
            yield Scenario(name, tuple(s.facts))


def runaway_sessions() -> Iterator[Scenario]:
    """Every runaway with another seed, and runaways of its own."""
    yield from (runaway(name, SEEDS[0]) for name in RUNAWAYS)
    for name, (go_on, caught_by) in RUNAWAY.items():
        s = script(SEEDS[1])
        explore(s, 4)
        edit_and_test(s, 12)
        begins = s.iterations + 1
        go_on(s)
        yield Scenario(name, tuple(s.facts), begins, caught_by)
