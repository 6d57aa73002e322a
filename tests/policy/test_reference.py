"""The grammar is said four times (parser, schema, documentation, examples) and is one."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tabstop.governor.settings import Runaway
from tabstop.policy import governed
from tabstop.policy.document import PolicyKind
from tabstop.policy.effective import effective
from tabstop.policy.grammar import KEYS, ROOT, Section
from tabstop.policy.key import Key
from tabstop.policy.model import Policy
from tabstop.policy.read import parse
from tabstop.policy.schema import schema, schema_json
from tests.support.golden import expect_file

TOP = Path(__file__).parents[2]
EXAMPLES = sorted((TOP / "examples" / "policies").glob("*.yml"))
VALIDATOR = Draft202012Validator(schema())


def as_an_editor_reads(text: str) -> Any:
    """YAML 1.2 core: `on` is text, `10_000` is text, `2026-01-01` is text."""

    class Core(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as in the base

    for tag, pattern, first in (
        ("bool", r"true|false", "tf"),
        ("int", r"[-+]?[0-9]+", "-+0123456789"),
        ("float", r"[-+]?[0-9]+\.[0-9]+", "-+0123456789"),
        ("null", r"null|~|", ["n", "~", ""]),
    ):
        Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))
    return yaml.load(text, Loader=Core)  # noqa: S506 - a safe loader without YAML 1.1's words


def accepted(text: str) -> bool:
    return bool(VALIDATOR.is_valid(as_an_editor_reads(text)))


def kind_of(path: Path) -> PolicyKind:
    return PolicyKind.ORGANIZATION if path.name.startswith("organization") else PolicyKind.REPOSITORY


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_every_example_is_valid_for_parser_and_schema(path: Path) -> None:
    """What people copy works in the product and in their editor."""
    text = path.read_text(encoding="utf-8")
    assert parse(text, kind_of(path)).problems == ()
    assert effective(None, parse(text, kind_of(path)).document, name="web").problems == ()
    assert [error.message for error in VALIDATOR.iter_errors(as_an_editor_reads(text))] == []


def test_an_example_shows_all_of_a_running_session() -> None:
    """Every section about a running session, and every key of it that has no bare word, stands in one file to copy."""
    document = parse(
        (TOP / "examples/policies/governed.yml").read_text(encoding="utf-8"), PolicyKind.REPOSITORY
    ).document
    assert document is not None
    assert {path.rpartition(".")[0] for path in document.values} >= set(governed.SECTIONS) - {
        "runaway",
        "subtasks.kinds",
    }
    wanted = {said.path for said in governed.GOVERNED if not said.path.startswith("runaway.")}
    assert wanted <= set(document.values)


def test_the_examples_pass_check_jsonschema() -> None:
    """The published schema works with the tool that people run in CI."""
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(TOP / "docs/tabstop.schema.json")]
    done = subprocess.run([*command, *map(str, EXAMPLES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_is_a_schema() -> None:
    """Draft 2020-12 accepts it, and what is published is what the command prints."""
    Draft202012Validator.check_schema(schema())
    expect_file(TOP / "docs/tabstop.schema.json", schema_json())


SAMPLES = {
    "session": "tokens: 1M", "tab": "cap: 5", "engineer": "cap: 5", "engineer.downgrade": "cost: 1", "guest": "cap: 5",
    "repository": "cap: 5", "organization": "cap: 5", "breaker": "cooldown: 5m", "session.ask": "more: 10%", "degrade": "compact: 60%", "runaway": "repeats: off", "throttle": "retry: off",
    "subtasks": "depth: 1", "heartbeat": "interval: 30s", "windows": "on_full: defer", "windows.anthropic": "week: 1M", "windows.openai": "week: 1M", **{f"runaway.{signal.name}": "sample: 9" for signal in fields(Runaway)}, "slack": "names: true", "prices[]": "model: m, input: 1",
    "repositories[]": "match: a, cap: 5", "engineers.<login>": "cap: 5", "": "tab: 5",
}  # fmt: skip


def sections(section: Section) -> Iterator[Section]:
    if not section.each:
        yield section
    for child in section.children.values():
        if isinstance(child, Section):
            yield from sections(child)


def within(path: str, body: str) -> str:
    """A file whose section `path` holds `body`."""
    text = f"{{{body}}}"
    for part in reversed(re.findall(r"\[\]|<login>|\w+", path)):
        text = f"[{text}]" if part == "[]" else f"{{octocat: {text}}}" if part == "<login>" else f"{{{part}: {text}}}"
    return text


@pytest.mark.parametrize("section", list(sections(ROOT)), ids=lambda s: s.path or "file")
def test_an_unknown_key_fails_both(section: Section) -> None:
    """A key the parser does not know, the editor does not know either, in every section."""
    known = within(section.path, SAMPLES[section.path])
    unknown = within(section.path, SAMPLES[section.path] + ", zzz: 1")
    assert parse(known, PolicyKind.ORGANIZATION).problems == ()
    assert accepted(known)
    assert [p.found for p in parse(unknown, PolicyKind.ORGANIZATION).problems] == ["zzz"]
    assert not accepted(unknown)


@pytest.mark.parametrize(
    "text",
    [
        "session: {tokens: 0}", "session: {tokens: ten}", "session: {tool_calls: 1.5}", "session: {wall_clock: 7200}",
        "session: {cost: -1}", "session: {cost: 0}", "tab: 1M", "tab: {}", "tab: ''", "tab: $1.0000000001", "steps: 75",
        "steps: [0]", "steps: [100]", "steps: [75, 75]", "hold: maybe", "check: warn", "comment: true",
        "slack: {names: yes}", "breaker: {cooldown: unlimited}", "degrade: on", "degrade: {compact: 0}", "degrade: {models: [[a]]}", "degrade: {models: [a, b]}",
        "degrade: {models: [['a*', b]]}", "runaway: never", "runaway: {repeats: stop}", "runaway: {repeats: {persists: -1}}", "throttle: {retry: 5s}",
        "throttle: {calls_per_minute: 601}", "subtasks: {kinds: {'a!': 5}}", "subtasks: {kinds: {a: x}}", "subtasks: {share: 0}", "session: {ask: {more: 0}}", "breaker: {cooldown: 15}", "breaker: {remember: 1}", "slack: {names: 'true'}", "slack: {people: [a]}", "slack: {people: {a: bob}}", "slack: {people: {a: C012AB3CD}}", "slack: {people: {a b: U012AB3CD}}", "slack: {people: {a: 7}}", "slack: {channel: a b}", "purposes: [Big]", "timezone: ''",
        "prices: {}", "prices: [{input: 1}]", "prices: [{model: m}]", "prices: [{model: m, from: January}]",
        "repositories: [{cap: 1}]", "repositories: [{match: a}]", "repositories: [{match: a, topic: b, cap: 1}]",
        "engineers: [a]", "engineers: {a b: 1}", "engineers: {a: {why: x}}", "may_loosen: [timezone]", "approvers: [-a]",
        "subscription_counts: 1", "engineer: {downgrade: {cost: unlimited}}", "session: 5", "{}",
    ],
)  # fmt: skip
def test_a_bad_value_fails_both(text: str) -> None:
    """Types and forms are the same for parser and schema."""
    assert parse(text, PolicyKind.ORGANIZATION).problems
    assert not accepted(text)


def leaves(section: Section) -> Iterator[Key]:
    for child in section.children.values():
        yield from leaves(child) if isinstance(child, Section) else (child,)


def test_the_tree_holds_the_table() -> None:
    """No key of the table is lost on the way into the tree that parser and schema walk."""
    assert sorted(key.path for key in leaves(ROOT)) == sorted(key.path for key in KEYS)


def test_documented_defaults_are_the_defaults() -> None:
    """A file with every documented default written out changes nothing."""
    lines: dict[str, Any] = {}
    for key in KEYS:
        if key.default and not re.search(r"\[\]|<", key.path):
            *parents, name = key.path.split(".")
            at = lines
            for parent in parents:
                at = at.setdefault(parent, {})
            at[name] = as_an_editor_reads(key.default)
    parsed = parse(json.dumps(lines), PolicyKind.ORGANIZATION)
    assert parsed.problems == ()
    assert effective(parsed.document, None, name="web").policy == Policy()


def test_the_documentation_lists_every_key() -> None:
    """docs/policy.md holds the table of keys as the parser has it."""
    path = TOP / "docs" / "policy.md"
    rows = ["| key | default | unit | where | meaning |", "|---|---|---|---|---|"]
    rows += [
        f"| `{key.path}` | {f'`{key.default}`' if key.default and ' ' not in key.default else key.default.replace('`', '')}"
        f" | {key.unit} | {key.where} | {key.meaning} Write {key.form.allowed}. |".replace("  |", " |")
        for key in KEYS
    ]
    text = path.read_text(encoding="utf-8")
    begin, rest = re.split(r"(?<=UPDATE_GOLDEN=1 -->\n)", text, maxsplit=1)
    expect_file(path, begin + "\n".join(rows) + "\n" + rest[rest.index("<!-- /keys -->") :])
