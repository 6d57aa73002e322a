"""JSON to and from the wire's dataclasses: every problem at once, unknown fields ignored. Standard library only."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

_PLAIN = frozenset({str, int, bool, float, type(None)})


class WireError(ValueError):
    """What arrived is not what the contract says. `problems` lists each as `path: found, expected`."""

    def __init__(self, problems: list[str]) -> None:
        """Keep all problems; the message joins them."""
        super().__init__("; ".join(problems))
        self.problems = problems


def to_json(value: Any) -> Any:
    """Turn a wire value into what `json.dumps` takes."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    names = _names(kind)
    if names is not None:
        return {name: to_json(getattr(value, name)) for name in names}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[T], data: Any) -> T:
    """Read JSON as `kind`. Raises `WireError` with all problems; booleans are no integers, times need a timezone."""
    problems: list[str] = []
    value = _read(kind, data, "", problems)
    if problems:
        raise WireError(problems)
    return cast("T", value)


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    """The fields of a dataclass; None for any other type."""
    return tuple(f.name for f in fields(kind)) if is_dataclass(kind) else None


def _read(kind: Any, data: Any, path: str, problems: list[str]) -> Any:
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        options = get_args(kind)
        if data is None and type(None) in options:
            return None
        return _read(next(o for o in options if o is not type(None)), data, path, problems)
    if origin is tuple:
        return _read_tuple(get_args(kind)[0], data, path, problems)
    if origin is dict:
        return _read_dict(get_args(kind)[1], data, path, problems)
    if is_dataclass(kind):
        return _read_dataclass(kind, data, path, problems)
    if kind is Any:
        return data
    return _read_plain(kind, data, path, problems)


def _read_plain(kind: Any, data: Any, path: str, problems: list[str]) -> Any:
    if kind is datetime:
        return _read_time(data, path, problems)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if data in {member.value for member in kind} if isinstance(data, str) else False:
            return kind(data)
        problems.append(f"{path or 'body'}: found {_short(data)}, expected one of {', '.join(kind)}")
        return None
    if kind is int and isinstance(data, bool):
        problems.append(f"{path or 'body'}: found {_short(data)}, expected a whole number")
        return None
    if not isinstance(data, kind):
        names = {int: "a whole number", str: "a text", bool: "true or false"}
        problems.append(f"{path or 'body'}: found {_short(data)}, expected {names.get(kind, kind.__name__)}")
        return None
    if kind is str and not _can_be_kept(data):
        problems.append(f"{path or 'body'}: found {_short(data)}, expected text without NUL and lone surrogates")
        return None
    return data


def _can_be_kept(text: str) -> bool:
    """JSON can spell what UTF-8 cannot (half a surrogate pair) and what PostgreSQL's text cannot (NUL)."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _read_time(data: Any, path: str, problems: list[str]) -> datetime | None:
    try:
        found = datetime.fromisoformat(data) if isinstance(data, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        problems.append(f"{path or 'body'}: found {_short(data)}, expected an ISO 8601 time with its timezone")
        return None
    return found.astimezone(UTC)


def _read_tuple(item: Any, data: Any, path: str, problems: list[str]) -> tuple[Any, ...]:
    if not isinstance(data, list):
        problems.append(f"{path or 'body'}: found {_short(data)}, expected a list")
        return ()
    return tuple(_read(item, entry, f"{path}[{index}]", problems) for index, entry in enumerate(data))


def _read_dict(item: Any, data: Any, path: str, problems: list[str]) -> dict[str, Any]:
    if not isinstance(data, dict):
        problems.append(f"{path or 'body'}: found {_short(data)}, expected an object")
        return {}
    unkept = [key for key in data if not _can_be_kept(key)]
    problems += [f"{path or 'body'}: found the key {_short(key)}, expected text without NUL" for key in unkept]
    return {key: _read(item, entry, f"{path}.{key}", problems) for key, entry in data.items()}


def _read_dataclass(kind: Any, data: Any, path: str, problems: list[str]) -> Any:
    if not isinstance(data, dict):
        problems.append(f"{path or 'body'}: found {_short(data)}, expected an object")
        return None
    values: dict[str, Any] = {}
    count = len(problems)
    for name, annotation, required in _shape(kind):
        where = f"{path}.{name}" if path else name
        if name in data:
            values[name] = _read(annotation, data[name], where, problems)
        elif required:
            problems.append(f"{where}: missing")
    return None if len(problems) > count else kind(**values)


@cache
def _shape(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    hints = get_type_hints(kind)
    return tuple((f.name, hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(kind))


def _short(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 60 else text[:57] + "..."
