"""Values of a policy file: how amounts, times and people may be written, and which are unusual or out of range."""

import pytest

from tabstop.governor.settings import KindBudget, Response
from tabstop.money import NANO_PER_DOLLAR
from tabstop.policy.document import PolicyKind
from tabstop.policy.model import Cap
from tabstop.policy.read import parse
from tests.policy.builders import listed, organization, problems, repository
from tests.support.golden import expect

D = NANO_PER_DOLLAR


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("session: {tokens: 1.5M}", "session.tokens", 1_500_000),
        ("session: {tokens: '250,000 tokens'}", "session.tokens", 250_000),
        ("session: {tokens: 10_000}", "session.tokens", 10_000),
        ("session: {tokens: unlimited}", "session.tokens", None),
        ("session: {wall_clock: 1h30m}", "session.wall_clock", 5_400),
        ("session: {wall_clock: 2 h}", "session.wall_clock", 7_200),
        ("session: {wall_clock: 45 min}", "session.wall_clock", 2_700),
        ("session: {wall_clock: 90s}", "session.wall_clock", 90),
        ("session: {cost: 2.50}", "session.cost", 5 * D // 2),
        ("session: {on_limit: ask, ask: {more: 100}}", "session.ask.more", 100),
        ("degrade: {compact: 80}", "degrade.compact", 80),
        ("degrade: off", "degrade.compact", None),
        ("degrade: {models: [[a, b], [c, d]]}", "degrade.models", (("a", "b"), ("c", "d"))),
        ("runaway: off", "runaway.backoff.response", Response.OFF),
        ("runaway: {repeats: trip}", "runaway.repeats.response", Response.TRIP),
        ("runaway: {repeats: {persists: never}}", "runaway.repeats.persists", 0),
        ("runaway: {token_spike: {threshold: 1,000%}}".replace(",", ""), "runaway.token_spike.threshold", 1_000),
        ("breaker: {failures: off}", "breaker.failures", None),
        ("throttle: {retry: [1s, 5s, 1m]}", "throttle.retry", (1, 5, 60)),
        ("throttle: {retry: off}", "throttle.retry", None),
        ("throttle: {retry: []}", "throttle.retry", ()),
        ("subtasks: {kinds: {Explore: 100k}}", "subtasks.kinds", (KindBudget("explore", 100_000),)),
        ("tab: $1,000", "tab.cap", Cap(1_000 * D)),
        ("tab: 10", "tab.cap", Cap(10 * D)),
        ("tab: 0", "tab.cap", Cap(0)),
        ("tab: 1M tokens", "tab.cap", Cap(None, 1_000_000)),
        ("tab: {cap: $50 and 1M tokens}", "tab.cap", Cap(50 * D, 1_000_000)),
        ("tab: unlimited", "tab.cap", Cap()),
        ("steps: [50%, 80]", "steps", (50, 80)),
        ("steps: []", "steps", ()),
        ("hold: auto", "hold", None),
        ("slack: {channel: agents}", "slack.channel", "#agents"),
        ("slack: {channel: C0123ABCDE}", "slack.channel", "C0123ABCDE"),
        ("slack: {channel: off}", "slack.channel", ""),
        ("comment: off", "comment", "off"),
        ("subscription_counts: true", "subscription_counts", True),
        ("tab: {cap: 5, why: >\n  two\n  lines\n }", "tab.why", None),
    ],
)
def test_notation(text: str, path: str, value: object) -> None:
    """Amounts read as people write them."""
    if value is None and path == "tab.why":
        text, value = "tab:\n  cap: 5\n  why: >\n    two\n    lines\n", "two lines"
    assert repository(text).values[path].value == value


def test_people_are_members_or_addresses() -> None:
    """By login, whatever its case; an address is lower case, an id stays."""
    text = "slack: {people: {Octocat: U012AB3CD, hubot: Hubot@Example.com}}"
    document = parse(text, PolicyKind.ORGANIZATION).document
    assert document is not None
    assert document.get("slack.people") == (("octocat", "U012AB3CD"), ("hubot", "hubot@example.com"))


def test_a_bare_number_for_a_day_or_a_login_is_text() -> None:
    """Nothing that looks like a number is bent into one: sexagesimal, octal and logins made of digits."""
    assert organization("approvers: [123456]").get("approvers") == ("123456",)
    assert problems("session: {wall_clock: 2:30}")
    assert problems("session: {tool_calls: 010}")
    assert problems("session: {tokens: 1e6}")


def test_the_usual_ranges_are_notes() -> None:
    """Unusual is not wrong: the file counts, and its author is told."""
    text = """\
session: {tokens: 20M, tool_calls: 20, iterations: unlimited, wall_clock: 8h, cost: $0.10}
tab: $1,000
engineer: {cap: $10, window: day}
guest: $5
repository: $100,000
hold: $3
"""
    none_at_all = "tab: 0 tokens\nengineer: {cap: $0, window: day}\nrepository: unlimited\n"
    whose = PolicyKind.ORGANIZATION
    assert problems(text, whose) == problems(none_at_all, whose) == ()
    expect("policy/unusual.txt", listed(text, whose) + listed(none_at_all, whose))


def test_usual_values_leave_no_note() -> None:
    """The defaults, and a cap in tokens, are nothing to remark on."""
    assert (
        parse("session: {tokens: 10M, cost: $10}\ntab: 5M tokens\nguest: 1M tokens\n", PolicyKind.REPOSITORY).notes
        == ()
    )


OUT_OF_RANGE = [
    "session: {tokens: 2000000B}",
    "session: {tool_calls: 1000001}",
    "session: {wall_clock: 31d}",
    "session: {wall_clock: 10s}",
    "session: {cost: $1,000,000,001}".replace(",", "_"),
    "prices: [{model: m, input: 1000001}]",
    "prices: [{model: m, from: 2026-02-30}]",
    "slack: {names: 'true'}",
    f"tab: {{cap: 5, why: {'long ' * 50}}}",
    f"purposes: [{', '.join(f'p{i}' for i in range(60))}]",
    "steps: [{a: 1}]",
    "prices: [*a]",
    "steps: [75, *a]",
    "slack: {channel: a*#b}",
    "session: {ask: {more: 2000%}}",
    "session: {summary_tokens: unlimited}",
    "degrade: {compact: 100%}",
    "degrade: {models: [[claude-opus-5-5]]}",
    "degrade: {models: [[a, b], [a, b]]}",
    "degrade: {models: [a]}",
    "degrade: of",
    "runaway: {repeats: stop}",
    "runaway: {token_spike: {threshold: 100%}}",
    "runaway: {repeats: {persists: no}}",
    "breaker: {failures: 0%}",
    "breaker: {cooldown: unlimited}",
    "throttle: {calls_per_minute: 601}",
    "throttle: {retry: [5s, 1s]}",
    "throttle: {retry: [2m]}",
    "throttle: {retry: 5s}",
    "subtasks: {kinds: [research]}",
    "subtasks: {kinds: {'a!': 5k}}",
    "subtasks: {kinds: {Docs: 5k, docs: 6k}}",
    "subtasks: {kinds: {docs: many}}",
    "subtasks: {kinds: {docs: }}",
    "heartbeat: {interval: 1s}",
    "windows: {on_full: later}",
    "windows: {threshold: 101%}",
    "windows: {accounts: [a b]}",
    "windows: {anthropic: {week: 0}}",
]


def test_values_out_of_range() -> None:
    """What has the right form may still be too much, too little or impossible; the sentence says which."""
    assert all(len(problems(text)) == 1 for text in OUT_OF_RANGE)
    expect("policy/out-of-range.txt", "".join(listed(text) for text in OUT_OF_RANGE))
