"""A policy as JSON, to store the one that was in force beside each decision, and back."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter

from tabstop.policy.model import Policy


@cache
def _adapter() -> TypeAdapter[Policy]:
    return TypeAdapter(Policy)


def to_json(policy: Policy) -> str:
    """One line of JSON that holds every value, defaults included: a later default must not change an old decision."""
    return _adapter().dump_json(policy).decode()


def from_json(text: str | bytes) -> Policy:
    """The policy that was stored. Values that an older release did not know take their defaults; unknown ones are dropped.

    Raises `ValueError` (pydantic's) when it is no stored policy.
    """
    return _adapter().validate_json(text)
