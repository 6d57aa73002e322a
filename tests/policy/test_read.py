"""Reading a policy file: every problem at once, each with its place, what was found, what is allowed and what was meant."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.settings import KindBudget, Response
from tabstop.money import NANO_PER_DOLLAR
from tabstop.policy.document import PolicyKind
from tabstop.policy.effective import effective
from tabstop.policy.grammar import KEYS
from tabstop.policy.key import Key
from tabstop.policy.model import Cap
from tabstop.policy.problem import Severity
from tabstop.policy.read import parse
from tests.policy.builders import in_force, organization, problems, repository
from tests.support.golden import expect

EVERYTHING_WRONG = """\
sesion:
  tokens: 1M
session:
  tokens: 10 million
  tool-calls: 5
  wall_clock: 7200
  cost: $0
  timeout: 1h
tab: 1M
engineer:
  cap: $1,000 and 50M tokens
  on_empty: refuze
  window: monthly
steps: [90, 75, 75]
slack:
  channel: #agents
  names: yes
  allowed: ["#a"]
timezone: Mars
repository: {cap: $5,000, why: x}
prices:
  - input: 3
  - model: claude-*
  - {model: a, discount: 200%}
tab: $5
guest:
budget: 5
cost: 3
purposes: review
hold: [1]
check: &mode enforce
comment: *mode
"""


def listed(text: str | bytes, kind: PolicyKind = PolicyKind.REPOSITORY) -> str:
    parsed = parse(text, kind)
    lines = [f"{p.line}:{p.column} [{p.key_path}] {p.sentence}" for p in parsed.problems]
    return "\n".join([*lines, *(f"{n.line}:{n.column} [{n.key_path}] note: {n.sentence}" for n in parsed.notes)]) + "\n"


def test_every_problem_is_reported_at_once() -> None:
    """One run shows an author everything there is to fix."""
    expect("policy/everything-wrong.txt", listed(EVERYTHING_WRONG))


def test_organization_problems() -> None:
    """Lists, logins and patterns of an organization's file explain themselves too."""
    text = """\
timezone: europe/berlin
approvers: [octocat, octocat, team:a b, "@hubot"]
engineers:
  Octocat: $5,000
  octocat: $6,000
  "@hubot": $1
  dependabot[bot]: $1
  empty:
  thin: {why: none}
repositories:
  - match: acme/payments
    cap: $5,000
  - cap: $1
  - {match: a, topic: b, cap: $1}
  - {topic: ml}
  - ml
may_loosen: [tabs, timezone, session.cost]
slack:
  channel: "#Agents"
  allowed: []
  people:
    octocat: U012AB3CD
    Octocat: octocat@example.com
    "@hubot": hubot@example.com
    alice: "#alice"
    bob: bob
    carol:
"""
    expect("policy/organization-wrong.txt", listed(text, PolicyKind.ORGANIZATION))


UNREADABLE: dict[str, str | bytes] = {
    "empty": "",
    "comments only": "# nothing\n",
    "braces": "{}",
    "null": "null",
    "a list": "- tab: 5\n",
    "a word": "tab",
    "tabs": "session:\n\ttokens: 5M\n",
    "two documents": "tab: 5\n---\ntab: 6\n",
    "alias": "tab: *cap\n",
    "alias as a key": "tab: 5\n*hold : auto\n",
    "bare star": "prices: [{model: *, input: 1}]\n",
    "at sign": "approvers:\n  - @octocat\n",
    "anchor": "tab: &cap 5\n",
    "tag": "tab: !!python/object/apply:os.system [ls]\n",
    "merge": "base: &b {cap: 5}\ntab: {<<: *b}\n",
    "complex key": "? [a]\n: b\n",
    "open bracket": "tab: $5\nfoo: bar\nsteps: [75, 90\nhold: auto\n",
    "open bracket at the end": "tab: $5\nsteps: [",
    "unquoted channel in braces": "slack: {channel: #agents}\n",
    "open quote": 'tab: "$5\n',
    "second colon": "tab: $5: 6\n",
    "indentation": "session:\n  tokens: 5M\n tool_calls: 5\n",
    "deep": "[" * 5000,
    "huge": "#" * 70_000,
    "escape beyond unicode": 'tab: "\\UFFFFFFFF"\n',
    "escape sequence": 'repository: {why: "\\e[31mred", cap: 5}\n',
    "control character": "tab: \x07\n",
    "right to left": "tab: {cap: 5, why: \u202etxt}\n",
    "lone carriage return": "tab: 5\rhold: 5",
    "directive": "%YAML 99999999999999999999.1\n---\ntab: 5\n",
    "latin-1": "tab: {cap: 5, why: für}\n".encode("latin-1"),
    "utf-16": "tab: 5\n".encode("utf-16"),
}


def test_what_is_not_a_policy_says_so() -> None:
    """Whatever stands in the file, its author reads one sentence with a line, never a traceback."""
    text = "".join(f"# {name}\n{listed(data, PolicyKind.ORGANIZATION)}" for name, data in UNREADABLE.items())
    assert all(problems(data, PolicyKind.ORGANIZATION) for data in UNREADABLE.values())
    expect("policy/unreadable.txt", text)


def test_a_file_with_problems_has_no_document() -> None:
    """What does not count cannot be put in force by mistake; what could be read is there to judge the rest."""
    parsed = parse("tab: $5\nfoo: 1\n", PolicyKind.REPOSITORY)
    assert parsed.document is None
    assert parsed.draft.get("tab.cap") == Cap(nano=5 * NANO_PER_DOLLAR)
    assert parsed.problems[0].severity is Severity.PROBLEM


@pytest.mark.parametrize(
    ("written", "key", "meant"),
    [
        ("sessions: {cost: 1}", "sessions", "session"),
        ("pr: 5", "pr", "tab"),
        ("pull-request: 5", "pull-request", "tab"),
        ("timeout: 5", "timeout", "session.wall_clock"),
        ("max_turns: 5", "max_turns", "session.iterations"),
        ("tokens: 5", "tokens", "session.tokens"),
        ("channel: x", "channel", "slack.channel"),
        ("Comment: off", "Comment", "comment"),
        ("session: {max_budget_usd: 1}", "session.max_budget_usd", "cost"),
        ("tab: {budget: 1}", "tab.budget", "cap"),
        ("tab: {window: day}", "tab.window", ""),
        ("zebra: 1", "zebra", ""),
    ],
)
def test_an_unknown_key_names_the_nearest(written: str, key: str, meant: str) -> None:
    """A slip of the pen, a synonym or a key one level too high leads to the right key; a stranger leads nowhere."""
    (problem,) = problems(written)
    assert (problem.key_path, problem.nearest) == (key, meant)


@pytest.mark.parametrize("key", [key for key in KEYS if key.where == "organization"], ids=lambda key: key.path)
def test_keys_of_the_organization_stay_there(key: Key) -> None:
    """A repository cannot choose who approves, the timezone, or what it may loosen."""
    text = "x"
    for part in reversed(re.findall(r"\[\]|<login>|\w+", key.path)):
        text = f"[{text}]" if part == "[]" else f"{{octocat: {text}}}" if part == "<login>" else f"{{{part}: {text}}}"
    (problem,) = problems(text)
    assert key.path.startswith(problem.key_path)
    assert "organization's file only" in problem.sentence
    assert "in the file of the organization's `.github` repository" in problem.allowed


@pytest.mark.parametrize(
    ("text", "column", "key", "found"),
    [
        ("engineer: $500", 11, "engineer.cap", "$500"),
        ("engineer: {cap: $500}", 12, "engineer.cap", "cap"),
        ("engineer: {window: day}", 12, "engineer.window", "window"),
        ("engineer: {downgrade: {cap: $5}}", 24, "engineer.downgrade.cap", "cap"),
    ],
)
def test_an_engineers_budget_is_not_a_repositorys(text: str, column: int, key: str, found: str) -> None:
    """Each way to write it is a problem that says where it belongs; the organization's file takes it."""
    (problem,) = problems(text)
    assert (problem.column, problem.key_path, problem.found) == (column, key, found)
    assert problem.sentence == (
        f"`{key}` counts in the organization's file only. "
        f"Allowed: `{key}` in the file of the organization's `.github` repository."
    )
    assert problems(text, PolicyKind.ORGANIZATION) == ()


def test_what_may_be_written_is_what_may_stand_there() -> None:
    """An author is not sent to a key that the next run refuses; the organization's author is told all."""
    shown = "".join(
        f"# {kind}: {text}\n{listed(text, kind)}"
        for text in ("engineer:", "engineer: [5]", "engineer: {budget: 5}", "org: 5", "may_loosen: [engineer.cap]")
        for kind in PolicyKind
    )
    expect("policy/engineer.txt", shown)


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


def test_who_else_somebody_is() -> None:
    """By login, whatever its case: addresses, names in git, bots and other logins, in lower case."""
    text = """\
aliases:
  Octocat:
    - Octo@Example.com
    - Octo Cat
    - release-helper[bot]
    - old-octocat
    - 0b0a3d1e-6c1f-4d5e-9a67-2f6a3f0c9b11
    - 12345
  hubot: ["Hubert O'Bot"]
"""
    policy = effective(parse(text, PolicyKind.ORGANIZATION).document, None, name="").policy
    for name in ("octo@example.com", "OCTO  cat", "Release-Helper[bot]", "old-octocat", "12345"):
        assert policy.login_of(name) == "octocat"
    assert policy.login_of("hubert o'bot") == "hubot"
    assert policy.login_of("octocat") == policy.login_of("") == ""


def test_every_problem_of_aliases_is_told_with_its_line() -> None:
    """A name is one person's, and a person is no name of somebody else."""
    text = """\
aliases:
  octocat:
    - octo@example.com
    - OCTOCAT
    - hubot
    - <octo>
  hubot: [Octo@Example.com, hubot-2]
  no login: [x]
  carol: carol@example.com
  dave: []
  erin:
  frank: {a: b}
"""
    found = parse(text, PolicyKind.ORGANIZATION)
    assert found.document is None
    assert [(problem.line, problem.key_path) for problem in found.problems] == [
        (4, "aliases.octocat[1]"),
        (5, "aliases.octocat[2]"),
        (6, "aliases.octocat[3]"),
        (7, "aliases.hubot[0]"),
        (8, "aliases.no login"),
        (9, "aliases.carol"),
        (10, "aliases.dave"),
        (11, "aliases.erin"),
        (12, "aliases.frank"),
    ]
    said = [problem.sentence for problem in found.problems]
    assert said[0].startswith("`OCTOCAT` is the login itself")
    assert said[1].startswith("`hubot` has other names of its own under `aliases`")
    assert said[3].startswith("`Octo@Example.com` is `hubot` here, and `octocat` on line 3")
    assert "`[carol@example.com]`" in said[5]
    cut_off = parse("aliases: {octocat: [a", PolicyKind.ORGANIZATION)
    assert cut_off.document is None
    (problem,) = parse("aliases: [octocat]", PolicyKind.ORGANIZATION).problems
    assert "logins with lists" in problem.sentence


def test_a_repository_says_nothing_of_who_is_who() -> None:
    """Whose budget a run draws on is the organization's to say."""
    (problem,) = parse("aliases: {octocat: [hubot]}\n", PolicyKind.REPOSITORY).problems
    assert "organization's file only" in problem.sentence


def test_a_repository_cannot_redirect_messages() -> None:
    """Whom a login is in Slack is the organization's to say; a pull request that tries is told so."""
    (problem,) = parse("slack:\n  people: {octocat: U012AB3CE}\n", PolicyKind.REPOSITORY).problems
    assert (problem.line, problem.key_path) == (2, "slack.people")
    assert "organization's file only" in problem.sentence


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


NAMES = sorted({part for key in KEYS for part in key.path.replace("[]", "").split(".")})
VALUES = ("unlimited", "$10", "10M", "2h", "75", "é")
SIGNS = (
    "[",
    "]",
    "{",
    "}",
    ":",
    "- ",
    "\n",
    "  ",
    "#",
    "*",
    "&",
    "!",
    '"',
    "'",
    "|",
    ">",
    "?",
    ",",
    "%",
    "\t",
    "---",
    "\\",
)
words = st.sampled_from([*NAMES, *VALUES, *SIGNS, "\u2028", "\x85"])


@given(st.lists(words, max_size=40).map(" ".join), st.sampled_from(PolicyKind))
def test_no_policy_like_text_crashes(text: str, kind: PolicyKind) -> None:
    """Any arrangement of words that occur in policies gives a document or problems inside the file, and never both."""
    parsed = parse(text, kind)
    assert (parsed.document is None) == bool(parsed.problems)
    assert all(1 <= p.line <= text.count("\n") + 2 and p.column >= 1 and p.sentence for p in parsed.problems)
    assert all(p.sentence.isprintable() for p in parsed.problems)


@given(st.one_of(st.text(), st.binary()), st.sampled_from(PolicyKind))
def test_no_text_crashes(data: str | bytes, kind: PolicyKind) -> None:
    """Neither does anything else."""
    parsed = parse(data, kind)
    assert (parsed.document is None) == bool(parsed.problems)


tree = st.recursive(
    st.sampled_from(["unlimited", "'$10'", "10M", "1h", "5", "true", "''", "~", "auto", "off"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(
            st.sampled_from(["cap", "why", "model", "match", "topic", "input", "a"]), inner, max_size=3
        ).map(lambda entries: "{" + ", ".join(f"{key}: {value}" for key, value in entries.items()) + "}"),
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(sorted({key.path.split(".")[0].removesuffix("[]") for key in KEYS})), tree, max_size=6
    )
)
def test_no_shape_crashes(entries: dict[str, str]) -> None:
    """A value of any shape under any key is read or explained, and what was read can be put in force."""
    text = "\n".join(f"{key}: {value}" for key, value in entries.items())
    parsed = parse(text, PolicyKind.ORGANIZATION)
    assert (parsed.document is None) == bool(parsed.problems)
    if parsed.document is not None:
        in_force(text, None)


@pytest.mark.parametrize(
    "text", ["[" * 65_000, "{" * 65_000, "- " * 32_000, "a: " * 21_000, "? " * 32_000, "&a " * 21_000, "'" * 65_000, "a\n" * 32_000,
             "tab:\n" * 13_000, "steps: [" + "75," * 20_000 + "]"],
    ids=lambda text: text[:4].strip(),
)  # fmt: skip
def test_hostile_files_take_a_moment_only(text: str) -> None:
    """The largest file of the worst shape does not keep a worker busy."""
    begin = time.process_time()
    assert problems(text)
    assert time.process_time() - begin < 10


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


def test_an_alias_as_the_whole_file() -> None:
    """One problem, said once."""
    assert len(problems("*everything")) == 1


def test_any_words_of_a_reason_are_kept() -> None:
    """A reason that YAML takes for a number is still a reason."""
    assert repository("tab: {cap: 5, why: 2026}").get("tab.why") == "2026"
