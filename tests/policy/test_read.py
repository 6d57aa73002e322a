"""Reading a policy file: every problem at once, each with its place, what was found, what is allowed and what was meant."""

import re

import pytest

from tabstop.money import NANO_PER_DOLLAR
from tabstop.policy.document import PolicyKind
from tabstop.policy.grammar import KEYS
from tabstop.policy.key import Key
from tabstop.policy.model import Cap
from tabstop.policy.problem import Severity
from tabstop.policy.read import parse
from tests.policy.builders import listed, problems
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
