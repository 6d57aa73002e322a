"""Calls: what a request to a model asks for, how it may be changed, and what its answer says, the same for every vendor's API."""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from tabstop.agents.claude_code.rows import ident
from tabstop.governor.likeness import LONGEST
from tabstop.usage import Tokens

Body = dict[str, Any]
"""A request's JSON object."""

TOOLS_KEPT = 64
"""Ids of one answer's tool calls."""

LEAST_ANSWER = 1_024
"""Tokens below which an answer is not shortened, thinking not counted: less is rarely an answer."""


class Part:
    """A piece of a prompt: what tells it from others, and, reckoned when it is asked for, the most tokens it can be."""

    __slots__ = ("_extra", "_size", "_value", "key")

    def __init__(self, value: Any, extra: int = 0) -> None:
        """extra: tokens that no byte of it shows. Raises `NotReadError`."""
        try:
            self.key = hash(
                marshal.dumps(value, 0)
            )  # many times as fast as writing JSON, and only compared in this process
        except ValueError as error:
            raise NotReadError("it is nested too deeply") from error
        self._value = value
        self._extra = extra
        self._size = 0

    @property
    def size(self) -> int:
        """A token is at least a byte, so its bytes bound its tokens."""
        if not self._size:
            self._size = len(written(self._value).encode("utf-8", "surrogatepass")) + self._extra
        return self._size


class NotReadError(ValueError):
    """A request that cannot be read, and so cannot be bounded; the text says why."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool's result that this request brings. arguments: as the model wrote them; they never leave this process."""

    call: str
    name: str
    arguments: object = field(repr=False)
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """What one request asks for.

    output: the longest answer asked for, each copy of it; None where it is left to the model. thinking: tokens of it that are
    set aside for thinking; least_thinking: those that a last answer cannot do without. copies: answers asked for at once.
    write: the dearest kind its prompt may become, as `Tokens` names it. basis: differs where an equal part may count
    differently. unbounded: what nobody can bound before, for people.
    fresh: how many of the last parts are newer than the model's last word; None where it has said nothing yet.
    results: those since the model's last answer. after: the id of an earlier answer whose conversation the vendor keeps.
    variants: ways of being served that are priced differently, as `tabstop.model_id` names them.
    """

    model: str
    stream: bool = False
    output: int | None = None
    thinking: int = 0
    least_thinking: int = 0
    copies: int = 1
    write: str = "input"
    parts: tuple[Part, ...] = field(default=(), repr=False)
    basis: int = 0
    fresh: int | None = None
    unbounded: tuple[str, ...] = ()
    results: tuple[ToolResult, ...] = ()
    after: str = ""
    variants: tuple[str, ...] = ()
    has_tools: bool = False
    can_be_shortened: bool = True
    tells_usage: bool = True

    @property
    def least(self) -> int:
        """The shortest answer it may be lowered to, all copies together."""
        return (self.thinking + LEAST_ANSWER) * self.copies

    def by(self, model: str) -> Call:
        """The same, asked of this model."""
        return self if model == self.model else replace(self, model=model)


@dataclass(frozen=True, slots=True)
class Change:
    """What of a request is changed. output: each copy's longest answer. say: a line for the model. Falsy for nothing.

    little_thinking: as little of it as the model takes.
    """

    output: int | None = None
    model: str = ""
    no_tools: bool = False
    little_thinking: bool = False
    say: str = ""
    ask_usage: bool = False

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return self != Change()


@dataclass(slots=True)
class Heard:
    """What an answer has said so far.

    tokens: None until its usage is told. began: what of it was told before the answer was complete. keys: ids it is known by.
    tools: the vendor's ids of the tool calls it wants. cleared: tokens the vendor left out of the prompt by itself.
    error: the vendor's own word for what went wrong.
    keeps: characters of its text that are kept.
    """

    model: str = ""
    keys: tuple[str, ...] = ()
    tokens: Tokens | None = None
    began: Tokens | None = None
    variant: str = ""
    web_searches: int = 0
    cache_split_known: bool = True
    complete: bool = False
    wants_tools: bool = False
    tools: tuple[str, ...] = ()
    cleared: int = 0
    error: str = ""
    keeps: int = LONGEST
    said: list[str] = field(default_factory=list, repr=False)
    _length: int = 0

    def say(self, text: object) -> None:
        """Keep its text, and no more than that."""
        if isinstance(text, str) and self._length < self.keeps:
            self.said.append(text)
            self._length += len(text)

    def wants(self, tool: object) -> None:
        """It calls a tool, under this id where it is one."""
        self.wants_tools = True
        name = ident(tool)
        if name and name not in self.tools and len(self.tools) < TOOLS_KEPT:
            self.tools = (*self.tools, name)

    def known_as(self, key: str) -> None:
        """Add an id."""
        if key not in self.keys:
            self.keys = (*self.keys, key)


class Reader(Protocol):
    """Reads one answer."""

    @property
    def heard(self) -> Heard:
        """What it has said so far."""
        ...

    def event(self, event: Body) -> None:
        """One event of a stream. Unknown ones and missing fields tell less; never raises."""
        ...

    def whole(self, answer: Body) -> None:
        """The whole answer, where it is not streamed. Never raises."""
        ...


class Api(Protocol):
    """One vendor's way to ask a model."""

    @property
    def provider(self) -> str:
        """`anthropic`, `openai` or `google`."""
        ...

    def read(self, path: str, body: Body) -> Call:
        """What a request asks for. Raises `NotReadError`."""
        ...

    def change(self, path: str, body: Body, change: Change) -> tuple[str, Body]:
        """The same request, changed, and its path."""
        ...

    def reader(self) -> Reader:
        """A reader for one answer."""
        ...

    def error(self, status: int, sentence: str) -> Body:
        """An error in the vendor's own shape."""
        ...

    def error_event(self, sentence: str) -> bytes:
        """The same as the last event of a stream that broke."""
        ...


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def written(value: object) -> str:
    """A JSON value as short as it can be written; equal values in equal spelling."""
    try:
        return _ENCODER.encode(value)
    except RecursionError as error:
        raise NotReadError("it is nested too deeply") from error


def objects(value: object) -> list[Body]:
    """The JSON objects of a list, or the one that stands alone; none for anything else."""
    return [one for one in several(value) if isinstance(one, dict)]


def several(value: object) -> list[Any]:
    """A list as it is; nothing as an empty one, and anything else as a list of one: some vendors read it so."""
    return [] if value is None else value if isinstance(value, list) else [value]


def listed(value: object, name: str) -> list[Body]:
    """All of a list, or what stands alone; a bare text as an object that holds it.

    Raises `NotReadError` for anything else: what would be passed over here would not be counted.
    """
    found = [{"text": one} if isinstance(one, str) else one for one in several(value)]
    if not all(isinstance(one, dict) for one in found):
        raise NotReadError(f"`{name}` is not a list of objects")
    return found


def newer(items: list[Body], is_the_models: Callable[[Body], bool]) -> int | None:
    """How many items come behind the model's last word; None where there is none."""
    return next((count for count, item in enumerate(reversed(items)) if is_the_models(item)), None)


def positive(value: object) -> int:
    """A count; zero for anything that is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def longest(value: object, name: str) -> int | None:
    """A limit that a request may name; None where it names none. Raises `NotReadError` for one that is no number."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise NotReadError(f"`{name}` is not a whole number")
    return value
