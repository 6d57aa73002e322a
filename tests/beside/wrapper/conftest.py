"""A place where `tabstop run` is tried, made anew for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.beside.wrapper.wrapped import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """See `Place`."""
    made = Place.make(tmp_path)
    yield made
    made.close()
