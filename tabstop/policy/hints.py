"""What an author probably meant: the key nearest to an unknown one, and the examples shown beside problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tabstop.policy.grammar import ALSO_SECTIONS, KEYS, ROOT, Section
from tabstop.policy.key import Key
from tabstop.policy.problem import nearest

_ELSEWHERE: Mapping[str, str] = {
    key.path.rpartition(".")[2]: key.path for key in reversed(KEYS) if "[]" not in key.path and "<" not in key.path
}
"""Last names of keys and where the first such key of the file is."""

_MANY = {
    "cap",
    "cost",
    "window",
    "why",
    "more",
    "timeout",
    "threshold",
    "sample",
    "response",
    "persists",
    "share",
    "other",
}
"""Last names that say nothing about where they belong."""

_ONLY_IN_SESSIONS: Mapping[str, str] = {
    also: key.path
    for key in KEYS
    for also in key.also
    if key.path.startswith("session.") and not any(also in other.also for other in KEYS if other is not key)
}


_NAMED: Mapping[str, str] = {
    "engineers": "logins with caps such as `octocat: $2,000`",
    "aliases": "logins with lists such as `octocat: [octo@example.com]`",
    "subtasks.kinds": 'kinds with tokens such as `"*research*": 100k`',
    "slack.people": "logins with member ids or e-mail addresses such as `octocat: U012AB3CD`",
}


def nearest_key(section: Section, name: str) -> str:
    """The key meant by an unknown one: a synonym, a near spelling, or the same name elsewhere in the file; else nothing."""
    folded = name.strip().lower().replace("-", "_")
    for own, child in section.children.items():
        if isinstance(child, Key) and folded in child.also:
            return own
    if section is ROOT and folded in ALSO_SECTIONS:
        return ALSO_SECTIONS[folded]
    if section is ROOT and folded in _ONLY_IN_SESSIONS:
        return _ONLY_IN_SESSIONS[folded]
    close = nearest(name, section.children)
    if close:
        return close
    elsewhere = {last: path for last, path in _ELSEWHERE.items() if section is ROOT or last not in _MANY}
    return elsewhere.get(nearest(name, elsewhere, cutoff=0.85), "")


def allowed_below(child: Section | Key, visible: Callable[[Section | Key], bool]) -> str:
    """What may be written after this key. visible: whether a key may stand in this kind of file."""
    if isinstance(child, Key):
        return child.form.allowed
    if child.each == "[]":
        return "a list; begin each item with `- `"
    if child.each:
        return _NAMED[child.path]
    keys = f"keys such as {some_keys(child, visible)}"
    if child.switched_off:
        return f"`off`, or {keys}"
    if child.shorthand is None or not visible(child.shorthand):
        return keys
    bare = "an amount" if child.shorthand.name == "cap" else "a word"
    return f"{bare} such as {example(child)}, or {keys}"


def example(section: Section) -> str:
    """A section written in one line: `$50`, `alert`."""
    shorthand = section.shorthand
    return f"`{shorthand.default or '$2,000'}`" if shorthand else ""


def some_keys(section: Section, visible: Callable[[Section | Key], bool]) -> str:
    """The first few keys of a section."""
    return ", ".join([f"`{name}`" for name, child in section.children.items() if visible(child)][:4])
