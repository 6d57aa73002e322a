"""Promise 6: whether a repository may loosen comes from the organization's file only."""

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.orders import Step
from tabstop.governor.settings import Rules, Unbounded, UnknownPrice
from tabstop.money import NANO_PER_DOLLAR as D
from tabstop.policy.document import SILENT_ORGANIZATION, PolicyKind
from tabstop.policy.effective import Origin, effective, examine
from tabstop.policy.grammar import KEYS
from tabstop.policy.key import Where
from tabstop.policy.limits import LIMITS, LOOSENABLE, ORGANIZATIONS_OWN
from tabstop.policy.looser import looser_cap
from tabstop.policy.model import Cap, OnEmpty, Policy
from tabstop.policy.read import parse
from tabstop.window import WindowKind
from tests.policy.builders import in_force, organization, repository


def test_no_file_means_the_defaults() -> None:
    """Without any file a session, a tab, an engineer and a repository are bounded all the same."""
    found = in_force(None, None)
    assert found.policy == Policy()
    assert set(found.sources.values()) == {Origin.DEFAULT}


def test_a_repository_alone_counts_freely() -> None:
    """Without an organization's file nobody forbids a repository to raise the defaults."""
    found = in_force(None, "tab: $500\nsession: {tokens: unlimited}\ncheck: advise\nslack: {channel: '#any'}")
    assert found.problems == ()
    assert (found.policy.tab.nano, found.policy.session.tokens, found.policy.slack.channel) == (500 * D, None, "#any")
    assert found.sources["tab.cap"] == Origin.REPOSITORY
    assert found.sources["guest.cap"] == Origin.DEFAULT


# Organization's file, repository's file, and the key of the problem ("" for none).
TIGHTENING = [
    ("tab: $100", "tab: $50", ""),
    ("tab: $100", "tab: $200", "tab.cap"),
    ("tab: $100", "tab: unlimited", "tab.cap"),
    ("tab: unlimited", "tab: $900", ""),
    ("tab: $100", "tab: 1M tokens", "tab.cap"),
    ("tab: $100", "tab: $100 and 1M tokens", ""),
    ("timezone: UTC", "tab: $51", "tab.cap"),
    ("timezone: UTC", "tab: $50", ""),
    ("guest: {cap: $50, window: day}", "guest: {window: month}", "guest.window"),
    ("repository: {cap: $50, window: month}", "repository: {cap: $40, window: lifetime}", "repository.cap"),
    ("guest: {cap: unlimited}", "guest: {cap: $50, window: day}", ""),
    ("guest: {cap: $50, window: month}", "guest: {window: day}", "guest.window"),
    ("guest: {cap: $50, window: week}", "guest: {window: month}", "guest.window"),
    ("tab: {cap: $100, why: a}", "tab: {why: b}", ""),
    ("session: {tokens: 5M}", "session: {tokens: 5M, tool_calls: 500}", ""),
    ("session: {tokens: 5M}", "session: {tokens: 6M}", "session.tokens"),
    ("session: {wall_clock: 1h}", "session: {wall_clock: 61m}", "session.wall_clock"),
    ("may_loosen: [session.tokens]", "session: {tokens: 60M}", ""),
    ("may_loosen: [session.tokens]", "session: {cost: $60}", "session.cost"),
    ("may_loosen: [session]", "session: {tokens: unlimited, cost: $60}", ""),
    ("may_loosen: [guest]", "guest: {cap: $500, window: day}", ""),
    ("may_loosen: [engineer]", "engineer: {on_empty: downgrade, downgrade: {models: [a], cost: $9}}", ""),
    ("check: enforce", "check: advise", "check"),
    ("check: advise", "check: enforce", ""),
    ("unknown_price: block", "unknown_price: warn", "unknown_price"),
    ("unbounded: refuse", "unbounded: allow_marked", "unbounded"),
    ("server_unreachable: block", "server_unreachable: allow", "server_unreachable"),
    ("engineer: {on_empty: refuse}", "engineer: {on_empty: ask}", ""),
    ("engineer: {on_empty: ask}", "engineer: {on_empty: downgrade, downgrade: {models: [a]}}", "engineer.on_empty"),
    ("engineer: {downgrade: {models: [a, b]}}", "engineer: {downgrade: {models: [b]}}", ""),
    ("engineer: {downgrade: {models: [a, b]}}", "engineer: {downgrade: {models: [c]}}", "engineer.downgrade.models"),
    ("engineer: {downgrade: {cost: $5}}", "engineer: {downgrade: {cost: $6}}", "engineer.downgrade.cost"),
    ("engineer: {downgrade: {cost: $5}}", "engineer: {downgrade: {cost: $4}}", ""),
    ("steps: [75]", "steps: [50, 90]", ""),
    ("steps: [75]", "steps: [80]", "steps"),
    ("steps: [75]", "steps: []", "steps"),
    ("hold: $2", "hold: $1", "hold"),
    ("hold: $2", "hold: auto", ""),
    ("hold: auto", "hold: $1", ""),
    ("timezone: UTC", "hold: $0.04", "hold"),
    ("purposes: [review]", "purposes: [review, anything]", "purposes"),
    ("purposes: [review, fix]", "purposes: [fix]", ""),
    ("timezone: UTC", "purposes: [fix]", ""),
    ("timezone: UTC", "prices: [{model: a, input: 0}]", "prices"),
    ("may_loosen: [prices]", "prices: [{model: a, input: 0}]", ""),
    ("subscription_counts: true", "subscription_counts: false", "subscription_counts"),
    ("timezone: UTC", "slack: {names: true}", "slack.names"),
    ("comment: always", "comment: off", ""),
    ("timezone: UTC", "session: {on_limit: suspend, on_tokens: halt}", ""),
    ("timezone: UTC", "session: {on_limit: summary}", "session.on_limit"),
    ("session: {on_limit: ask}", "session: {on_limit: summary}", ""),
    ("session: {on_limit: summary}", "session: {on_limit: ask}", "session.on_limit"),
    ("may_loosen: [session.on_limit, session.ask]", "session: {on_limit: ask, ask: {more: 90%, timeout: 1h}}", ""),
    ("timezone: UTC", "session: {ask: {timeout: 11m}}", "session.ask.timeout"),
    ("timezone: UTC", "degrade: {compact: 80%}", ""),
    ("timezone: UTC", "degrade: {compact: 86%}", "degrade.compact"),
    ("timezone: UTC", "degrade: {compact: off}", "degrade.compact"),
    ("degrade: off", "degrade: {compact: 99%}", ""),
    ("may_loosen: [degrade]", "degrade: off", ""),
    ("degrade: {models: [[a, b]]}", "degrade: {models: [[a, b], [c, d]]}", ""),
    ("degrade: {models: [[a, b]]}", "degrade: {models: [[a, c], [a, b]]}", "degrade.models"),
    ("timezone: UTC", "runaway: {repeats: trip, likeness: {threshold: 3, persists: 1}}", ""),
    ("timezone: UTC", "runaway: {repeats: off}", "runaway.repeats.response"),
    ("timezone: UTC", "runaway: {likeness: {sample: 7}}", "runaway.likeness.sample"),
    ("timezone: UTC", "runaway: {tool_rate: {threshold: 11}}", "runaway.tool_rate.threshold"),
    ("timezone: UTC", "runaway: {tool_rate: {persists: never}}", "runaway.tool_rate.persists"),
    ("runaway: {tool_rate: {persists: never}}", "runaway: {tool_rate: {persists: 100}}", ""),
    ("may_loosen: [runaway.repeats]", "runaway: {repeats: {threshold: 50, response: off}}", ""),
    ("timezone: UTC", "breaker: {failures: 50%, repeats: 9, cost_per_minute: $1}", ""),
    ("timezone: UTC", "breaker: {cost_per_minute: off}", "breaker.cost_per_minute"),
    ("timezone: UTC", "breaker: {window: 10}", "breaker.window"),
    ("breaker: {failures: off}", "breaker: {failures: 99%}", ""),
    ("timezone: UTC", "breaker: {cooldown: 1h}", ""),
    ("timezone: UTC", "breaker: {cooldown: 10m}", "breaker.cooldown"),
    ("timezone: UTC", "breaker: {remember: false}", "breaker.remember"),
    ("timezone: UTC", "throttle: {calls_per_minute: 60, retry: [5s]}", ""),
    ("timezone: UTC", "throttle: {calls_per_minute: unlimited}", "throttle.calls_per_minute"),
    ("timezone: UTC", "throttle: {retry: [1s, 5s, 9s]}", "throttle.retry"),
    ("timezone: UTC", "throttle: {retry: [1s, 4s]}", "throttle.retry"),
    ("timezone: UTC", "throttle: {retry: off}", "throttle.retry"),
    ("throttle: {retry: off}", "throttle: {retry: [1s]}", ""),
    ("timezone: UTC", "subtasks: {sharing: static}", "subtasks.sharing"),
    ("subtasks: {sharing: static}", "subtasks: {sharing: proportional}", "subtasks.sharing"),
    ("subtasks: {sharing: static}", "subtasks: {sharing: hybrid, share: 20%, depth: 0}", ""),
    ("timezone: UTC", "subtasks: {fan_out: 9}", "subtasks.fan_out"),
    ("timezone: UTC", "subtasks: {kinds: {'*research*': 99k, docs: 1M, '*test*': 100k}}", ""),
    ("timezone: UTC", "subtasks: {kinds: {'*research*': 101k}}", "subtasks.kinds"),
    ("timezone: UTC", "subtasks: {kinds: {docs: 1001k}}", "subtasks.kinds"),
    ("timezone: UTC", "subtasks: {kinds: {web-research: 101k}}", "subtasks.kinds"),
    ("timezone: UTC", "subtasks: {kinds: {'*': 101k}}", "subtasks.kinds"),
    ("subtasks: {other: 50k}", "subtasks: {kinds: {docs: 60k}}", "subtasks.kinds"),
    ("timezone: UTC", "heartbeat: {interval: 30s, silence: 5m}", ""),
    ("timezone: UTC", "heartbeat: {silence: 11m}", "heartbeat.silence"),
    ("timezone: UTC", "windows: {on_full: defer, threshold: 80%, fit_sessions: true, in_session: suspend}", ""),
    ("timezone: UTC", "windows: {accounts: [org-1], anthropic: {five_hours: 5M}}", ""),
    ("windows: {on_full: defer}", "windows: {on_full: warn}", "windows.on_full"),
    ("windows: {in_session: suspend}", "windows: {in_session: alert}", "windows.in_session"),
    ("windows: {fit_sessions: true}", "windows: {fit_sessions: false}", "windows.fit_sessions"),
    ("timezone: UTC", "windows: {threshold: 95%}", "windows.threshold"),
    ("slack: {channel: '#a'}", "slack: {channel: '#a'}", ""),
    ("slack: {channel: '#a'}", "slack: {channel: off}", ""),
    ("slack: {channel: '#a', allowed: ['#b']}", "slack: {channel: b}", ""),
    ("slack: {channel: '#a', allowed: ['#b']}", "slack: {channel: '#c'}", "slack.channel"),
    ("timezone: UTC", "slack: {channel: '#c'}", "slack.channel"),
]


@pytest.mark.parametrize(("org", "repo", "key"), TIGHTENING, ids=[f"{o} / {r}" for o, r, _ in TIGHTENING])
def test_a_repository_may_only_tighten(org: str, repo: str, key: str) -> None:
    """What binds less than the organization's value or the default is a problem on its line, and is not in force."""
    found = in_force(org, repo)
    assert [p.key_path for p in found.problems] == ([key] if key else [])
    assert all(p.line == 1 and p.allowed for p in found.problems)
    alone = in_force(org, None).policy
    assert not any(limit.loosens(alone, found.policy) for limit in LIMITS if "may_loosen" not in org)
    refused = key.replace(".window", ".cap")
    assert all(limit.of(found.policy) == limit.of(alone) for limit in LIMITS if limit.path == refused)


def test_other_values_hold_beside_a_refused_one() -> None:
    """One refused value does not take the rest of the file with it."""
    found = in_force("tab: $20", "tab: $30\nsession: {cost: $1}")
    assert (found.policy.tab.nano, found.policy.session.cost) == (20 * D, D)
    assert found.sources["tab.cap"] == Origin.ORGANIZATION
    assert found.problems[0].sentence == (
        "`tab.cap` loosens $20 (the organization's) to $30, and a repository may only tighten. "
        "Allowed: at most $20; more only if the organization's file lists `tab.cap` under `may_loosen`."
    )


RULES = """\
repository: {cap: $900, why: everybody}
repositories:
  - {match: "Pay*", cap: $5, window: week, why: regulated}
  - {topic: ml, cap: $7}
  - {match: "*-service", cap: unlimited}
"""


@pytest.mark.parametrize(
    ("name", "topics", "cap"),
    [
        ("acme/payments", ("ml",), Cap(5 * D, None, WindowKind.WEEK, "regulated")),
        ("lab", ("ml",), Cap(7 * D)),
        ("acme/mail-service", (), Cap()),
        ("acme/web", (), Cap(900 * D, why="everybody")),
        ("pay/web", (), Cap(900 * D, why="everybody")),
    ],
)
def test_repository_caps_by_name_or_topic(name: str, topics: tuple[str, ...], cap: Cap) -> None:
    """The first rule that applies gives the cap with its reason; the owner's name is no part of the pattern."""
    found = in_force(RULES, None, name=name, topics=topics)
    assert found.policy.repository == cap
    assert found.sources["repository.cap"] == Origin.ORGANIZATION


def test_a_rule_is_a_ceiling_too() -> None:
    """A repository tightens below its own rule, not below everybody's cap."""
    assert in_force(RULES, "repository: $6", name="payments").problems
    assert in_force(RULES, "repository: {cap: $4, window: week}", name="payments").problems == ()


def test_single_engineers() -> None:
    """Logins know no case; a cap of one's own inherits the window of `engineer`."""
    policy = in_force(
        "engineer: {cap: $50, window: week}\nengineers: {Octocat: $90, hubot: {cap: 1M tokens, window: day}}", None
    ).policy
    assert policy.engineer_cap("OCTOCAT") == Cap(90 * D, None, WindowKind.WEEK)
    assert policy.engineer_cap("hubot") == Cap(None, 1_000_000, WindowKind.DAY)
    assert policy.engineer_cap("somebody") == Cap(50 * D, None, WindowKind.WEEK)


SENT = {"exhaustion", "degradation", "runaway", "breaker", "throttle", "subtasks", "heartbeats", "windows"}

SHARED = [
    "engineer: $0.01",
    "engineer: {cap: $0.01}",
    "engineer: {cap: unlimited, window: day, why: ours}",
    "engineer: {window: day}",
    "engineer: {why: ours}",
    "engineer: {downgrade: {cap: $0.01}}",
    "approvers: [mallory]",
    "timezone: Pacific/Kiritimati",
    "slack: {allowed: ['#ours']}",
    "slack: {people: {octocat: U012AB3CD}}",
    "organization: $1",
]


@pytest.mark.parametrize(
    "org", [None, "may_loosen: [engineer, engineer.downgrade]", "engineer: {cap: $70, why: theirs}"]
)
@pytest.mark.parametrize("repo", SHARED)
def test_what_repositories_share_no_repository_sets(org: str | None, repo: str) -> None:
    """One budget, drawn on from everywhere, has one cap: no repository's, tighter or not, permitted or not (promise 4).

    Neither by its file, nor by what an earlier release took for a valid one.
    """
    above = None if org is None else organization(org)
    as_once_read = replace(organization(repo), kind=PolicyKind.REPOSITORY)
    alone = effective(above, None, name="web")
    for below in (parse(repo, PolicyKind.REPOSITORY).draft, as_once_read):
        found = effective(above, below, name="web")
        assert (found.policy, found.sources) == (alone.policy, alone.sources)


def test_what_repositories_share_is_said_once() -> None:
    """The table of keys and the table of values agree on what is the organization's own, and none of it can be loosened."""
    of_keys = {key.path.partition(".<")[0] for key in KEYS if key.where is Where.ORGANIZATION}
    assert {limit.path for limit in LIMITS} & of_keys == ORGANIZATIONS_OWN
    assert not ORGANIZATIONS_OWN & set(LOOSENABLE)
    assert {"engineer.window", "engineer.why"} <= of_keys


def test_a_silent_organization_permits_nothing() -> None:
    """A file that is there and never was valid is not a missing one: the defaults are the ceiling."""
    freely = repository("tab: $500\nsession: {cost: unlimited}\nprices: [{model: '*', input: 0}]\nguest: $5\n")
    found = effective(SILENT_ORGANIZATION, freely, name="web")
    assert found.policy == replace(Policy(), guest=Cap(5 * D))
    assert [p.key_path for p in found.problems] == ["tab.cap", "session.cost", "prices"]


def test_a_downgrade_needs_a_model() -> None:
    """`downgrade` without a cheaper model is a problem, and refuses meanwhile; either file may name the model."""
    (problem,) = in_force(None, "engineer: {on_empty: downgrade}").problems
    assert problem.key_path == "engineer.on_empty"
    assert in_force(None, "engineer: {on_empty: downgrade}").policy.on_empty is OnEmpty.REFUSE
    both = in_force("engineer: {on_empty: downgrade}", "engineer: {downgrade: {models: [small]}}")
    assert both.problems == ()
    assert both.policy.on_empty is OnEmpty.DOWNGRADE


def test_prices_of_a_repository_come_first() -> None:
    """The first rule that matches a model counts, so the nearer file is asked first."""
    found = in_force("may_loosen: [prices]\nprices: [{model: a, input: 1}]", "prices: [{model: b, input: 2}]")
    assert [price.model for price in found.policy.prices] == ["b", "a"]


def test_a_new_cap_drops_the_old_reason() -> None:
    """A reason belongs to the amount it was given for."""
    assert in_force("tab: {cap: $20, why: pilot}", "tab: $10").policy.tab.why == ""
    assert in_force("tab: {cap: $20, why: pilot}", "tab: {why: ours}").policy.tab == Cap(
        20 * D, None, WindowKind.LIFETIME, "ours"
    )


def test_every_value_of_the_policy_can_be_written() -> None:
    """No field of the model is forgotten by the table that merges and compares, nor by the table of keys.

    The governor's settings are in the model, so a setting that no policy can give fails here.
    """
    reached = {".".join(limit.attribute) for limit in LIMITS}
    wanted = {path for path in values_of(Policy()) if path not in {"engineers", "degradation.ladder"}}
    wanted |= {f"degradation.ladder.{step}" for step in Step}
    assert reached == wanted
    written = {re.split(r"\[\]|\.<", key.path)[0] for key in KEYS}
    assert {limit.path for limit in LIMITS} <= written
    sections = {key.path[: dot.start()] for key in KEYS for dot in re.finditer(r"\.", key.path)}
    assert {limit.path for limit in LIMITS} | sections >= set(LOOSENABLE)


def values_of(value: Any, path: str = "") -> set[str]:
    """The path of every value in nested dataclasses; a cap is one value."""
    if not is_dataclass(value) or isinstance(value, Cap):
        return {path}
    return {
        found
        for field in fields(value)
        for found in values_of(getattr(value, field.name), f"{path}.{field.name}".removeprefix("."))
    }


def test_the_governor_goes_by_the_policy() -> None:
    """Whatever the policy says about a running session is among the rules that the session is sent."""
    policy = Policy()
    for limit in LIMITS:
        if limit.attribute[0] in SENT:
            changed = limit.put(policy, 1 if limit.of(policy) is None else None)
            assert changed != policy, limit.path
            assert changed.rules != policy.rules, limit.path
    assert replace(policy, unknown_price=UnknownPrice.BLOCK).rules == Rules(unpriced=UnknownPrice.BLOCK)
    assert replace(policy, unbounded=Unbounded.REFUSE).rules == Rules(unbounded=Unbounded.REFUSE)
    assert policy.rules == Rules()
    assert {field.name for field in fields(Rules)} - {"unpriced", "unbounded"} == SENT


def test_examine_judges_both_ways_at_once() -> None:
    """An author sees bad values and forbidden ones together, and nothing about lines of somebody else's file."""
    org = organization("tab: $20\nengineer: {on_empty: downgrade}\n")
    found = examine("tab: $30\nfoo: 1\n", PolicyKind.REPOSITORY, organization=org, name="web")
    assert [p.key_path for p in found.problems] == ["tab.cap", "foo"]
    own = examine("engineer: {on_empty: downgrade}\n", PolicyKind.ORGANIZATION)
    assert [p.key_path for p in own.problems] == ["engineer.on_empty"]
    half = "engineer: {on_empty: downgrade, downgrade: {models: small}}\n"
    assert [p.key_path for p in examine(half, PolicyKind.REPOSITORY).problems] == ["engineer.downgrade.models"]


caps = st.builds(
    Cap,
    st.none() | st.integers(0, 5),
    st.none() | st.integers(0, 5),
    st.sampled_from(WindowKind),
)


@given(caps, caps, caps)
def test_tightening_twice_is_tightening(first: Cap, second: Cap, third: Cap) -> None:
    """What is not looser than something not looser is not looser; and nothing is looser than itself."""
    assert not looser_cap(first, first)
    if not looser_cap(first, second) and not looser_cap(second, third):
        assert not looser_cap(first, third)


amounts = st.sampled_from(["$1", "$20", "$50", "$90", "unlimited", "1M tokens", "$20 and 2M tokens"])
files = st.fixed_dictionaries(
    {},
    optional={
        "tab": amounts,
        "repository": amounts,
        "guest": amounts,
        "check": st.sampled_from(["enforce", "advise"]),
        "steps": st.sampled_from(["[]", "[50]", "[75, 90]"]),
        "hold": st.sampled_from(["auto", "$1", "$3"]),
        "session": st.sampled_from(["{tokens: 1M}", "{tokens: unlimited}", "{cost: $50, tool_calls: 9}"]),
    },
).map(lambda entries: "\n".join(f"{key}: {value}" for key, value in entries.items()))


@given(files, files)
def test_no_repository_file_ever_loosens(org: str, repo: str) -> None:
    """Whatever both files say, the policy in force binds at least as much as without the repository's file."""
    above = parse(org or "timezone: UTC", PolicyKind.ORGANIZATION).document
    below = parse(repo or "comment: off", PolicyKind.REPOSITORY).document
    alone = effective(above, None, name="web").policy
    both = effective(above, below, name="web").policy
    assert not [limit.path for limit in LIMITS if limit.loosens(alone, both)]
