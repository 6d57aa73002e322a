"""The contract's tests run on every kind of store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.registry import Store
from tests.support.stores import KINDS


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, new_store: Callable[[str], Store]) -> Store:
    """Each kind of store in turn."""
    return new_store(request.param)
