"""Healthy sessions: the variety of what agents do when all is well. No signal may stop any of them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tabstop.lab.script import Scenario, Script, script

FILES = tuple(f"{folder}/{name}.py" for folder in ("app", "core", "web", "tests") for name in (
    "budget", "ledger", "session", "parser", "router", "cache", "client", "schema", "policy", "render", "store", "clock",
))  # fmt: skip
_VERBS = (
    "rename", "split", "inline", "guard", "document", "retry", "validate", "cache", "log", "type", "simplify", "remove",
    "replace", "batch", "sort", "parse", "normalise", "wrap", "stream", "lock",
)  # fmt: skip
_THINGS = (
    "constructor", "fallback", "timeout", "import", "decorator", "query", "index", "fixture", "handler", "enum", "cursor",
    "header", "migration", "template", "checksum", "pool", "token", "socket", "buffer", "schema", "regression", "branch",
)  # fmt: skip
_REASONS = (
    "callers pass bytes since the last release", "two threads may reach it at once", "the reviewer asked for a smaller diff",
    "an empty list was never expected here", "its name promises something else", "mypy cannot follow the union",
    "Windows has no such signal", "the old format is still on disk", "rounding loses a cent on refunds",
    "this ran once per row instead of once per page", "nobody closes the handle when the upload fails",
    "the fixture shadows the module", "dates without a zone sort wrongly", "the flag is read before it is set",
)  # fmt: skip


def remark(random: Random) -> str:
    """What an agent says between its tools: often nothing, or too little to compare."""
    if random.random() < 0.4:
        return random.choice(("", "", "Let me look.", "Now the tests.", "Next file."))
    verb, other = random.sample(_VERBS, 2)
    thing, second = random.sample(_THINGS, 2)
    file, where = random.sample(FILES, 2)
    return random.choice((
        f"I will {verb} the {thing} in {file}, because {random.choice(_REASONS)}.",
        f"The {thing} of {file} explains it: {random.choice(_REASONS)}. Next I {other} the {second} in {where}.",
        f"Tests of the {second} pass. {file} still has to {verb} its {thing}; {random.choice(_REASONS)}.",
        f"{random.choice(_REASONS).capitalize()}, so {where} must {verb} every {thing} before the {second}.",
    ))  # fmt: skip


def explore(s: Script, reads: int, size: tuple[int, int] = (800, 6_000)) -> None:
    """Read files one has not read, some at a time."""
    while reads > 0:
        some = min(reads, s.random.choice((1, 1, 1, 2, 3, 5)))
        s.answer(remark(s.random))
        name = s.random.choice(("Read", "Grep", "Glob", "Read"))
        s.together([(name, f"{s.calls}:{n}:{s.random.random()}") for n in range(some)], result=s.random.randint(*size))
        reads -= some


def edit_and_test(s: Script, rounds: int, test: str = "pytest -q") -> None:
    """Edit, run the very same tests, again and again."""
    for _ in range(rounds):
        s.answer(remark(s.random), output=s.random.randint(150, 2_500))
        s.edit(f"{s.random.choice(FILES)} {s.random.random()}")
        s.answer(remark(s.random))
        s.call("Bash", test, seconds=s.random.uniform(1, 40), result=700, failed=s.random.random() < 0.35)
        s.probe(changed=False)
        if s.context > 170_000:
            s.compact()


def long_session(seed: int) -> Script:
    """Hours of work: explore, edit and test, with a person who is away now and then."""
    s = script(seed)
    for _ in range(s.random.randint(4, 30)):
        explore(s, s.random.randint(2, 12))
        edit_and_test(s, s.random.randint(4, 25))
        s.answer("Done so far: " + remark(s.random))
        s.tick(s.random.choice((0, 60, 600, 3_600)), every=60)
    return s


def edit_test_loop(seed: int) -> Script:
    """One command forty times, each time after an edit."""
    s = script(seed)
    explore(s, 5)
    edit_and_test(s, 40, "npm test")
    return s


def big_reads(seed: int) -> Script:
    """Everything large is read first, then little is needed."""
    s = script(seed)
    explore(s, 25, (6_000, 24_000))
    edit_and_test(s, 15)
    return s


def late_big_reads(seed: int) -> Script:
    """Small steps for long, then the large files."""
    s = script(seed)
    edit_and_test(s, 30)
    explore(s, 14, (8_000, 22_000))
    edit_and_test(s, 10)
    return s


def parallel_tools(seed: int) -> Script:
    """Answers that ask for a dozen tools at once."""
    s = script(seed)
    for _ in range(18):
        s.answer(remark(s.random))
        s.together([("Read", f"{s.calls}-{n}") for n in range(s.random.randint(4, 16))], result=900)
        if s.random.random() < 0.4:
            edit_and_test(s, 2)
    return s


def parallel_subagents(seed: int) -> Script:
    """Eight subagents do the same kind of thing side by side, and begin alike."""
    s = script(seed)
    explore(s, 6)
    for wave in range(3):
        s.answer("I split this into independent parts and give one to each subagent.")
        children = [s.spawn(f"agent-{wave}-{n}") for n in range(s.random.randint(3, 8))]
        for child in children:
            child.answer("I start by reading the contribution guide and the layout of the repository.")
            child.together([("Read", "CONTRIBUTING.md"), ("Bash", "git ls-files"), ("Bash", "git status")])
            explore(child, s.random.randint(4, 14))
            edit_and_test(child, s.random.randint(1, 5))
        s.join(*children)
    edit_and_test(s, 6)
    return s


def idle_gaps(seed: int) -> Script:
    """A person comes back after hours; the cache is cold and the whole context is written anew, once."""
    s = script(seed)
    explore(s, 10)
    for _ in range(6):
        edit_and_test(s, 6)
        s.tick(s.random.choice((1_200, 7_200, 20_000)), every=300)
        s.context, s.unread = 10_000, s.context - 10_000 + s.unread
    return s


def compaction(seed: int) -> Script:
    """The context fills and is summed up; then the same files are read once more."""
    s = script(seed)
    files = [("Read", f"{file} whole") for file in s.random.sample(FILES, 12)]
    for _ in range(4):
        for file in files:
            s.answer(remark(s.random))
            s.call(*file, result=5_000)
        edit_and_test(s, 12)
        s.compact()
    return s


def review(seed: int) -> Script:
    """A review reads and thinks, and never touches the tree."""
    s = script(seed)
    s.probe(changed=False)
    s.call("Bash", "git diff main...HEAD", result=9_000)
    for number in range(s.random.randint(40, 120)):
        s.answer(remark(s.random), output=s.random.randint(100, 1_500))
        s.call(s.random.choice(("Read", "Grep", "Bash")), f"look {number} {s.random.random()}", result=2_500)
        s.probe(changed=False)
        if s.random.random() < 0.1:
            s.answer(remark(s.random))
            s.call("Bash", "git diff main...HEAD", result=9_000)
    return s


def monitoring(seed: int) -> Script:
    """After a push the agent waits for CI with one command, as often as it takes."""
    s = script(seed)
    edit_and_test(s, 10)
    for _ in range(s.random.randint(8, 18)):
        s.answer(
            s.random.choice(
                ("Still running.", "Not done yet.", "CI is still in progress, so I check again in half a minute.")
            )
        )
        s.call("Bash", "sleep 30; gh run view 4711", seconds=31, result=300)
        s.probe(changed=False)
    edit_and_test(s, 3)
    return s


def background_build(seed: int) -> Script:
    """A build runs in the background and is asked for its output every few seconds."""
    s = script(seed)
    edit_and_test(s, 8)
    for _ in range(3):
        s.answer("I start the build in the background.")
        s.call("Bash", f"make all & {s.random.random()}")
        for _ in range(s.random.randint(6, 18)):
            s.answer("The build is still compiling.", output=60)
            s.call("BashOutput", "shell_1", seconds=0.1, result=200)
            s.probe(changed=False)
        edit_and_test(s, 3)
    return s


def flaky_test(seed: int) -> Script:
    """A test fails now and then; it is run several times with nothing changed, to find out how often."""
    s = script(seed)
    for _ in range(4):
        edit_and_test(s, 5)
        for _ in range(s.random.randint(3, 6)):
            s.answer(s.random.choice(("It passed this time.", "Failed again.", "Let me run it once more.")))
            s.call(
                "Bash", "pytest tests/test_clock.py", seconds=s.random.uniform(2, 20), failed=s.random.random() < 0.4
            )
            s.probe(changed=False)
        explore(s, 4)
    return s


def questions(seed: int) -> Script:
    """A person asks, the model answers; hardly a tool is called."""
    s = script(seed)
    for _ in range(s.random.randint(20, 60)):
        s.wait(s.random.uniform(10, 300))
        s.answer(" ".join(remark(s.random) for _ in range(3)), output=s.random.randint(300, 1_800))
        if s.random.random() < 0.15:
            explore(s, 1)
    return s


def overloaded(seed: int) -> Script:
    """The vendor is overloaded for a minute or two, several times; the client tries again and gets through."""
    s = script(seed)
    for _ in range(5):
        edit_and_test(s, 6)
        for attempt in range(s.random.randint(2, 7)):
            s.fail(529)
            s.wait(min(30, 2**attempt))
    edit_and_test(s, 4)
    return s


KINDS: dict[str, Callable[[int], Script]] = {
    one.__name__.replace("_", " "): one
    for one in (
        long_session, edit_test_loop, big_reads, late_big_reads, parallel_tools, parallel_subagents, idle_gaps, compaction,
        review, monitoring, background_build, flaky_test, questions, overloaded,
    )
}  # fmt: skip


def healthy(name: str, seed: int = 1) -> Scenario:
    """One of `KINDS`. Raises `KeyError` for another name."""
    return Scenario(name, tuple(KINDS[name](seed).facts))
