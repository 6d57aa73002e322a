"""GitHub's expression language (`${{ … }}` and `if:`), as far as composite actions use it; anything else is an error, never a guess.

Rules: docs.github.com, actions/reference/workflows-and-actions/expressions.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Contexts = Mapping[str, Any]
Functions = Mapping[str, Callable[..., Any]]

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w-]*(?:\.(?:[\w-]+|\*))*)"
    r"|(?P<op>&&|\|\||==|!=|<=|>=|[!<>(),.\[\]]))"
)
_TEMPLATE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_STATUS = re.compile(r"\b(always|success|failure|cancelled)\s*\(")


class ExpressionError(ValueError):
    """An expression these tests cannot evaluate; the text names it."""


def evaluate(expression: str, contexts: Contexts, functions: Functions | None = None) -> Any:
    """The value of one expression, without its `${{ }}`."""
    parser = _Parser(expression, contexts, {**_FUNCTIONS, **(functions or {})})
    value = parser.either()
    if parser.position != len(parser.tokens):
        raise ExpressionError(f"cannot read the rest of: {expression}")
    return value


def fill(text: str, contexts: Contexts, functions: Functions | None = None) -> str:
    """The text with every `${{ … }}` replaced by its value as GitHub prints it."""
    return _TEMPLATE.sub(lambda match: as_text(evaluate(match.group(1), contexts, functions)), text)


def condition(text: str, contexts: Contexts, functions: Functions) -> bool:
    """Whether an `if:` holds; without a status function it means `success() && (…)`."""
    bare = text.strip()
    if bare.startswith("${{") and bare.endswith("}}"):
        bare = bare[3:-2]
    if not _STATUS.search(bare):
        bare = f"success() && ({bare})"
    return truthy(evaluate(bare, contexts, functions))


def truthy(value: Any) -> bool:
    """GitHub's truth: false, 0, '' and null are false, the string 'false' is true."""
    return bool(value) if not isinstance(value, (dict, list)) else True


def as_text(value: Any) -> str:
    """A value as GitHub prints it into a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, indent=2) if isinstance(value, (dict, list)) else str(value)


class _Parser:
    def __init__(self, expression: str, contexts: Contexts, functions: Functions) -> None:
        self.expression, self.contexts, self.functions = expression, contexts, functions
        self.tokens: list[tuple[str, str]] = []
        self.position = 0
        at, text = 0, expression.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if not match or not match.lastgroup:
                raise ExpressionError(f"cannot read {text[at:]!r} in: {expression}")
            self.tokens.append((match.lastgroup, match.group(match.lastgroup)))
            at = match.end()

    def either(self) -> Any:
        value = self.both()
        while self._take("||"):
            other = self.both()
            value = value if truthy(value) else other
        return value

    def both(self) -> Any:
        value = self.comparison()
        while self._take("&&"):
            other = self.comparison()
            value = other if truthy(value) else value
        return value

    def comparison(self) -> Any:
        value = self.unary()
        for operator in ("==", "!=", "<=", ">=", "<", ">"):
            if self._take(operator):
                return _compare(operator, value, self.unary())
        return value

    def unary(self) -> Any:
        if self._take("!"):
            return not truthy(self.unary())
        if self._take("("):
            value = self.either()
            self._expect(")")
            return value
        kind, text = self._next()
        if kind == "string":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return float(text)
        if kind != "name":
            raise ExpressionError(f"unexpected {text!r} in: {self.expression}")
        if self._take("("):
            return self._call(text)
        value = (
            {"true": True, "false": False, "null": None}[text]
            if text in {"true", "false", "null"}
            else self._look_up(text)
        )
        return self._members(value)

    def _members(self, value: Any) -> Any:
        while True:
            if self._take("["):
                value = _member(value, as_text(self.either()))
                self._expect("]")
            elif self._take("."):
                for part in self._next()[1].split("."):
                    value = _member(value, part)
            else:
                return value

    def _call(self, name: str) -> Any:
        arguments: list[Any] = []
        while not self._take(")"):
            arguments.append(self.either())
            self._take(",")
        function = {key.lower(): value for key, value in self.functions.items()}.get(name.lower())
        if not function:
            raise ExpressionError(f"unknown function {name}() in: {self.expression}")
        return function(*arguments)

    def _look_up(self, path: str) -> Any:
        first, *rest = path.split(".")
        if first not in self.contexts:
            raise ExpressionError(f"unknown context {first!r} in: {self.expression}")
        value = self.contexts[first]
        for part in rest:
            value = _member(value, part)
        return value

    def _next(self) -> tuple[str, str]:
        if self.position >= len(self.tokens):
            raise ExpressionError(f"ends too early: {self.expression}")
        self.position += 1
        return self.tokens[self.position - 1]

    def _take(self, operator: str) -> bool:
        found = self.position < len(self.tokens) and self.tokens[self.position] == ("op", operator)
        self.position += found
        return found

    def _expect(self, operator: str) -> None:
        if not self._take(operator):
            raise ExpressionError(f"missing {operator!r} in: {self.expression}")


def _member(value: Any, name: str) -> Any:
    """A missing property is null, as on GitHub; names are compared without case."""
    if isinstance(value, Mapping):
        return next((found for key, found in value.items() if key.lower() == name.lower()), None)
    if isinstance(value, list) and name.isdigit() and int(name) < len(value):
        return value[int(name)]
    return None


def _number(value: Any) -> float:
    if value is None or value == "":
        return 0.0
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _compare(operator: str, left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        a, b = left.lower(), right.lower()
        order = (a > b) - (a < b)
    else:
        x, y = _number(left), _number(right)
        if math.isnan(x) or math.isnan(y):  # NaN equals nothing
            return operator == "!="
        order = (x > y) - (x < y)
    return {"==": order == 0, "!=": order != 0, "<": order < 0, ">": order > 0, "<=": order <= 0, ">=": order >= 0}[
        operator
    ]


def _contains(search: Any, item: Any) -> bool:
    if isinstance(search, list):
        return any(_compare("==", found, item) for found in search)
    return as_text(item).lower() in as_text(search).lower()


def _format(text: str, *values: Any) -> str:
    return re.sub(r"\{(\d+)\}", lambda match: as_text(values[int(match.group(1))]), text)


def _join(values: Sequence[Any], separator: str = ",") -> str:
    return separator.join(as_text(value) for value in values)


_FUNCTIONS: Functions = {
    "contains": _contains,
    "startsWith": lambda text, start: as_text(text).lower().startswith(as_text(start).lower()),
    "endsWith": lambda text, end: as_text(text).lower().endswith(as_text(end).lower()),
    "format": _format,
    "join": _join,
    "toJSON": lambda value: json.dumps(value, indent=2),
    "fromJSON": lambda text: json.loads(as_text(text)),
}
