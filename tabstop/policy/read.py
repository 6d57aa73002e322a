"""parse: from a file's text to what it says, with every problem and every note at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

from tabstop.governor.settings import KindBudget
from tabstop.policy.document import PolicyDocument, PolicyKind, RepositoryRule, Written, WrittenCap
from tabstop.policy.forms import KIND, LOGIN, Form
from tabstop.policy.grammar import ROOT
from tabstop.policy.model import PriceOverride
from tabstop.policy.problem import Note, Problem, in_file_order, quoted
from tabstop.policy.source import read_source
from tabstop.policy.usual import notes_of
from tabstop.policy.walk import Entry, Walk

_PRICE_FIELDS = {"discount": "discount_percent", "from": "from_date"}


@dataclass(frozen=True, slots=True)
class ParsedPolicy:
    """What came of reading a file.

    document: what it says; None when there is any problem, so that a bad file cannot count by mistake.
    draft: what could be read in spite of problems, to find out what else is wrong. Never to be put in force.
    """

    document: PolicyDocument | None
    problems: tuple[Problem, ...]
    notes: tuple[Note, ...]
    draft: PolicyDocument


def parse(text: str | bytes, kind: PolicyKind) -> ParsedPolicy:
    """Read a policy file. Never raises; an unreadable file is a problem with its line."""
    source = read_source(text)
    walk = Walk(kind, source.text)
    if source.root is not None:
        walk.section(ROOT, source.root, "", walk.values)
        _settle_entries(walk)
    # Below a syntax error the tree is not what its author sees.
    found = [p for p in walk.problems if source.broken_at is None or p.line < source.broken_at]
    problems = in_file_order([*source.problems, *found])
    draft = PolicyDocument(kind, MappingProxyType(walk.values), frozenset(walk.broken))
    notes = tuple(note for note in notes_of(draft) if not any(p.line == note.line for p in problems))
    return ParsedPolicy(None if problems else draft, problems, notes, draft)


def _settle_entries(walk: Walk) -> None:
    """Replace the raw entries of lists and logins by what they mean."""
    for path, make in (("prices", _price), ("repositories", _rule)):
        if path in walk.values:
            raw = walk.values[path]
            walk.values[path] = replace(raw, value=tuple(made for entry in raw.value for made in make(walk, entry)))
    named = (("subtasks.kinds", _kinds), ("slack.people", _people), ("engineers", _engineers), ("aliases", _aliases))
    for path, pairs in named:
        if path in walk.values:
            raw = walk.values[path]
            walk.values[path] = replace(raw, value=tuple(pairs(walk, raw)))


def _price(walk: Walk, entry: Entry) -> Iterator[PriceOverride]:
    if not _has(walk, entry, "model"):
        return
    values = {_PRICE_FIELDS.get(name, name): written.value for name, written in entry.fields.items()}
    if not set(values) - {"model", "why", "from_date"} and not _broken(walk, entry):
        allowed = "a price such as `input: 3`, or `discount: 15%`"
        walk.problem(entry, entry.path, f"`{entry.path}` sets no price", allowed=allowed)
    yield PriceOverride(**values)


def _rule(walk: Walk, entry: Entry) -> Iterator[RepositoryRule]:
    named, capped = _has(walk, entry, "match", "topic"), _has(walk, entry, "cap")
    if "match" in entry.fields and "topic" in entry.fields:
        what = f"`{entry.path}` has both `match` and `topic`"
        walk.problem(entry, entry.path, what, allowed="one of them; two items make two rules")
    elif named and capped:
        match, topic = (entry.fields[key].value if key in entry.fields else "" for key in ("match", "topic"))
        yield RepositoryRule(match, topic, _cap(entry))


def _engineers(walk: Walk, raw: Written) -> Iterator[tuple[str, WrittenCap]]:
    for login, entry in _under_names(walk, raw, "engineers", LOGIN, "login", "; bots draw on `guest`"):
        if _has(walk, entry, "cap"):
            yield login, _cap(entry)


def _aliases(walk: Walk, raw: Written) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each name stands for one login, and that login for nobody else."""
    entries = list(_under_names(walk, raw, "aliases", LOGIN, "login"))
    logins = {login for login, _ in entries}
    seen: dict[str, tuple[str, int]] = {}
    for login, entry in entries:
        names = []
        for where, name in entry.fields.items():
            before = seen.setdefault(name.value, (login, name.line))
            if before[0] != login:
                what = f"{quoted(name.text)} is {quoted(login)} here, and {quoted(before[0])} on line {before[1]}"
                walk.problem(name, where, what, name.text, "every name under one login")
            elif name.value in logins:
                whose = "is the login itself" if name.value == login else "has other names of its own under `aliases`"
                walk.problem(
                    name, where, f"{quoted(name.text)} {whose}", name.text, "what else this engineer is called"
                )
            else:
                names.append(name.value)
        yield login, tuple(sorted(names))


def _people(walk: Walk, raw: Written) -> Iterator[tuple[str, str]]:
    for login, entry in _under_names(walk, raw, "slack.people", LOGIN, "login"):
        if "" in entry.fields:
            yield login, entry.fields[""].value


def _kinds(walk: Walk, raw: Written) -> Iterator[KindBudget]:
    for kind, entry in _under_names(walk, raw, "subtasks.kinds", KIND, "kind"):
        if "" in entry.fields:
            yield KindBudget(kind, entry.fields[""].value)


def _under_names(
    walk: Walk, raw: Written, path: str, form: Form, noun: str, besides: str = ""
) -> Iterator[tuple[str, Entry]]:
    """The entries whose names can be read, each name once. besides: added to what may stand there."""
    seen: dict[str, int] = {}
    for entry in raw.value:
        try:
            name: str = form.value(entry.name)
        except ValueError as error:
            what = f"{quoted(entry.name)} under `{path}`: {error}"
            allowed = f"{form.allowed}{besides}"
            walk.problem(entry, entry.path, what, entry.name, allowed, form.nearest(entry.name))
            continue
        if name in seen:
            what = f"{quoted(entry.name)} stands under `{path}` a second time; the first is on line {seen[name]}"
            walk.problem(entry, entry.path, what, entry.name, f"every {noun} once, whatever its case")
        else:
            yield name, entry
        seen.setdefault(name, entry.line)


def _has(walk: Walk, entry: Entry, *names: str) -> bool:
    """Whether an entry has one of these keys; if not, that is a problem, unless another explains it already."""
    if any(name in entry.fields for name in names):
        return True
    excused = entry.path in walk.broken or any(f"{entry.path}.{name}" in walk.broken for name in names)
    if entry.complete and not excused:
        either = " or ".join(f"`{name}`" for name in names)
        walk.problem(entry, entry.path, f"`{entry.path}` lacks {either}", allowed=f"{either} in every item")
    return False


def _broken(walk: Walk, entry: Entry) -> bool:
    return any(path.startswith(f"{entry.path}.") for path in walk.broken)


def _cap(entry: Entry) -> WrittenCap:
    values = {name: written.value for name, written in entry.fields.items()}
    return WrittenCap(values.get("cap"), values.get("window"), values.get("why"))
