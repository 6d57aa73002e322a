"""Fixture: an operator with a migrated database."""

from pathlib import Path

import pytest

from tests.cli_operator.operator_at_work import AtWork


@pytest.fixture
def at_work(tmp_path: Path) -> AtWork:
    """A migrated SQLite file, nothing in it."""
    return AtWork(tmp_path).migrated()
