"""A hook's payload: what its agent sent it, as an object."""

from __future__ import annotations

import json
from typing import Any


def payload_of(body: bytes) -> dict[str, Any]:
    """Read it. Raises `ValueError` for what is none."""
    try:
        payload = json.loads(body)
    except RecursionError as error:
        raise ValueError("a payload nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"a payload that is no JSON: {error}") from error
    if not isinstance(payload, dict):
        raise ValueError("a payload that is no object")
    return payload
