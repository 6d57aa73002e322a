"""Fixture: an operator with a migrated database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli_operator.operator_at_work import AtWork


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[AtWork]:
    """A migrated SQLite file, nothing in it."""
    here = AtWork(tmp_path).migrated()
    yield here
    here.close()
