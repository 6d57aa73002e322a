"""From a file's bytes to a small tree whose every node knows its line; whatever is not plain YAML becomes a problem.

PyYAML's events are read one by one instead of its composed or constructed objects: aliases are never followed, so no
bomb can go off; depth is bounded before anything recurses; and a syntax error keeps what stood before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from tabstop.policy.problem import Problem, quoted

MAX_BYTES = 64 * 1024
"""A policy of a thousand lines is far below this; the pure-Python scanner needs about a second for as much."""

MAX_DEPTH = 8
"""The grammar itself is four levels deep."""

# What YAML refuses, and the characters that turn the direction of text: a cap must read as it counts.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_STANDARD_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "int", "map", "null", "seq", "str", "timestamp")
}
_CLOSING = {
    "[": "values separated by commas, then `]`",
    "{": "`key: value` pairs separated by commas, then `}`",
    '"': 'text, then `"`',
    "'": "text, then `'`",
}
_EATEN = "; ` #` begins a comment up to the end of the line, unless it is in quotes"
_NULLS = {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text as it stands in the file. `plain` is False for quoted and block text."""

    text: str
    line: int
    column: int
    plain: bool = True

    @property
    def missing(self) -> bool:
        """Whether nothing was written: `key:` alone, or YAML's words for it."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Entries:
    """Keys and values in order. `complete` is False where a problem of the YAML itself left something out."""

    entries: tuple[tuple[Scalar, Node], ...]
    line: int
    column: int
    complete: bool = True
    flow: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """A place already reported; nothing more is to be said about it."""

    line: int
    column: int


Node = Scalar | Items | Entries | Broken


@dataclass(frozen=True, slots=True)
class Source:
    """The tree, if there is any, what is wrong with the YAML itself, and the text for excerpts.

    broken_at: the line of a syntax error, from which on the tree means nothing; None where there is none.
    """

    root: Node | None
    problems: tuple[Problem, ...]
    text: str
    broken_at: int | None = None


def read_source(data: str | bytes) -> Source:
    """Read one YAML document. Never raises: what cannot be read is a problem with its line."""
    text, problem = _decode(data)
    if problem is None and (found := _CONTROL.search(text.replace("\r\n", "\n\n"))):
        line, column = _place(text, found.start())
        name = quoted(found[0])
        what = f"the file holds the control character {name}, which YAML does not allow"
        problem = Problem(line, column, "", what, found=name)
    if problem is not None:
        return Source(None, (problem,), text)
    builder = _Builder(text)
    root = builder.build()
    if root is None and not builder.problems:
        what = "the file is empty"
        builder.problems.append(
            Problem(1, 1, "", what, allowed="at least one key such as `tab: $50`; or delete the file")
        )
    return Source(root, tuple(builder.problems), text, builder.broken_at)


def _decode(data: str | bytes) -> tuple[str, Problem | None]:
    size = len(data)
    if size > MAX_BYTES:
        what = f"the file is {size:,} {'characters' if isinstance(data, str) else 'bytes'} long, more than any policy needs"
        return "", Problem(1, 1, "", what, found=f"{size:,}", allowed=f"up to {MAX_BYTES // 1024} KiB")
    if isinstance(data, str):
        return data.removeprefix("\ufeff"), None
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        line, column = _place(before, len(before))
        byte = f"byte 0x{data[error.start]:02x}"
        utf16 = data[:2] in {b"\xff\xfe", b"\xfe\xff"}
        what = "the file is UTF-16" if utf16 else f"the file is not UTF-8: {byte} cannot stand here"
        return "", Problem(line, column, "", what, found=byte, allowed="UTF-8; save the file in that encoding")


def _place(text: str, index: int) -> tuple[int, int]:
    # PyYAML also counts U+0085 and U+2028 as line ends; GitHub and editors do not, so lines are counted here.
    start = text.rfind("\n", 0, index) + 1
    return text.count("\n", 0, index) + 1, index - start + 1


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    mapping: bool
    line: int
    column: int
    flow: bool
    children: list[Node] = field(default_factory=list)


class _Builder:
    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self.root: Node | None = None
        self.open: list[_Open] = []
        self.broken_at: int | None = None

    def build(self) -> Node | None:
        documents = 0
        try:
            for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._problem(
                            event.start_mark, "the file holds a second document (`---`)", allowed="one document"
                        )
                        break
                elif not self._take(event):
                    break
        except yaml.MarkedYAMLError as error:
            self._syntax(error)
        except (yaml.YAMLError, ValueError, OverflowError, IndexError):
            # PyYAML lets chr() and int() raise on escapes such as "\UFFFFFFFF" and on absurd %YAML directives; what they
            # say differs between Pythons.
            self.broken_at = 1
            said = "this is not YAML: an escape such as `\\U…` or a `%` directive in it has an impossible value"
            self.problems.append(Problem(1, 1, "", said))
        while self.open:
            self._close(complete=False)
        return self.root

    def _take(self, event: yaml.Event) -> bool:
        """Put one event into the tree. False when there is no use in going on."""
        if isinstance(event, yaml.AliasEvent):
            hint = f'if you mean the text, put it in quotes: "*{event.anchor}"'
            what = f"`*{event.anchor}` is a YAML alias, which is not read here"
            self._problem(event.start_mark, what, found=f"*{event.anchor}", allowed=f"the value written out; {hint}")
            self._add(Broken(*self._at(event.start_mark)))
            return True
        if isinstance(event, yaml.ScalarEvent):
            self._decorations(event)
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._decorations(event)
            mapping = isinstance(event, yaml.MappingStartEvent)
            self.open.append(_Open(mapping, *self._at(event.start_mark), flow=bool(event.flow_style)))
            if len(self.open) > MAX_DEPTH:
                self._problem(event.start_mark, "the file nests deeper than any policy does")
                return False
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(complete=True)
        return True

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        found = _CONTROL.search(event.value)
        if found:
            what = f"this text holds the control character {quoted(found[0])}"
            self._problem(event.start_mark, what, found=quoted(event.value), allowed="printable text")
            self._add(Broken(*self._at(event.start_mark)))
        else:
            self._add(Scalar(event.value, *self._at(event.start_mark), plain=not event.style))

    def _decorations(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor:
            what = f"`&{event.anchor}` is a YAML anchor, which is not read here"
            self._problem(
                event.start_mark, what, found=f"&{event.anchor}", allowed="every value written out where it holds"
            )
        if event.tag and event.tag not in {"!", *_STANDARD_TAGS}:
            what = f"{quoted(event.tag)} is a YAML tag, which is not read here"
            self._problem(event.start_mark, what, found=event.tag, allowed="the plain value")

    def _add(self, node: Node) -> None:
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node

    def _close(self, *, complete: bool) -> None:
        done = self.open.pop()
        if not done.mapping:
            self._add(Items(tuple(done.children), done.line, done.column))
            return
        pairs: list[tuple[Scalar, Node]] = []
        for key, value in zip(done.children[::2], done.children[1::2], strict=False):
            if isinstance(key, Scalar):
                pairs.append((key, value))
                continue
            complete = False
            if not isinstance(key, Broken):
                self.problems.append(Problem(key.line, key.column, "", "a key cannot be a list or a mapping"))
        self._add(Entries(tuple(pairs), done.line, done.column, complete, done.flow))

    def _syntax(self, error: yaml.MarkedYAMLError) -> None:
        mark, context = error.problem_mark or error.context_mark, str(error.context)
        character = mark.buffer[mark.pointer : mark.pointer + 1] if mark and mark.buffer else ""
        what, allowed = _explained(error, character)
        line, column = self._at(mark) if mark else (1, 1)
        if error.context_mark and ("flow" in context or "quoted" in context):
            # Where it was opened helps; where the scanner gave up can be far below.
            line, column, opened = self._opened(error.context_mark)
            what, allowed = f"the {quoted(opened)} opened here is not closed as it should be", _CLOSING.get(opened, "")
            if opened in {"[", "{"} and " #" in self.text.split("\n")[line - 1]:
                allowed += _EATEN
        self.problems.append(Problem(line, column, "", what, allowed=allowed))
        self.broken_at = line

    def _opened(self, mark: Any) -> tuple[int, int, str]:
        """Line, column and character of what was opened; where the file just ends, the mark stands behind it."""
        opened = self.text[mark.index : mark.index + 1]
        if opened not in _CLOSING:
            flow = next((one for one in reversed(self.open) if one.flow), None)
            if flow is not None:
                return flow.line, flow.column, "{" if flow.mapping else "["
        return *self._at(mark), opened

    # PyYAML's stubs allow an event without marks, which its parser never makes: hence Any.
    def _at(self, mark: Any) -> tuple[int, int]:
        return _place(self.text, mark.index)

    def _problem(self, mark: Any, what: str, found: str = "", allowed: str = "") -> None:
        self.problems.append(Problem(*self._at(mark), "", what, found=found, allowed=allowed))


def _explained(error: yaml.MarkedYAMLError, character: str) -> tuple[str, str]:
    """PyYAML's own words where they help, better ones for what people really meet: (what, allowed)."""
    said = str(error.problem or "it cannot be read").rstrip(".")
    if "cannot start any token" in said and character == "\t":
        return "a tab character stands in the indentation, which YAML does not allow", "spaces"
    if "cannot start any token" in said:
        return (
            f"a value cannot begin with {quoted(character)} unless it is in quotes",
            f'quotes around it: "{character}…"',
        )
    if "expected alphabetic or numeric" in said and "alias" in str(error.context):
        return "a value cannot begin with `*` unless it is in quotes", 'quotes around it: "*"'
    if "mapping values are not allowed here" in said:
        return (
            "a second `: ` stands on this line, or the line is indented too far",
            "one `key: value` a line; quotes around text that holds `: `",
        )
    if "could not find expected ':'" in said or "expected <block end>" in said:
        return f"the lines do not line up here ({said})", "keys of one level indented alike, each followed by `: `"
    context = f", {error.context}" if error.context else ""
    return f"this is not YAML: {said}{context}", ""
