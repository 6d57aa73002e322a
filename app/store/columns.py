"""Column types that mean the same on SQLite and PostgreSQL: 64-bit whole numbers, moments, texts, JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

FOR_EVER = 2**62
"""The end of a window that does not end, as stored: comparisons need no special case for it."""


def to_micros(at: datetime) -> int:
    """Microseconds since 1970, exact. Raises `TypeError` for a time without a zone."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The moment, in UTC."""
    return _EPOCH + micros * _MICROSECOND


class Moment(TypeDecorator[datetime]):
    """A moment as whole microseconds since 1970.

    SQLite has no type for time, and its drivers drop the zone; a number sorts, compares and comes back aware on both.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the base class's signature
        """Store the number."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - likewise
        """Give the moment back."""
        return None if value is None else from_micros(value)


_WHOLE = BigInteger().with_variant(Integer, "sqlite")
"""SQLModel's own `int` is 32 bits on PostgreSQL: nano-dollars would end at $2.14. SQLite's INTEGER has 64 bits."""


def whole(*, key: bool = False, default: int | None = None) -> Any:
    """A 64-bit number that is never null."""
    more: dict[str, Any] = {} if default is None else {"server_default": str(default)}
    return Field(primary_key=key, sa_type=_WHOLE, nullable=False, sa_column_kwargs={"autoincrement": False, **more})


def maybe_whole() -> Any:
    """A 64-bit number that may be null."""
    return Field(default=None, sa_type=_WHOLE, nullable=True)


def moment(*, key: bool = False) -> Any:
    """A moment that is never null."""
    return Field(primary_key=key, sa_type=Moment, nullable=False)


def maybe_moment() -> Any:
    """A moment that may be null."""
    return Field(default=None, sa_type=Moment, nullable=True)


def document() -> Any:
    """A JSON value that is never null."""
    return Field(sa_type=JSON, nullable=False)


def string(*, key: bool = False) -> Any:
    """A text of any length that is never null."""
    return Field(primary_key=key, nullable=False)
