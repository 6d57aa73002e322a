"""The walk over a file's tree, side by side with the table of keys: values with their lines, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tabstop.policy.document import PolicyKind, Written
from tabstop.policy.forms import Form, ListForm
from tabstop.policy.grammar import Section
from tabstop.policy.hints import allowed_below, nearest_key
from tabstop.policy.key import Key, Where
from tabstop.policy.problem import Problem, quoted
from tabstop.policy.source import Broken, Entries, Items, Node, Scalar
from tabstop.quantity import plural


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a list of sections, or what stands under one name. `fields` by the key's own name; a bare value under "", a list's items by path."""

    path: str
    name: str
    fields: Mapping[str, Written]
    line: int
    column: int
    complete: bool


class Walk:
    """One walk over one file. Afterwards `values`, `broken` (keys written but unreadable) and `problems` are its result.

    Under the path of a list of sections or of named sections, `values` holds a tuple of `Entry`.
    """

    def __init__(self, kind: PolicyKind, text: str) -> None:
        """`text` is the whole file, for hints that need the line."""
        self.kind = kind
        self.lines = text.split("\n")
        self.problems: list[Problem] = []
        self.values: dict[str, Written] = {}
        self.broken: set[str] = set()

    def section(self, spec: Section, node: Node, path: str, into: dict[str, Written]) -> None:
        """Read the keys of one section into `into`."""
        if isinstance(node, Broken):
            return
        if isinstance(node, Scalar) and spec.switched_off and node.text.strip() == "off":
            for switched in spec.switched_off:
                self._scalar(switched.form, node, switched.path, into)
            return
        if isinstance(node, Scalar) and spec.shorthand and not node.missing:
            where = _under(path, spec.shorthand.name)
            if self._may_stand(spec.shorthand, node, where):
                self._scalar(spec.shorthand.form, node, where, into)
            return
        if not isinstance(node, Entries) or not node.entries:
            if not isinstance(node, Entries) or node.complete:
                self._wants(node, path, "keys with values", allowed_below(spec, self._visible))
            return
        seen: dict[str, int] = {}
        for key, value in node.entries:
            where = _under(path, key.text)
            if key.text in seen:
                what = f"{quoted(where)} stands here a second time; the first is on line {seen[key.text]}"
                self.problem(key, where, what, key.text, "every key once")
                continue
            seen[key.text] = key.line
            child = spec.children.get(key.text)
            if child is None:
                self._unknown(spec, key, value, where, node)
            elif self._may_stand(child, key, where):
                self._child(child, key, value, where, into)

    def problem(
        self, spot: Node | Entry | Written, path: str, what: str, found: str = "", allowed: str = "", close: str = ""
    ) -> None:
        """Note a problem at the place of a node or a value."""
        self.problems.append(Problem(spot.line, spot.column, path, what, found, allowed, close))

    def _child(self, child: Section | Key, key: Scalar, value: Node, path: str, into: dict[str, Written]) -> None:
        if isinstance(value, Broken):
            self.broken.add(path)
        elif isinstance(value, Scalar) and value.missing:
            self._missing(child, key, path)
        elif isinstance(child, Section):
            if child.each == "[]":
                self._repeated(child, value, path)
            elif child.each:
                self._named(child, value, path)
            else:
                self.section(child, value, path, into)
        elif isinstance(child.form, ListForm):
            self._list(child.form, value, path, into)
        else:
            self._scalar(child.form, value, path, into)

    def _scalar(self, form: Form | ListForm, node: Node, path: str, into: dict[str, Written]) -> None:
        assert isinstance(form, Form)  # noqa: S101 - a list form goes to _list
        if isinstance(node, Scalar) and not node.missing:
            text = node.text.strip()
            try:
                into[path] = Written(form.value(text, plain=node.plain), node.line, node.column, text)
            except ValueError as error:
                what = f"`{path}` is {quoted(text)}: {error}"
                self.problem(node, path, what, text, form.allowed, form.nearest(text))
            else:
                return
        elif not isinstance(node, Broken):
            self._wants(node, path, "one value", form.allowed)
        self.broken.add(path)

    def _list(self, form: ListForm, node: Node, path: str, into: dict[str, Written]) -> dict[str, Written]:
        """Read a list into `into`; answers its items, by path."""
        items: dict[str, Written] = {}
        if form.word and isinstance(node, Scalar) and node.text.strip() == form.word:
            into[path] = Written(None, node.line, node.column, form.word)
            return items
        if not isinstance(node, Items):
            hint = f"; for example `[{node.text}]`" if isinstance(node, Scalar) else ""
            self._wants(node, path, "a list", f"{form.allowed}{hint}")
            return items
        for number, item in enumerate(node.items):
            if isinstance(form.item, ListForm):
                self._list(form.item, item, f"{path}[{number}]", items)
            else:
                self._scalar(form.item, item, f"{path}[{number}]", items)
        if len(node.items) < form.at_least:
            found = "an empty list" if not node.items else plural(len(node.items), "item")
            self.problem(node, path, f"`{path}` is {found}", allowed=f"at least {form.at_least}")
        self._check_items(form, items, path)
        if len(items) < len(node.items):
            self.broken.add(path)
        into[path] = Written(tuple(w.value for w in items.values()), node.line, node.column)
        return items

    def _check_items(self, form: ListForm, items: Mapping[str, Written], path: str) -> None:
        earlier: list[object] = []
        last: Written | None = None
        for number, (where, item) in enumerate(items.items()):
            if item.value in earlier:
                text = item.text or f"[{', '.join(item.value)}]"
                self.problem(item, where, f"`{path}` lists {quoted(text)} twice", text, "every item once")
            elif form.ascending and last is not None and item.value < last.value:
                what = f"`{path}` is out of order: {quoted(item.text)} comes after {last.text}"
                self.problem(item, where, what, item.text, "each greater than the one before")
            if number == form.at_most:
                self.problem(item, path, f"`{path}` lists {len(items)} items", str(len(items)), f"up to {form.at_most}")
            earlier.append(item.value)
            last = item

    def _repeated(self, spec: Section, node: Node, path: str) -> None:
        item_spec = spec.children["[]"]
        if not isinstance(node, Items) or not isinstance(item_spec, Section):
            self._wants(node, path, "a list", allowed_below(spec, self._visible))
            return
        made = [self._entry(item_spec, item, f"{path}[{i}]", "") for i, item in enumerate(node.items)]
        self.values[path] = Written(tuple(made), node.line, node.column)

    def _named(self, spec: Section, node: Node, path: str) -> None:
        item_spec = spec.children[spec.each]
        if not isinstance(node, Entries):
            wanted = "names with values" if isinstance(item_spec, Key) else "logins with caps"
            self._wants(node, path, wanted, allowed_below(spec, self._visible))
            return
        made = []
        for key, value in node.entries:
            where = f"{path}.{key.text}"
            if isinstance(value, Scalar) and value.missing:
                self._missing(item_spec, key, where)
                continue
            if isinstance(item_spec, Key):
                entry = Entry(
                    where, key.text, self._under_name(item_spec, value, where), key.line, key.column, complete=False
                )
            else:
                entry = self._entry(item_spec, value, where, key.text)
            made.append(Entry(where, key.text, entry.fields, key.line, key.column, entry.complete))
        self.values[path] = Written(tuple(made), node.line, node.column)

    def _under_name(self, spec: Key, node: Node, path: str) -> dict[str, Written]:
        """A bare value under "", or a list's items by path."""
        fields: dict[str, Written] = {}
        if isinstance(spec.form, ListForm):
            return {} if isinstance(node, Broken) else self._list(spec.form, node, path, fields)
        self._scalar(spec.form, node, path, fields)
        return {"": fields[path]} if path in fields else {}

    def _entry(self, spec: Section, node: Node, path: str, name: str) -> Entry:
        fields: dict[str, Written] = {}
        self.section(spec, node, path, fields)
        own = {where.removeprefix(f"{path}."): written for where, written in fields.items()}
        complete = isinstance(node, Entries) and node.complete
        return Entry(path, name, own, node.line, node.column, complete)

    def _may_stand(self, child: Section | Key, spot: Scalar, path: str) -> bool:
        if self._visible(child):
            return True
        allowed = f"`{path}` in the file of the organization's `.github` repository"
        self.problem(spot, path, f"`{path}` counts in the organization's file only", spot.text, allowed)
        return False

    def _missing(self, child: Section | Key, key: Scalar, path: str) -> None:
        self.broken.add(path)
        what, allowed = f"`{path}` has no value", allowed_below(child, self._visible)
        after = self.lines[key.line - 1][key.column - 1 + len(key.text) :]
        if path == "slack.channel" and "#" in after:
            what += "; an unquoted `#` begins a comment"
            allowed = f'the channel in quotes: `"#{after.partition("#")[2].strip()}"`'
        self.problem(key, path, what, allowed=allowed)

    def _unknown(self, spec: Section, key: Scalar, value: Node, path: str, around: Entries) -> None:
        if around.flow and key.text.isdigit() and isinstance(value, Scalar) and value.missing:
            what = f"{quoted(key.text)} is read as a key: inside braces a comma ends the value"
            self.problem(key, path, what, key.text, "amounts without commas inside braces: `$1000`")
            return
        parent = path.removesuffix(key.text).removesuffix(".")
        place = f"in `{parent}`" if parent else "of a policy"
        names = ", ".join(f"`{n}`" for n, c in spec.children.items() if self._visible(c))
        close = nearest_key(spec, key.text)
        meant = spec.children.get(close)
        if meant is not None and not self._visible(meant):
            names += f"; `{close}` in the organization's file only"
        self.problem(key, path, f"{quoted(key.text)} is not a key {place}", key.text, names, close)

    def _visible(self, child: Section | Key) -> bool:
        return self.kind is PolicyKind.ORGANIZATION or child.where is Where.BOTH

    def _wants(self, node: Node, path: str, wanted: str, allowed: str) -> None:
        if path:
            self.broken.add(path)
        if isinstance(node, Scalar):
            found = quoted(node.text)
        elif isinstance(node, Items):
            found = "a list" if node.items else "an empty list"
        else:
            found = "keys with values" if isinstance(node, Entries) and node.entries else "empty"
        subject = f"`{path}`" if path else "the file"
        self.problem(node, path, f"{subject} is {found}, not {wanted}", found.strip("`"), allowed)


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
